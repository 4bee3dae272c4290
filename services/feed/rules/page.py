"""One page from what the sources offer: the shared stitching policy, and where the next page begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.names import Source
from core.policies.stitch import Candidate, Quota, stitch
from services.feed.rules.session import Mode, Position, room_for_recommendations, with_marks

#: Candidates beyond the page's need, for posts that turn out deleted or are put off for diversity.
SPARE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What there is to choose from; posts that are gone have been left out of all but ``followed_ids``."""

    followed: Sequence[Candidate]  # newest first
    followed_ids: Sequence[int]  # all that were read, gone ones too, newest first
    followed_ended: bool  # nothing older exists
    recommended: Sequence[Candidate]  # best first
    recommended_ended: bool
    ads: Sequence[Candidate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page, whether it should be tried again with more candidates, and the next position (None at the end)."""

    items: Sequence[Candidate]
    wants_more: bool
    following: Position | None


def followed_needed(slots: Quota, *, recommended_available: int, mode: Mode) -> int:
    """How many followed posts to read for one page."""
    if mode == "chronological":
        return slots.followed + slots.recommended + SPARE
    return slots.followed + max(0, slots.recommended - recommended_available) + SPARE


def recommended_needed(slots: Quota, *, followed_available: int, position: Position) -> int:
    """How many recommendations to read for one page."""
    if position.mode == "chronological":
        return 0
    wanted = slots.recommended + max(0, slots.followed - followed_available) + SPARE
    return min(wanted, room_for_recommendations(position))


def compose(offer: Offer, *, slots: Quota, position: Position, last_try: bool) -> Page:
    """Build the page.

    A page that is short though a source has more is tried again with more candidates, unless this was the
    ``last_try``; then posts that were put off for diversity fill it, since one author is all there is.
    """
    if position.mode == "chronological":
        items = _chronological(offer, slots)
    else:
        items = stitch(followed=offer.followed, recommended=offer.recommended, ads=offer.ads, slots=slots)
    wanted = slots.followed + slots.recommended + slots.ads - min(len(offer.ads), slots.ads)
    used = {item.item_id for item in items if item.source is not Source.AD}
    if len(used) < wanted:
        ended = offer.followed_ended and (offer.recommended_ended or position.mode == "chronological")
        if not ended and not last_try:
            return Page(items=items, wants_more=True, following=position)
        put_off = [post for post in (*offer.followed, *offer.recommended) if post.item_id not in used]
        late = _unique(put_off)[: wanted - len(used)]
        items = [*items, *late]
        used.update(post.item_id for post in late)
    return Page(items=items, wants_more=False, following=_following(offer, items, used, position))


def _chronological(offer: Offer, slots: Quota) -> list[Candidate]:
    whole = Quota(followed=slots.followed + slots.recommended, recommended=0, ads=slots.ads)
    posts = list(offer.followed[: whole.followed])
    if not posts or not offer.ads:
        return posts
    items: list[Candidate] = []
    ads = list(offer.ads[: whole.ads])
    distance = max(1, len(posts) // max(1, len(ads)))
    for number, post in enumerate(posts, start=1):
        items.append(post)
        if ads and number % distance == 0:
            items.append(ads.pop(0))
    return items


def _following(offer: Offer, items: Sequence[Candidate], used: set[int], position: Position) -> Position | None:
    alive = {post.item_id for post in offer.followed}
    before = position.before
    for post_id in offer.followed_ids:
        if post_id in alive and post_id not in used:
            before = post_id + 1  # this one was put off: the next page begins with it
            break
        before = post_id
    waits = any(post_id not in used for post_id in alive)
    given = [item.item_id for item in items if item.source is Source.RECOMMENDED]
    more_recommended = not offer.recommended_ended or any(post.item_id not in used for post in offer.recommended)
    if position.mode == "chronological" or len(given) >= room_for_recommendations(position):
        more_recommended = False
    if offer.followed_ended and not waits and not more_recommended:
        return None
    return Position(
        mode=position.mode,
        before=before,
        ahead=tuple(sorted({*(p for p in position.ahead if p < before), *(p for p in used & alive if p < before)})),
        given=with_marks(position.given, given),
        page=position.page + 1,
    )


def _unique(posts: Sequence[Candidate]) -> list[Candidate]:
    return list({post.item_id: post for post in posts}.values())
