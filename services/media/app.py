"""The media worker as an application: it answers health and measures, its work comes from the log."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from core.messages import MediaUploaded
from core.settings import Member, ProcessSettings
from services.kit import bus, outbox
from services.kit.app import application
from services.kit.config import SCENARIO, required
from services.kit.stores import objects, postgres
from services.media.events.uploaded import DARKROOM, Darkroom
from services.media.events.workshop import Workshop
from services.media.store import photos
from services.media.store.scanner import Scanner


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """The application of the media worker."""
    app = application(settings, member)
    workers = app[SCENARIO].system.media.workers
    rows = photos.Photos(postgres.use(app, tables=photos.TABLES), outbox.use(app))
    objects.use(app)
    workshop = Workshop(benches=workers)
    darkroom = app[DARKROOM] = Darkroom(
        app,
        rows,
        scanner=Scanner(required(member.stores.clamd, "clamd", member.component)),
        workshop=workshop,
        photos_max=workers,
    )

    async def opened(_app: web.Application) -> AsyncIterator[None]:
        yield
        await workshop.close()

    app.cleanup_ctx.append(opened)
    bus.consume(app, "media", {MediaUploaded: darkroom.on_uploaded})
    return app
