"""Auth as an application."""

from __future__ import annotations

from aiohttp import web

from core.settings import Member, ProcessSettings
from services.auth import routes, store
from services.kit import outbox
from services.kit.app import application, register
from services.kit.stores import postgres


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """The application of auth."""
    app = application(settings, member)
    shards = postgres.use(app, tables=store.TABLES)
    app[routes.USERS] = store.Users(shards, outbox.use(app))
    routes.use_passwords(app)
    routes.use_tokens(app)
    register(app, routes.ROUTES)
    return app
