"""Auth as an application."""

from __future__ import annotations

from aiohttp import web

from core.policies.breaker import BreakerPolicy
from core.policies.logins import COUNT_SECONDS
from core.settings import Member, ProcessSettings
from services.auth import routes
from services.auth.store import users
from services.auth.store.attempts import Attempts
from services.kit import outbox
from services.kit.app import application, register
from services.kit.clock import now_ms
from services.kit.config import SCENARIO
from services.kit.guard import Guard
from services.kit.metrics import METRICS
from services.kit.stores import postgres, redis


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the application of auth."""
    app = application(settings, member)
    shards = postgres.use(app, tables=users.TABLES)
    app[routes.USERS] = users.Users(shards, outbox.use(app))
    breaker = app[SCENARIO].system.breaker
    policy = BreakerPolicy(failures=breaker.failures, open_seconds=breaker.open_seconds)
    guard = Guard("logins", policy=policy, deadline_seconds=COUNT_SECONDS, metrics=app[METRICS])
    app[routes.ATTEMPTS] = Attempts(redis.use(app), guard, now_ms)
    routes.use_passwords(app)
    routes.use_tokens(app)
    register(app, routes.ROUTES)
    return app
