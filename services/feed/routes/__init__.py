"""The feed over HTTP: skeleton, hydrate, rules, present."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from aiohttp import web

from core.failures import Invalid
from core.names import DEGRADED_HEADER, Source
from core.policies.stitch import Candidate, Quota, quota
from services.feed.routes.hydrate import Hydrated, Hydration
from services.feed.routes.present import FeedItem, page
from services.feed.routes.skeleton import Skeleton, Skeletons
from services.feed.rules.page import Offer, compose, recommended_needed
from services.feed.rules.session import Mode, Position, mark, marks_of
from services.kit import pages
from services.kit.answers import JSON
from services.kit.config import SCENARIO
from services.kit.metrics import METRICS
from services.kit.pages import LIMIT_MAX, Page
from services.kit.routing import CALL, route, stage, viewer

SKELETONS: Final = web.AppKey("SKELETONS", Skeletons)
HYDRATION: Final = web.AppKey("HYDRATION", Hydration)
_TRIES: Final = 6  # each reads twice as many candidates as the one before


class FeedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page; ``limit`` is the scenario's page size (50) where it is not given."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] | None = None
    cursor: str | None = None
    mode: Mode | None = None


async def read(request: web.Request) -> web.Response:
    """The viewer's home feed, in pages that never repeat or skip a post."""
    viewer_id = viewer(request)
    asked = pages.query(request, FeedQuery)
    position = _position(request, asked)
    told = request.app[SCENARIO].system.feed
    slots = quota(
        told.page if asked.limit is None else asked.limit,
        followed_ratio=told.mix.followed_ratio,
        recommended_ratio=told.mix.recommended_ratio,
        ads_ratio=told.mix.ads_ratio,
    )
    hydrated = Hydrated()
    for attempt in range(_TRIES):
        with stage(request, "skeleton"):
            skeleton = await request.app[SKELETONS].read(viewer_id, position, slots=slots, scale=1 << attempt)
            recommended_max = (1 << attempt) * recommended_needed(
                slots, followed_available=len(skeleton.followed), position=position
            )
            post_ids = skeleton.followed + [each.post_id for each in skeleton.recommended[:recommended_max]]
        with stage(request, "hydrate"):
            missing = [post_id for post_id in post_ids if post_id not in hydrated.cards]
            hydrated.add(await request.app[HYDRATION].read(viewer_id, missing))
        with stage(request, "rules"):
            offer = _offer(skeleton, hydrated, position, recommended_max=recommended_max, slots=slots)
            composed = compose(offer, slots=slots, position=position, last_try=attempt == _TRIES - 1)
        if not composed.wants_more:
            break
    with stage(request, "present"):
        cursor = None if composed.following is None else pages.next_cursor(request, composed.following)
        headers = pages.link(request, cursor)
        reasons = dict.fromkeys((*skeleton.reasons, *hydrated.reasons))
        if reasons:
            headers[DEGRADED_HEADER] = ",".join(reasons)
            for reason in reasons:
                request.app[METRICS].degraded(request[CALL].operation.name, reason)
        body = page(composed.items, hydrated, skeleton.ads, cursor)
        return web.Response(body=body, headers=headers, content_type=JSON)


def _position(request: web.Request, asked: FeedQuery) -> Position:
    position = pages.cursor_of(request, asked.cursor, Position)
    if position is None:
        return Position(mode=asked.mode or "ranked")
    if asked.mode not in (None, position.mode):
        raise Invalid.field("mode", f"expected {position.mode}, the mode of the session that the cursor goes on with")
    return position


def _offer(skeleton: Skeleton, hydrated: Hydrated, position: Position, *, recommended_max: int, slots: Quota) -> Offer:
    cards = hydrated.cards
    ahead, given = set(position.ahead), marks_of(position.given)
    followed = [
        Candidate(
            item_id=post_id,
            author_id=cards[post_id].author_id,
            source=Source.CELEBRITY if post_id in skeleton.pulled else Source.TIMELINE,
            rank_key=float(post_id),
        )
        for post_id in skeleton.followed
        if post_id in cards and post_id not in ahead and not (given and mark(post_id) in given)
    ]
    recommended = [
        Candidate(item_id=each.post_id, author_id=each.author_id, source=Source.RECOMMENDED, rank_key=-float(rank))
        for rank, each in enumerate(skeleton.recommended[:recommended_max])
        if each.post_id in cards
    ]
    ads = [
        Candidate(item_id=index, author_id=0, source=Source.AD, rank_key=0.0)
        for index in _turn(len(skeleton.ads), count=slots.ads, page=position.page)
    ]
    return Offer(
        followed=followed,
        followed_ids=skeleton.followed,
        followed_ended=skeleton.followed_ended,
        recommended=recommended,
        recommended_ended=skeleton.recommended_ended and len(skeleton.recommended) <= recommended_max,
        ads=ads,
    )


def _turn(length: int, *, count: int, page: int) -> list[int]:
    """Places of the ads of this page: each page goes on where the one before ended, and begins again at the end."""
    shown = min(count, length)
    return [(page * shown + index) % length for index in range(shown)]


ROUTES: Final = (route("feed.read", read, query=FeedQuery, answer=Page[FeedItem]),)
