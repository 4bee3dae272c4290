"""Chooses the posts to recommend: the most popular, but few of one author."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PopularPost:
    """One post to recommend; ``mark`` is what a session remembers of it."""

    post_id: int
    author_id: int
    mark: int


def varied(popular: Iterable[PopularPost], *, maximum: int, per_author: int) -> tuple[list[PopularPost], bool]:
    """The first ``maximum`` posts with at most ``per_author`` by one author, and more only if these are too few.

    The second value says whether no post is left.
    """
    chosen: list[PopularPost] = []
    others: list[PopularPost] = []
    counts: dict[int, int] = {}
    for each in popular:
        count = counts[each.author_id] = counts.get(each.author_id, 0) + 1
        if count > per_author:
            others.append(each)
        elif len(chosen) == maximum:
            return chosen, False
        else:
            chosen.append(each)
    room = maximum - len(chosen)
    return chosen + others[:room], len(others) <= room
