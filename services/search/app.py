"""Search as an application."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

from core.settings import Member, ProcessSettings
from services.kit.app import application, register
from services.kit.stores import postgres
from services.search import events, routes
from services.search.store.index import Index
from services.search.store.rows import Rows

_FOLDER: Final = "search"


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the application of search."""
    app = application(settings, member)
    index = Index(Path(settings.data_directory) / _FOLDER)
    app[routes.INDEX] = index
    events.use(app, index, Rows(postgres.use(app)))
    register(app, routes.ROUTES)
    return app
