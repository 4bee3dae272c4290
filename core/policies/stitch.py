"""Stitching: one page from four sources, in the scenario's proportions, without repeats, at most two posts in a row of
one author.

Slots of a source that has too little are given to the followed posts first, then to recommendations: a page is short
only when everything is used up. Ads never take another source's slots, and a short page has the same share of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.names import Source

RUN_OF_ONE_AUTHOR_MAX: Final = 2
#: Posts beyond a page's share, of each source, that may stand between those of one author. It bounds what a session
#: must remember: at most twice as many posts wait for a later page.
LOOKAHEAD: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A post or an ad that could stand in the page; ``rank_key`` sorts within its source, highest first."""

    item_id: int
    author_id: int
    source: Source
    rank_key: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Slots of one page."""

    followed: int
    recommended: int
    ads: int


def quota(page: int, *, followed_ratio: float, recommended_ratio: float, ads_ratio: float) -> Quota:
    """Share out ``page`` slots by largest remainder, so that they add up exactly."""
    shares = (followed_ratio * page, recommended_ratio * page, ads_ratio * page)
    whole = [int(share + 1e-9) for share in shares]
    by_remainder = sorted(range(3), key=lambda index: (-(shares[index] - whole[index]), index))
    for index in by_remainder[: page - sum(whole)]:
        whole[index] += 1
    return Quota(followed=whole[0], recommended=whole[1], ads=whole[2])


def posts_wanted(slots: Quota, *, ads_available: int) -> int:
    """Posts of a full page: slots of missing ads are for posts."""
    return slots.followed + slots.recommended + slots.ads - min(ads_available, slots.ads)


def stitch(
    *, followed: Sequence[Candidate], recommended: Sequence[Candidate], slots: Quota, ads_available: int
) -> list[Candidate]:
    """Choose and order the posts of one page; each input is sorted by rank, best first.

    Posts are merged by weighted round robin, so a reader sees the mix at every depth of the page.
    """
    wanted = posts_wanted(slots, ads_available=ads_available)
    own = _unique(followed, set())
    taken = {candidate.item_id for candidate in own}
    other = _unique(recommended, taken)
    own_count = min(len(own), slots.followed + max(0, slots.recommended - len(other)))
    other_count = min(len(other), wanted - own_count)
    own_count = min(len(own), wanted - other_count)
    spare = (*own[own_count : own_count + LOOKAHEAD], *other[other_count : other_count + LOOKAHEAD])
    return _diverse(_interleave(own[:own_count], other[:other_count]), spare=spare)


def with_ads(posts: Sequence[Candidate], ads: Sequence[Candidate], *, slots: Quota) -> list[Candidate]:
    """Put ads between posts at even distances, never first and never two in a row; on a short page no greater share of
    them than on a full one."""
    count = min(slots.ads, len(ads), len(posts))
    if len(posts) < posts_wanted(slots, ads_available=len(ads)):
        count = min(count, len(posts) * slots.ads // max(1, slots.followed + slots.recommended))
    if not count:
        return list(posts)
    distance = max(1, len(posts) // count)
    page: list[Candidate] = []
    queue = list(ads[:count])
    for number, post in enumerate(posts, start=1):
        page.append(post)
        if queue and number % distance == 0:
            page.append(queue.pop(0))
    return page


def _unique(candidates: Sequence[Candidate], taken: set[int]) -> list[Candidate]:
    seen = set(taken)
    kept = []
    for candidate in candidates:
        if candidate.item_id not in seen:
            seen.add(candidate.item_id)
            kept.append(candidate)
    return kept


def _interleave(first: Sequence[Candidate], second: Sequence[Candidate]) -> list[Candidate]:
    merged: list[Candidate] = []
    i = j = 0
    first_count, second_count = len(first), len(second)
    while i < first_count and j < second_count:
        if i * second_count <= j * first_count:
            merged.append(first[i])
            i += 1
        else:
            merged.append(second[j])
            j += 1
    return [*merged, *first[i:], *second[j:]]


def _diverse(posts: Sequence[Candidate], *, spare: Sequence[Candidate]) -> list[Candidate]:
    """Put off posts that would be a third in a row of one author until another author has stood between.

    Where posts would be left over for want of another author, ``spare`` ones stand between them, best first.
    """
    page: list[Candidate] = []
    waiting: list[Candidate] = []
    left = list(spare)
    for post in posts:
        if _third_in_a_row(page, post):
            waiting.append(post)
            continue
        page.append(post)
        while waiting and not _third_in_a_row(page, waiting[0]):
            page.append(waiting.pop(0))
    while waiting and len(page) < len(posts):
        fits = next((post for post in left if not _third_in_a_row(page, post)), None)
        if fits is None:
            break
        left.remove(fits)
        page.append(fits)
        while waiting and len(page) < len(posts) and not _third_in_a_row(page, waiting[0]):
            page.append(waiting.pop(0))
    return page  # what still waits comes on the next page


def _third_in_a_row(page: Sequence[Candidate], post: Candidate) -> bool:
    if len(page) < RUN_OF_ONE_AUTHOR_MAX:
        return False
    author_id = post.author_id
    for place in range(-RUN_OF_ONE_AUTHOR_MAX, 0):  # noqa: SIM110 - on the hot path, three times as fast as all()
        if page[place].author_id != author_id:
            return False
    return True
