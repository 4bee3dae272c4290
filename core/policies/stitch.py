"""Stitching: one page from four sources, in the scenario's proportions, without repeats, with at most two posts in a
row by one author.

Slots that a source cannot fill go to followed posts first, then to recommendations: a page is short only when all
sources are used up. Ads never take another source's slots (`core.policies.ads`). The proportions hold over a session,
not over each page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.names import Source
from core.policies.ads import AdPlace, ad_places, ads_among

RUN_OF_ONE_AUTHOR_MAX: Final = 2
#: Posts of each source, beyond its share of the page, that may separate posts by one author. It bounds what a session
#: must remember: at most twice as many posts wait for a later page.
LOOKAHEAD: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A post or an ad that could be on the page; ``rank_key`` sorts within its source, highest first."""

    item_id: int
    author_id: int
    source: Source
    rank_key: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Slots of one page."""

    followed: int
    recommended: int
    ads: tuple[AdPlace, ...]

    @property
    def posts(self) -> int:
        """Posts of a full page."""
        return self.followed + self.recommended


def quota(
    page: int, *, followed_ratio: float, recommended_ratio: float, ads_ratio: float, ads: int, shown: int = 0
) -> Quota:
    """Divide ``page`` slots so that they add up exactly, and a session that has shown ``shown`` items keeps the
    proportions within one slot, whatever its page sizes. There are ``ads`` different ads; ad slots that cannot be
    filled go to posts."""
    placed = ad_places(page, shown=shown, ratio=ads_ratio, ads=ads)
    posts = followed_ratio + recommended_ratio
    share = followed_ratio / posts if posts else 1.0
    before = shown - ads_among(shown, ratio=ads_ratio)
    after = before + page - len(placed)
    followed = int(after * share + 0.5) - int(before * share + 0.5)
    return Quota(followed=followed, recommended=after - before - followed, ads=placed)


def stitch(*, followed: Sequence[Candidate], recommended: Sequence[Candidate], slots: Quota) -> list[Candidate]:
    """Choose and order the posts of one page; each input is sorted by rank, best first.

    Posts are merged by weighted round robin, so a reader sees the mix at every depth of the page.
    """
    wanted = slots.posts
    own = _unique(followed, set())
    taken = {candidate.item_id for candidate in own}
    other = _unique(recommended, taken)
    own_count = min(len(own), slots.followed + max(0, slots.recommended - len(other)))
    other_count = min(len(other), wanted - own_count)
    own_count = min(len(own), wanted - other_count)
    spare = (*own[own_count : own_count + LOOKAHEAD], *other[other_count : other_count + LOOKAHEAD])
    return _diverse(_interleave(own[:own_count], other[:other_count]), spare=spare)


def with_ads(posts: Sequence[Candidate], *, slots: Quota) -> list[Candidate]:
    """Insert the ads at their positions. The page ends where the posts run out, so every ad follows a post. An ad's
    ``item_id`` is its index.

    A page begins with an ad, or has nothing else, only if the previous page ended with posts.
    """
    if slots.posts and not posts:
        return []
    page: list[Candidate] = []
    ads = {each.place: each.ad for each in slots.ads}
    left = iter(posts)
    while True:
        ad = ads.get(len(page) + 1)
        if ad is not None:
            page.append(Candidate(item_id=ad, author_id=0, source=Source.AD, rank_key=0.0))
        elif (post := next(left, None)) is not None:
            page.append(post)
        else:
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
    """Defer a post that would be the third in a row by one author until another author's post has come.

    If posts would be left over because no other author is available, ``spare`` ones separate them, best first.
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
    return page  # the deferred posts come on the next page


def _third_in_a_row(page: Sequence[Candidate], post: Candidate) -> bool:
    if len(page) < RUN_OF_ONE_AUTHOR_MAX:
        return False
    author_id = post.author_id
    for place in range(-RUN_OF_ONE_AUTHOR_MAX, 0):  # noqa: SIM110 - on the hot path, three times as fast as all()
        if page[place].author_id != author_id:
            return False
    return True
