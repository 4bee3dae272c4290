"""Merges lists of followed posts without a gap, although each reaches back to a different depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One list, newest first, complete from id ``bound`` on (0: from the beginning).

    ``cut``: it ends at ``bound`` because no more was requested; otherwise because its store holds no more.
    """

    post_ids: Sequence[int]
    bound: int
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The lists as far back as all of them are complete, at most as many posts as requested.

    If ``older_than`` is set, the stores hold too few posts: those older than it must be read from PostgreSQL.
    """

    post_ids: list[int]
    ended: bool
    older_than: int | None


def merge(parts: Sequence[Part], *, before: int, count: int) -> Merged:
    """The newest ``count`` posts older than ``before``."""
    bound = max(part.bound for part in parts)
    cut = any(part.cut for part in parts if part.bound == bound)
    every = {post_id for part in parts for post_id in part.post_ids if bound <= post_id < before}
    post_ids = sorted(every, reverse=True)
    full = len(post_ids) > count
    return Merged(
        post_ids=post_ids[:count],
        ended=bound == 0 and not full,
        older_than=None if full or cut or bound == 0 else min(bound, before),
    )
