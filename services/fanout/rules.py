"""Decides whether an author's posts are pushed or pulled, and what a change between the two needs."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from core.policies.fanout import is_celebrity

FOLLOWERS_PAGE: Final = 2000  # followers read from PostgreSQL at once
_MARGIN_SECONDS: Final = 600.0  # for clocks that differ, and refills under way


class Turn(StrEnum):
    """The effect of a change in an author's number of followers."""

    STAYS = "stays"
    RISES = "rises"  # becomes a celebrity: readers pull from now on
    FALLS = "falls"  # is one no longer: new posts are pushed, and readers go on pulling for `pulled_seconds`


def turn(*, followers: int, was_celebrity: bool, threshold: int, hysteresis_ratio: float) -> Turn:
    """Decide by the shared policy whether an author changes sides."""
    now = is_celebrity(
        followers=followers, was_celebrity=was_celebrity, threshold=threshold, hysteresis_ratio=hysteresis_ratio
    )
    if now == was_celebrity:
        return Turn.STAYS
    return Turn.RISES if now else Turn.FALLS


def pulled_seconds(timeline_ttl_seconds: float) -> float:
    """How long readers pull the posts of an author who has fallen below the threshold.

    What was not pushed before the fall is missing in timelines made before it, and the last of them expires after its
    time to live. So a fall writes nothing, however many posts and followers the author has.
    """
    return timeline_ttl_seconds + _MARGIN_SECONDS
