"""The media worker as an application: it serves health and metrics, and processes the photos that PostgreSQL lists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from core import niceness
from core.messages import MediaUploaded
from core.names import Component
from core.policies import photo
from core.policies.photo import Lane
from core.settings import Member, ProcessSettings
from services.kit import bus, outbox
from services.kit.app import application
from services.kit.config import SCENARIO, required
from services.kit.metrics import METRICS
from services.kit.stores import objects, postgres, removals
from services.media.events.measures import Measures
from services.media.events.pool import WorkerPool
from services.media.events.processor import GROUP, PhotoProcessor
from services.media.events.remover import REMOVER, Remover
from services.media.events.scheduler import SCHEDULER, Scheduler
from services.media.rules import work
from services.media.store import photos
from services.media.store.cdn import CdnClient
from services.media.store.scanner import Scanner


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """Build the application of the media worker."""
    app = application(settings, member)
    light = app[SCENARIO].system.media.workers
    shards = postgres.use(app, tables=photos.TABLES + removals.TABLES)
    rows = photos.PhotoJobs(
        shards,
        outbox.use(app),
        holder=f"{settings.process}/{settings.worker}",
        lease_seconds=work.LEASE_SECONDS,
    )
    objects.use(app)
    mine = niceness.of_components(Component(each.component) for each in settings.members)
    measures = Measures(app[METRICS])
    pools = {
        lane: WorkerPool(lane=lane, workers=count, nicer=niceness.DECODERS[lane] - mine)
        for lane, count in ((Lane.LIGHT, light), (Lane.HEAVY, photo.HEAVY_WORKERS))
    }
    processor = PhotoProcessor(
        app,
        rows,
        scanner=Scanner(required(member.stores.clamd, "clamd", member.component)),
        pools=pools,
        measures=measures,
    )
    scheduler = app[SCHEDULER] = Scheduler(rows, processor, measures, light=light)

    async def opened(_app: web.Application) -> AsyncIterator[None]:
        yield
        await asyncio.gather(*(pool.close() for pool in pools.values()))

    app.cleanup_ctx.append(opened)
    scheduler.run_beside(app)
    bus.consume(app, GROUP, {MediaUploaded: scheduler.on_uploaded})
    cdn = CdnClient(required(member.stores.cdn, "the CDN", member.component))
    app.cleanup_ctx.append(cdn.opened)
    remover = app[REMOVER] = Remover(app, removals.Removals(shards), cdn)
    bus.run_beside(app, remover.run)
    return app
