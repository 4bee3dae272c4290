"""What people may say and want, and which wishes can be granted together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.failures import Invalid
from core.text import shows

COMMENT_CHARACTERS_MAX: Final = 2_200
BATCH_MAX: Final = 200  # wishes granted by one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Somebody wants to like a post, or no longer to."""

    post_id: int
    user_id: int
    liked: bool
    request_id: str


def batch(waiting: Iterable[Wish]) -> list[int]:
    """Positions of the wishes to grant together: the first of each person and post, in order of arrival.

    A second wish of a person for the same post waits for the next batch, so that the last one wins.
    """
    seen: set[tuple[int, int]] = set()
    chosen: list[int] = []
    for position, wish in enumerate(waiting):
        pair = (wish.post_id, wish.user_id)
        if pair not in seen:
            seen.add(pair)
            chosen.append(position)
            if len(chosen) == BATCH_MAX:
                break
    return chosen


def comment_text(text: str) -> str:
    """The text as it is kept; raises Invalid."""
    kept = text.strip()
    if len(kept) > COMMENT_CHARACTERS_MAX:
        raise Invalid.field("text", f"expected at most {COMMENT_CHARACTERS_MAX} characters, found {len(kept)}")
    if not shows(kept):
        raise Invalid.field("text", f"expected 1 to {COMMENT_CHARACTERS_MAX} characters, at least one that can be seen")
    return kept
