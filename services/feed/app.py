"""The feed as an application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from core.policies.breaker import BreakerPolicy
from core.settings import Member, ProcessSettings
from services.feed import events, routes
from services.feed.routes.hydrate import Hydration
from services.feed.routes.skeleton import Skeletons
from services.feed.store.authors import Authors
from services.feed.store.background import Background
from services.feed.store.cards import Cards
from services.feed.store.followed import Followed
from services.feed.store.liked import Liked
from services.feed.store.sessions import Sessions
from services.feed.store.snapshots import Snapshots
from services.kit.app import application, register
from services.kit.bulkhead import Bulkhead
from services.kit.config import SCENARIO
from services.kit.guard import Guard
from services.kit.metrics import METRICS
from services.kit.stores import postgres, redis

#: Deadline for the recommendations that a long session has already shown: only Redis has them.
_SESSION_SECONDS: Final = 1.0
#: Concurrent reads from PostgreSQL in place of Redis: the last one in the queue for a connection still gets it in time.
_READS_WITHOUT_REDIS_MAX: Final = 48


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the feed's application."""
    app = application(settings, member)
    system, metrics = app[SCENARIO].system, app[METRICS]
    shards, cache = postgres.use(app), redis.use(app)
    background = Background()

    async def opened(_app: web.Application) -> AsyncIterator[None]:
        yield
        await background.close()

    app.cleanup_ctx.append(opened)
    policy = BreakerPolicy(failures=system.breaker.failures, open_seconds=system.breaker.open_seconds)
    deadlines = system.feed.deadlines
    timeline = Guard("timeline", policy=policy, deadline_seconds=deadlines.timeline_seconds, metrics=metrics)
    pulling = Guard("celebrities", policy=policy, deadline_seconds=deadlines.celebrities_seconds, metrics=metrics)
    session = Guard("session", policy=policy, deadline_seconds=_SESSION_SECONDS, metrics=metrics)
    hydrating = Guard("hydrate", policy=policy, deadline_seconds=deadlines.hydrate_seconds, metrics=metrics)
    card_ttl_seconds = system.feed.card_ttl_seconds
    bulkhead = Bulkhead("PostgreSQL", _READS_WITHOUT_REDIS_MAX)
    cards = Cards(cache, shards, media_url=settings.media_url, ttl_seconds=card_ttl_seconds)
    authors = Authors(cache, shards, ttl_seconds=card_ttl_seconds)
    snapshots = Snapshots(cache, cards)
    app[routes.SKELETONS] = Skeletons(
        Followed(cache, shards, depth=system.fanout.depth, ttl_seconds=system.fanout.ttl_seconds),
        snapshots,
        Sessions(cache),
        timeline=timeline,
        celebrities=pulling,
        session=session,
        bulkhead=bulkhead,
        depth=system.fanout.depth,
        metrics=metrics,
        background=background,
    )
    app[routes.HYDRATION] = Hydration(
        cache,
        cards,
        authors,
        Liked(cache, shards),
        guard=hydrating,
        bulkhead=bulkhead,
        metrics=metrics,
        background=background,
    )
    events.use(app, cards, authors, snapshots)
    register(app, routes.ROUTES)
    return app
