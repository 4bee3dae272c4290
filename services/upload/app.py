"""Upload as an application."""

from __future__ import annotations

import asyncio

from aiohttp import web

from core.settings import Member, ProcessSettings
from services.kit import backlog, bus, idempotency, outbox
from services.kit.app import application, register
from services.kit.stores import objects, postgres, removals
from services.upload import events, routes, store


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the application of upload."""
    app = application(settings, member)
    shards = postgres.use(app, tables=store.TABLES + idempotency.TABLES + removals.TABLES)
    photos = app[routes.PHOTOS] = store.Photos(shards, outbox.use(app))
    app[routes.VERIFYING] = asyncio.Semaphore(routes.VERIFYING_MAX)
    sweeper = app[events.SWEEPER] = events.Sweeper(photos, objects.use(app))
    bus.run_beside(app, sweeper.run)
    app[backlog.BACKLOG] = backlog.use(app, store.waiting)
    register(app, routes.ROUTES)
    return app
