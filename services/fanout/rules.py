"""Which way an author's posts go to those who follow, and what a change of it needs."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from core.policies.fanout import is_celebrity

BACKFILL_MAX: Final = 50  # posts of one author that a new follower, or a change of sides, brings into a timeline
FOLLOWERS_PAGE: Final = 2000  # followers read from PostgreSQL at once


class Turn(StrEnum):
    """What a change of an author's number of followers means."""

    STAYS = "stays"
    RISES = "rises"  # becomes a celebrity: readers pull from now on
    FALLS = "falls"  # is one no longer: what readers pulled must be in their timelines first


def turn(*, followers: int, was_celebrity: bool, threshold: int, hysteresis_ratio: float) -> Turn:
    """Decide by the shared policy whether an author changes sides."""
    now = is_celebrity(
        followers=followers, was_celebrity=was_celebrity, threshold=threshold, hysteresis_ratio=hysteresis_ratio
    )
    if now == was_celebrity:
        return Turn.STAYS
    return Turn.RISES if now else Turn.FALLS
