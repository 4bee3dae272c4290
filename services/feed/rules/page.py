"""Composes one page from its sources by the shared stitching policy, and computes the start of the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.names import Source
from core.policies.stitch import LOOKAHEAD, Candidate, Quota, stitch, with_ads
from services.feed.rules.session import (
    WAITING_MAX,
    Mode,
    Position,
    room_for_recommendations,
    start_of,
    with_given,
    with_watched,
)

#: Extra candidates, in case posts turn out to be deleted or are deferred for diversity.
SPARE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The candidates of a page; posts that are deleted or were shown before are in ``stream_ids`` only."""

    late: Sequence[Candidate]  # delivered too late for the page they belonged on
    waiting: Sequence[Candidate]  # deferred by earlier pages
    stream: Sequence[Candidate]  # newest first, older than the position
    stream_ids: Sequence[int]  # of all posts read, newest first
    followed_ended: bool  # nothing older exists
    recommended: Sequence[Candidate]  # best first
    recommended_ended: bool

    @property
    def followed(self) -> list[Candidate]:
        """Followed posts, in the order of the stream."""
        return [*self.late, *self.waiting, *self.stream]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """The page, whether to try again with more candidates, and the next position (None at the end)."""

    items: Sequence[Candidate]
    wants_more: bool
    following: Position | None


def followed_needed(slots: Quota, *, recommended_available: int, mode: Mode) -> int:
    """How many followed posts to read for one page."""
    if mode == "chronological":
        return slots.posts + SPARE
    return slots.followed + max(0, slots.recommended - recommended_available) + SPARE


def recommended_needed(slots: Quota, *, followed_available: int, position: Position) -> int:
    """How many recommendations to read for one page."""
    if position.mode == "chronological":
        return 0
    wanted = slots.recommended + max(0, slots.followed - followed_available) + SPARE
    return min(wanted, room_for_recommendations(position))


def compose(offer: Offer, *, slots: Quota, position: Position, last_try: bool, kept: bool, now_ms: int) -> FeedPage:
    """Build the page; ``kept``: Redis has stored the cursor's recommendations.

    A page that is short although a source has more is tried again with more candidates, unless this is the
    ``last_try``. If no other author's post within `LOOKAHEAD` can separate an author's posts, these fill the page.
    """
    wanted = slots.posts
    late_max = wanted if position.mode == "chronological" else max(1, slots.followed)
    late_rest = offer.late[late_max:]  # still late on the next page, unless this one is short without them
    offer = replace(offer, late=offer.late[:late_max])
    followed = offer.followed
    if position.mode == "chronological":
        posts = followed[:wanted]
        recommended: Sequence[Candidate] = ()
        others_ended = True
    else:
        recommended, others_ended = offer.recommended, offer.recommended_ended
        posts = stitch(followed=followed, recommended=recommended, slots=slots)
    if len(posts) < wanted:
        enough = len(followed) + len(recommended) >= wanted + LOOKAHEAD
        if not (enough or last_try or (offer.followed_ended and others_ended)):
            return FeedPage(items=posts, wants_more=True, following=position)
        used = {post.item_id for post in posts}
        left = {post.item_id: post for post in (*followed, *recommended, *late_rest) if post.item_id not in used}
        posts = [*posts, *list(left.values())[: wanted - len(posts)]]
    position = with_given(position, [each.item_id for each in posts if each.source is Source.RECOMMENDED], kept=kept)
    unused = {each.item_id for each in recommended}.difference(each.item_id for each in posts)
    more_recommended = room_for_recommendations(position) > 0 and (bool(unused) or not others_ended)
    items = with_ads(posts, slots=slots)
    position = replace(position, items=position.items + len(items))
    given = {each.item_id for each in posts}
    late_left = any(each.item_id not in given for each in late_rest)
    following = _following(offer, posts, position, more=late_left or more_recommended, now_ms=now_ms)
    return FeedPage(items=items, wants_more=False, following=following)


def _following(
    offer: Offer, posts: Sequence[Candidate], position: Position, *, more: bool, now_ms: int
) -> Position | None:
    """The next position; ``more``: something is left besides the offer's followed posts."""
    shown = {post.item_id for post in posts if post.source is not Source.RECOMMENDED}
    passed = position.before
    before, put_off = _passed(offer, shown, passed)
    waiting = [post.item_id for post in offer.waiting if post.item_id not in shown] + put_off
    # late posts that do not fit into `waiting` are still late on the next page
    late = [post.item_id for post in offer.late if post.item_id not in shown]
    waiting += late[: WAITING_MAX - len(waiting)]
    unread = not offer.followed_ended or any(
        post.item_id < before and post.item_id not in shown for post in offer.stream
    )
    if not (unread or waiting or late or more):
        return None
    position = replace(
        position,
        start=position.start or start_of(now_ms=now_ms, post_ids=offer.stream_ids[:1]),
        before=before,
        waiting=tuple(sorted(waiting, reverse=True)),
    )
    return with_watched(position, shown, passed=passed)


def _passed(offer: Offer, shown: set[int], before: int) -> tuple[int, list[int]]:
    """The id from which on the stream has been shown, and the deferred posts, which are the exceptions."""
    alive = {post.item_id for post in offer.stream}
    lowest = min(shown & alive, default=before)
    put_off: list[int] = []
    for post_id in offer.stream_ids:
        if post_id in alive and post_id not in shown:
            if post_id < lowest:
                return post_id + 1, put_off  # the next page's stream begins here
            put_off.append(post_id)
        before = post_id
    return before, put_off
