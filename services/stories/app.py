"""Stories as an application."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from core.policies.breaker import BreakerPolicy
from core.settings import Member, ProcessSettings
from services.kit import idempotency, outbox
from services.kit.app import application, register
from services.kit.config import SCENARIO
from services.kit.guard import Guard
from services.kit.metrics import METRICS
from services.kit.stores import postgres, redis, removals
from services.stories import events, routes, store
from services.stories.store.owed import Owed
from services.stories.store.rows import Rows
from services.stories.store.shelf import Shelf
from services.stories.store.trays import Trays

_SHELF_SECONDS: Final = 0.1  # how long a request waits for Redis before it turns to PostgreSQL


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """The application of stories."""
    app = application(settings, member)
    shards = postgres.use(app, tables=store.TABLES + idempotency.TABLES + removals.TABLES)
    told = app[SCENARIO].system.breaker
    policy = BreakerPolicy(failures=told.failures, open_seconds=told.open_seconds)
    guard = Guard("shelf", policy=policy, deadline_seconds=_SHELF_SECONDS, metrics=app[METRICS])
    shelf = Shelf(redis.use(app))
    rows = Rows(shards, outbox.use(app))
    owed = Owed(shelf, guard)
    app[routes.ROWS], app[routes.SHELF], app[routes.GUARD], app[routes.OWED] = rows, shelf, guard, owed
    app[routes.TRAYS] = Trays(rows, shelf, guard)
    events.use(app, rows, shelf, owed)
    register(app, routes.ROUTES)
    return app
