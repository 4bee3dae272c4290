"""Engagement as an application."""

from __future__ import annotations

from aiohttp import web

from core.bounds import LIKE_COUNT_SECONDS
from core.policies.breaker import BreakerPolicy
from core.settings import Member, ProcessSettings
from services.engagement import events, routes, store
from services.engagement.store.comments import Comments
from services.engagement.store.counters import Counters
from services.engagement.store.likes import Likes
from services.kit import idempotency, outbox
from services.kit.app import application, register
from services.kit.config import SCENARIO
from services.kit.guard import Guard
from services.kit.metrics import METRICS
from services.kit.stores import postgres, redis
from services.kit.stores.reactions import Reactions


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the application of engagement."""
    app = application(settings, member)
    shards = postgres.use(app, tables=store.TABLES + idempotency.TABLES)
    breaker = app[SCENARIO].system.breaker
    policy = BreakerPolicy(failures=breaker.failures, open_seconds=breaker.open_seconds)
    guard = Guard("counts", policy=policy, deadline_seconds=LIKE_COUNT_SECONDS, metrics=app[METRICS])
    counters = Counters(shards, Reactions(redis.use(app)), guard)
    sent = outbox.use(app)
    app[routes.COUNTERS] = counters
    app[routes.LIKES] = Likes(app, shards, sent, counters)
    app[routes.COMMENTS] = Comments(shards, sent)
    events.use(app, counters)
    register(app, routes.ROUTES)
    return app
