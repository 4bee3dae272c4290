"""Stories as an application."""

from __future__ import annotations

from aiohttp import web

from core.bounds import TRAY_CACHE_SECONDS
from core.policies.breaker import BreakerPolicy
from core.settings import Member, ProcessSettings
from services.kit import idempotency, outbox
from services.kit.app import application, register
from services.kit.config import SCENARIO
from services.kit.guard import Guard
from services.kit.metrics import METRICS
from services.kit.stores import postgres, redis, removals
from services.stories import events, routes, store
from services.stories.store.cache import TrayCache
from services.stories.store.rows import Stories
from services.stories.store.stale import StaleViewers
from services.stories.store.trays import Trays


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the application of stories."""
    app = application(settings, member)
    shards = postgres.use(app, tables=store.TABLES + idempotency.TABLES + removals.TABLES)
    breaker = app[SCENARIO].system.breaker
    policy = BreakerPolicy(failures=breaker.failures, open_seconds=breaker.open_seconds)
    guard = Guard("tray", policy=policy, deadline_seconds=TRAY_CACHE_SECONDS, metrics=app[METRICS])
    cache = TrayCache(redis.use(app))
    rows = Stories(shards, outbox.use(app))
    stale = StaleViewers(cache, guard)
    app[routes.STORIES], app[routes.CACHE], app[routes.GUARD], app[routes.STALE] = rows, cache, guard, stale
    app[routes.TRAYS] = Trays(rows, cache, guard)
    events.use(app, rows, cache, stale)
    register(app, routes.ROUTES)
    return app
