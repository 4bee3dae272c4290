"""The application of discovery: it serves no operation, it consumes events and publishes scores."""

from __future__ import annotations

from aiohttp import web

from core.settings import Member, ProcessSettings
from services.discovery import events
from services.discovery.store import PopularScores
from services.kit.app import application
from services.kit.stores import redis


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the application of discovery."""
    app = application(settings, member)
    events.use(app, PopularScores(redis.use(app)))
    return app
