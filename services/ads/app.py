"""The application of ads: it serves no operation, it only publishes."""

from __future__ import annotations

from aiohttp import web

from core.settings import Member, ProcessSettings
from services.ads import events, store
from services.kit.app import application
from services.kit.stores import postgres, redis


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the application of ads."""
    app = application(settings, member)
    shards = postgres.use(app, tables=store.TABLES)
    events.use(app, store.HouseAds(shards, redis.use(app), public_url=settings.public_url))
    return app
