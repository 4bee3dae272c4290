"""Rules for follows."""

from __future__ import annotations

from core.failures import Conflict, Invalid


def check_follow(*, follower_id: int, followee_id: int) -> None:
    """Raise Invalid for somebody who follows themselves."""
    if follower_id == followee_id:
        raise Invalid.field("user_id", "expected another user: nobody can follow themselves")


def follows_the_most(most: int) -> Conflict:
    """The refusal of one more follow."""
    return Conflict(f"You follow {most:,} people, and nobody can follow more: unfollow somebody first")
