"""Turns the text that people type into a query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import core.text
from core.failures import Invalid

QUERY_CHARACTERS_MAX: Final = 100
WORDS_MAX: Final = 5  # of one query; more are ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A user who was found; ``score`` is higher for a better match."""

    user_id: str
    username: str
    display_name: str
    score: float


def checked(text: str) -> str:
    """The query without the space around it; raises Invalid."""
    kept = text.strip()
    if not kept:
        raise Invalid.field("q", f"expected 1 to {QUERY_CHARACTERS_MAX} characters, found none but spaces")
    if len(kept) > QUERY_CHARACTERS_MAX:
        raise Invalid.field("q", f"expected at most {QUERY_CHARACTERS_MAX} characters, found {len(kept)}")
    return kept


def typos(word: str) -> int:
    """How many wrong letters (missing, added, changed, swapped) are tolerated in a word of this length."""
    if len(word) < 4:
        return 0
    return 1 if len(word) < 8 else 2


def hashtag(text: str) -> str:
    """A hashtag's beginning as it is indexed: `folded`, without the #."""
    return folded(checked(text).lstrip("#＃"))


def folded(hashtag: str) -> str:
    """The key of a hashtag: `#Straße` and `#STRASSE` are one, whatever form of Unicode they were typed in."""
    return core.text.folded(hashtag)


def ranked(hits: Iterable[Hit], *, query: str, limit: int) -> list[Hit]:
    """Best first: the exact name, then names that begin with the query, then by score, then the shorter name."""
    wanted = core.text.folded(query)

    def order(hit: Hit) -> tuple[bool, bool, float, int, str]:
        name = core.text.folded(hit.username)
        return (name != wanted, not name.startswith(wanted), -hit.score, len(name), name)

    return sorted(hits, key=order)[:limit]
