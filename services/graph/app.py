"""Graph as an application."""

from __future__ import annotations

from aiohttp import web

from core.settings import Member, ProcessSettings
from services.graph import events, routes, store
from services.kit import outbox
from services.kit.app import application, register
from services.kit.stores import postgres, redis


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the application of graph."""
    app = application(settings, member)
    shards = postgres.use(app, tables=store.TABLES)
    graph = store.Graph(shards, redis.use(app), outbox.use(app))
    app[routes.GRAPH] = graph
    events.use(app, graph)
    register(app, routes.ROUTES)
    return app
