"""Posts as an application."""

from __future__ import annotations

from aiohttp import web

from core.bounds import OUTBOX_HANDLED_SECONDS
from core.settings import Member, ProcessSettings
from services.kit import backlog, idempotency, outbox
from services.kit.app import application, register
from services.kit.stores import postgres, removals
from services.posts import events, routes, store


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the application of posts."""
    app = application(settings, member)
    shards = postgres.use(app, tables=store.TABLES + idempotency.TABLES + removals.TABLES)
    posts = app[routes.POSTS] = store.Posts(shards, outbox.use(app))
    app[backlog.BACKLOG] = backlog.use(app, outbox.unhandled(member.component), standing_seconds=OUTBOX_HANDLED_SECONDS)
    events.use(app, posts)
    register(app, routes.ROUTES)
    return app
