"""The feed over HTTP: skeleton, hydrate, rules, present."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from aiohttp import web

from core import operations
from core.failures import Invalid
from core.names import DEGRADED_HEADER, Source
from core.policies.stitch import Candidate, quota
from services.feed.routes.hydrate import Hydrated, Hydration
from services.feed.routes.present import FeedItem, page
from services.feed.routes.skeleton import TRIES, Skeleton, Skeletons
from services.feed.rules.page import Offer, compose, recommended_needed
from services.feed.rules.session import Mode, Position, decoded, mark, room_for_recommendations
from services.kit import pages
from services.kit.answers import JSON
from services.kit.clock import now_ms
from services.kit.config import SCENARIO
from services.kit.metrics import METRICS
from services.kit.pages import LIMIT_MAX, Page
from services.kit.routing import CALL, route, stage, viewer

SKELETONS: Final = web.AppKey("SKELETONS", Skeletons)
HYDRATION: Final = web.AppKey("HYDRATION", Hydration)


class FeedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page to return; ``limit`` defaults to the scenario's page size (50)."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] | None = None
    cursor: str | None = None
    mode: Mode | None = None


async def read(request: web.Request) -> web.Response:
    """The viewer's home feed, in pages that never repeat or skip a post."""
    viewer_id = viewer(request)
    asked = pages.query(request, FeedQuery)
    position = _position(request, asked)
    feed_settings = request.app[SCENARIO].system.feed
    ads = request.app[SKELETONS].ads()
    slots = quota(
        feed_settings.page if asked.limit is None else asked.limit,
        followed_ratio=feed_settings.mix.followed_ratio,
        recommended_ratio=feed_settings.mix.recommended_ratio,
        ads_ratio=feed_settings.mix.ads_ratio,
        ads=len(ads),
        shown=position.items,
    )
    hydrated = Hydrated()
    for reach in TRIES:
        with stage(request, "skeleton"):
            skeleton = await request.app[SKELETONS].read(viewer_id, position, slots=slots, reach=reach)
            followed = [*skeleton.late, *position.waiting, *skeleton.followed]
            recommended_max = room_for_recommendations(position)
            if not reach.all:
                needed = recommended_needed(slots, followed_available=len(followed), position=position)
                recommended_max = reach.scale * needed
            post_ids = followed + [each.post_id for each in skeleton.recommended[:recommended_max]]
        with stage(request, "hydrate"):
            missing = [post_id for post_id in dict.fromkeys(post_ids) if post_id not in hydrated.cards]
            hydrated.add(await request.app[HYDRATION].read(viewer_id, missing))
        with stage(request, "rules"):
            offer = _offer(skeleton, hydrated, position, recommended_max=recommended_max)
            composed = compose(
                offer,
                slots=slots,
                position=position,
                last_try=reach is TRIES[-1],
                kept=skeleton.kept,
                now_ms=now_ms(),
            )
        if not composed.wants_more:
            break
    with stage(request, "present"):
        cursor = None if composed.following is None else pages.next_cursor(request, composed.following.encoded())
        headers = pages.link(request, cursor)
        reasons = dict.fromkeys((*skeleton.reasons, *hydrated.reasons))
        if reasons:
            headers[DEGRADED_HEADER] = ",".join(reasons)
            for reason in reasons:
                request.app[METRICS].degraded(request[CALL].operation.name, reason)
        body = page(composed.items, hydrated, ads, cursor)
        return web.Response(body=body, headers=headers, content_type=JSON)


def _position(request: web.Request, asked: FeedQuery) -> Position:
    data = pages.cursor_of(request, asked.cursor, bytes)
    if data is None:
        return Position(mode=asked.mode or "ranked")
    try:
        position = decoded(data)
    except ValueError as error:
        raise Invalid.field("cursor", "expected a next_cursor of this release: start again without a cursor") from error
    if asked.mode not in (None, position.mode):
        raise Invalid.field("mode", f"expected {position.mode}, the mode of the session that the cursor continues")
    return position


def _offer(skeleton: Skeleton, hydrated: Hydrated, position: Position, *, recommended_max: int) -> Offer:
    cards = hydrated.cards

    def followed(post_ids: Iterable[int]) -> list[Candidate]:
        return [
            Candidate(
                item_id=post_id,
                author_id=cards[post_id].author_id,
                source=Source.CELEBRITY if post_id in skeleton.pulled else Source.TIMELINE,
                rank_key=float(post_id),
            )
            for post_id in post_ids
            if post_id in cards and not (skeleton.given and mark(post_id) in skeleton.given)
        ]

    recommended = [
        Candidate(item_id=each.post_id, author_id=each.author_id, source=Source.RECOMMENDED, rank_key=-float(rank))
        for rank, each in enumerate(skeleton.recommended[:recommended_max])
        if each.post_id in cards
    ]
    return Offer(
        late=followed(skeleton.late),
        waiting=followed(position.waiting),
        stream=followed(skeleton.followed),
        stream_ids=skeleton.followed,
        followed_ended=skeleton.followed_ended,
        recommended=recommended,
        recommended_ended=room_for_recommendations(position) == 0
        or (skeleton.recommended_ended and len(skeleton.recommended) <= recommended_max),
    )


ROUTES: Final = (route(operations.FEED_READ, read, query=FeedQuery, answer=Page[FeedItem]),)
