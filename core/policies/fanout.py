"""Fan-out: whether a new post is pushed into the followers' timelines now, or pulled when they read.

The threshold has hysteresis, so that an author whose follower count fluctuates around it does not switch with every
follow: an author becomes a celebrity at ``threshold`` and stops being one below ``threshold × (1 − hysteresis)``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FanoutPlan:
    """The work of one new post: timelines to write now, and readers who will pull."""

    push_count: int
    pull_count: int


def is_celebrity(*, followers: int, was_celebrity: bool, threshold: int, hysteresis_ratio: float) -> bool:
    """Whether an author's posts are pulled by readers."""
    if threshold < 1:
        raise ValueError(f"expected a threshold of at least 1, got {threshold}")
    lower = threshold * (1.0 - hysteresis_ratio)
    return followers >= (lower if was_celebrity else threshold)


def split(*, followers: int, active_followers: int, celebrity: bool) -> FanoutPlan:
    """Split a new post's readers; only active followers' timelines are written."""
    if celebrity:
        return FanoutPlan(push_count=0, pull_count=followers)
    return FanoutPlan(push_count=active_followers, pull_count=0)
