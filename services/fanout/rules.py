"""Decides whether an author's posts are pushed or pulled, and what a change between the two needs."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from core.policies.fanout import is_celebrity

FOLLOWERS_PAGE: Final = 2000  # followers read from PostgreSQL at once
_MARGIN_SECONDS: Final = 600.0  # for clock differences, and refills in progress


class Turn(StrEnum):
    """The effect of a change in an author's number of followers."""

    STAYS = "stays"
    RISES = "rises"  # becomes a celebrity: readers pull from now on
    FALLS = "falls"  # is one no longer: new posts are pushed, and readers continue to pull for `pulled_seconds`


def turn(*, followers: int, was_celebrity: bool, threshold: int, hysteresis_ratio: float) -> Turn:
    """Decide by the shared policy whether an author becomes a celebrity or stops being one."""
    now = is_celebrity(
        followers=followers, was_celebrity=was_celebrity, threshold=threshold, hysteresis_ratio=hysteresis_ratio
    )
    if now == was_celebrity:
        return Turn.STAYS
    return Turn.RISES if now else Turn.FALLS


def pulled_seconds(timeline_ttl_seconds: float) -> float:
    """How long readers pull the posts of an author who has fallen below the threshold.

    Posts that were not pushed before the fall are missing from timelines filled before it, the last of which expires
    after its time to live. So a fall writes nothing, however many posts and followers the author has.
    """
    return timeline_ttl_seconds + _MARGIN_SECONDS
