"""What happens to an uploaded photo: fetched, scanned, rendered, stored, told.

A refusal is a decision about the photo and is final. A process that dies or takes too long over it is tried
`TRIES_MAX` times, and then the photo has failed. A store or scanner that is down is neither: the event waits on the log
until it is back. Everything may be done twice: the state moves only from ``processing``, the variants' addresses are a
function of the photo.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

import structlog
from aiohttp import web

from core import ids
from core.failures import NotFound
from core.messages import MediaFailed, MediaProcessed, MediaUploaded, Variant
from core.names import Outcome as Ending
from services.kit import outbox
from services.kit.config import SETTINGS
from services.kit.metrics import METRICS
from services.kit.stores.objects import OBJECTS, Objects
from services.media.events.workshop import BenchLost, Workshop
from services.media.rules import work
from services.media.rules.gate import SIZE_BYTES_MAX, Refusal, Refused
from services.media.rules.render import Rendering
from services.media.store.photos import Job, Photos
from services.media.store.scanner import Scanner

OPERATION: Final = "media.process"
_log = structlog.get_logger("media")


class Darkroom:
    """Works on photos, at most ``photos_max`` at once."""

    def __init__(self, app: web.Application, photos: Photos, *, scanner: Scanner, workshop: Workshop, photos_max: int):
        self._app, self._photos, self._scanner, self._workshop = app, photos, scanner, workshop
        self._objects: Objects = app[OBJECTS]
        self._secret = app[SETTINGS].keys.media_secret
        # taken before a photo is fetched, so that those who wait hold no photo in memory
        self._places = asyncio.Semaphore(photos_max)

    async def on_uploaded(self, event: MediaUploaded) -> None:
        """Process the photo and then take the upload away, which may hold what its owner did not mean to tell."""
        job = await self._photos.job(event.media_id)
        if job is not None:
            async with self._places:
                began = perf_counter()
                ending = await self._process(job)
                metrics = self._app[METRICS]
                metrics.requests.series(metrics.component, OPERATION, ending).observe(perf_counter() - began)
        # an empty object stands in its place: while it does, the store refuses another PUT to the same address
        await self._objects.put(
            bucket=self._objects.told.uploads_bucket,
            key=event.object_key,
            body=b"",
            content_type="application/octet-stream",
        )

    async def _process(self, job: Job) -> Ending:
        stamp = outbox.stamp(self._app, ids.shard_of(job.media_id))
        try:
            variants = await self._variants(job)
        except Refused as refused:
            _log.warning("photo_refused", media=job.media_id, reason=refused.refusal, detail=refused.detail)
            await self._photos.fail(
                MediaFailed(**stamp, media_id=job.media_id, owner_id=job.owner_id, reason=refused.refusal)
            )
            return Ending.FAILED
        with self._stage("write"):
            await self._photos.succeed(
                MediaProcessed(**stamp, media_id=job.media_id, owner_id=job.owner_id, variants=tuple(variants))
            )
        return Ending.OK

    async def _variants(self, job: Job) -> list[Variant]:
        with self._stage("fetch"):
            data = await self._fetched(job)
        with self._stage("scan"):
            signature = await self._scanner.signature_in(data)
        if signature is not None:
            raise Refused(Refusal.MALWARE, signature)
        with self._stage("render"):
            renderings = await self._rendered(job, data)
        with self._stage("store"):
            at = await asyncio.to_thread(work.address, job.media_id, data, secret=self._secret)
            return await asyncio.gather(*(self._stored(at, each) for each in renderings))

    async def _fetched(self, job: Job) -> bytes:
        try:
            data = await self._objects.get(
                bucket=self._objects.told.uploads_bucket, key=job.object_key, bytes_max=SIZE_BYTES_MAX
            )
        except NotFound as missing:
            raise Refused(Refusal.MISSING) from missing
        except ValueError as too_large:
            raise Refused(Refusal.TOO_LARGE) from too_large
        # its address is good for some minutes after `complete`: what is there now may be something else
        if job.checksum_sha256 is not None:
            digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
            if digest != job.checksum_sha256:
                raise Refused(Refusal.CHANGED)
        return data

    async def _rendered(self, job: Job, data: bytes) -> list[Rendering]:
        for attempt in range(1, work.TRIES_MAX + 1):
            try:
                outcome = await self._workshop.render(data)
            except BenchLost as lost:
                _log.warning("bench_lost", media=job.media_id, attempt=attempt, error=str(lost))
                if attempt < work.TRIES_MAX:
                    await asyncio.sleep(work.backoff_seconds(attempt))
                continue
            if outcome.refusal is not None:
                raise Refused(outcome.refusal, outcome.detail)
            return outcome.renderings
        raise Refused(Refusal.NOT_PROCESSED, f"{work.TRIES_MAX} tries")

    async def _stored(self, at: str, rendering: Rendering) -> Variant:
        key = work.object_key(at, rendering)
        await self._objects.put(
            bucket=self._objects.told.media_bucket,
            key=key,
            body=rendering.body,
            content_type=rendering.content_type,
            cache_control=work.CACHE_CONTROL,
        )
        return work.variant(rendering, key)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        metrics = self._app[METRICS]
        began = perf_counter()
        try:
            yield
        finally:
            metrics.stages.series(metrics.component, OPERATION, name).observe(perf_counter() - began)


DARKROOM: Final = web.AppKey("DARKROOM", Darkroom)
