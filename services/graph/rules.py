"""Rules for follows."""

from __future__ import annotations

from core.failures import Invalid


def check_follow(*, follower_id: int, followee_id: int) -> None:
    """Raise Invalid for somebody who follows themselves."""
    if follower_id == followee_id:
        raise Invalid.field("user_id", "expected another user: nobody can follow themselves")
