"""Rules for comments, and for which changes of likes are written together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.failures import Invalid
from core.text import shows

COMMENT_CHARACTERS_MAX: Final = 2_200
BATCH_MAX: Final = 200  # changes written by one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeChange:
    """A request of one person to like a post or to remove the like."""

    post_id: int
    user_id: int
    liked: bool
    request_id: str


def batch(waiting: Iterable[LikeChange]) -> list[int]:
    """Positions of the changes to write together: the first of each person and post, in order of arrival.

    A second change by a person for the same post waits for the next batch, so that the last one wins.
    """
    seen: set[tuple[int, int]] = set()
    chosen: list[int] = []
    for position, change in enumerate(waiting):
        pair = (change.post_id, change.user_id)
        if pair not in seen:
            seen.add(pair)
            chosen.append(position)
            if len(chosen) == BATCH_MAX:
                break
    return chosen


def comment_text(text: str) -> str:
    """The text as it is stored; raises Invalid."""
    kept = text.strip()
    if len(kept) > COMMENT_CHARACTERS_MAX:
        raise Invalid.field("text", f"expected at most {COMMENT_CHARACTERS_MAX} characters, found {len(kept)}")
    if not shows(kept):
        raise Invalid.field("text", f"expected 1 to {COMMENT_CHARACTERS_MAX} characters, at least one that can be seen")
    return kept
