"""Processes one uploaded photo: fetch, check, scan, render, store, publish.

A refusal is a decision about the photo and is final; so is a decoder or scanner that takes too long for it. A photo on
which one of them dies is tried `TRIES_MAX` times in all, counted across restarts, and then given up: it has failed,
with a dead letter. While a store or the scanner is down, the photo waits. Every step may run twice: the state changes
only from ``processing``, and the variants' addresses are a function of the photo.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Final

import structlog
from aiohttp import web

from core import ids, messages, operations
from core.failures import NotFound
from core.messages import DeadLetter, MediaFailed, MediaProcessed, MediaUploaded, MediaVariant
from core.names import Outcome
from core.policies import photo
from core.policies.photo import Lane, Refusal
from services.kit import outbox
from services.kit.config import SETTINGS
from services.kit.metrics import METRICS
from services.kit.stores.objects import OBJECTS, Objects
from services.media.events.measures import Measures
from services.media.events.pool import WorkerLost, WorkerPool, WorkerSlow
from services.media.rules import work
from services.media.rules.checks import Checked, checked
from services.media.rules.refusal import Refused
from services.media.rules.render import Rendering
from services.media.store.photos import PhotoJob, PhotoJobs
from services.media.store.scanner import Scanner, ScannerLost, ScannerSlow

GROUP: Final = "media"
OPERATION: Final = operations.MEDIA_PROCESS
_log = structlog.get_logger("media")


class TooHeavy(Exception):  # noqa: N818 - a decision, not an error
    """The photo belongs on the heavy lane."""


class GivenUp(Exception):  # noqa: N818 - a decision, not an error
    """A decoder, the scanner or this worker died on the photo in every try."""


class PhotoProcessor:
    """Processes photos that are leased."""

    def __init__(
        self,
        app: web.Application,
        photos: PhotoJobs,
        *,
        scanner: Scanner,
        pools: Mapping[Lane, WorkerPool],
        measures: Measures,
    ):
        self._app, self._photos, self._scanner, self._pools = app, photos, scanner, pools
        self._measures = measures
        self._objects: Objects = app[OBJECTS]
        self._secret = app[SETTINGS].keys.media_secret

    async def process(self, job: PhotoJob, lane: Lane) -> None:
        """Process the photo, then delete the upload, which may hold metadata that its owner did not mean to publish.

        Raises TooHeavy, and the failures of stores and scanner while they are down.
        """
        began = perf_counter()
        outcome = await self._outcome(job, lane)
        # replaced by an empty object: while it is there, the store refuses another PUT to the same address
        await self._objects.spend(bucket=self._objects.settings.uploads_bucket, key=job.object_key)
        metrics = self._app[METRICS]
        metrics.requests.series(metrics.component, OPERATION, outcome).observe(perf_counter() - began)

    async def _outcome(self, job: PhotoJob, lane: Lane) -> Outcome:
        stamp = outbox.stamp(self._app, ids.shard_of(job.media_id))
        failed = MediaFailed(**stamp, media_id=job.media_id, owner_id=job.owner_id, reason=Refusal.NOT_PROCESSED)
        try:
            if job.tries > photo.TRIES_MAX:
                raise GivenUp("the worker ended before it was done")
            variants = await self._variants(job, lane)
        except Refused as refused:
            _log.warning("photo_refused", media=job.media_id, reason=refused.refusal, detail=refused.detail)
            self._measures.refused(refused.refusal)
            await self._photos.fail(
                MediaFailed(**stamp, media_id=job.media_id, owner_id=job.owner_id, reason=refused.refusal)
            )
            return Outcome.FAILED
        except GivenUp as given_up:
            _log.error("dead_letter", group=GROUP, media=job.media_id, error=str(given_up))
            self._measures.refused(Refusal.NOT_PROCESSED)
            self._app[METRICS].dead_letter(GROUP, MediaUploaded.topic)
            await self._photos.fail(failed, self._letter(job, str(given_up)))
            return Outcome.FAILED
        with self._stage("write"):
            written = await self._photos.succeed(
                MediaProcessed(**stamp, media_id=job.media_id, owner_id=job.owner_id, variants=tuple(variants))
            )
            if not written and not await self._photos.exists(job.media_id):  # deleted by its owner meanwhile
                bucket = self._objects.settings.media_bucket
                await self._objects.delete_all(bucket=bucket, keys=[each.object_key for each in variants])
        return Outcome.OK

    async def _variants(self, job: PhotoJob, lane: Lane) -> list[MediaVariant]:
        if lane is Lane.LIGHT and job.lane is Lane.HEAVY:
            raise TooHeavy
        with self._stage("fetch"):
            data = await self._fetched(job)
        with self._stage("check"):
            found = await asyncio.to_thread(checked, data)
        if lane is Lane.LIGHT and found.lane is Lane.HEAVY:
            raise TooHeavy
        with self._stage("scan"):
            await self._scan(job, data)
        with self._stage("render"):
            renderings = await self._rendered(job, found, lane)
        with self._stage("store"):
            at = await asyncio.to_thread(work.address, job.media_id, data, secret=self._secret)
            return await asyncio.gather(*(self._stored(at, each) for each in renderings))

    async def _fetched(self, job: PhotoJob) -> bytes:
        try:
            data = await self._objects.get(
                bucket=self._objects.settings.uploads_bucket, key=job.object_key, bytes_max=photo.BYTES_MAX
            )
        except NotFound as missing:
            raise Refused(Refusal.MISSING) from missing
        except ValueError as too_large:
            raise Refused(Refusal.TOO_LARGE) from too_large
        # the upload address stays valid for some minutes after `complete`: the object may have been replaced
        if job.checksum_sha256 is not None:
            digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
            if digest != job.checksum_sha256:
                raise Refused(Refusal.CHANGED)
        return data

    async def _scan(self, job: PhotoJob, data: bytes) -> None:
        # a scanner that dies fails all its scans: a photo that was being scanned then is scanned alone from now on
        alone = job.tries > 1
        while True:
            try:
                signature = await self._scanner.signature_in(data, alone=alone)
                break
            except ScannerSlow as slow:
                raise Refused(Refusal.TOO_SLOW, str(slow)) from slow
            except ScannerLost as lost:
                alone = True
                await self._try_again(job, str(lost))
        if signature is not None:
            raise Refused(Refusal.MALWARE, signature)

    async def _rendered(self, job: PhotoJob, found: Checked, lane: Lane) -> list[Rendering]:
        while True:
            try:
                result = await self._pools[lane].render(found)
                break
            except WorkerSlow as slow:
                if lane is Lane.LIGHT:  # it gets more time on the heavy lane
                    raise TooHeavy from slow
                raise Refused(Refusal.TOO_SLOW, str(slow)) from slow
            except WorkerLost as lost:
                await self._try_again(job, str(lost))
        if result.refusal is not None:
            raise Refused(result.refusal, result.detail)
        return result.renderings

    async def _try_again(self, job: PhotoJob, error: str) -> None:
        """Count the next try, before it begins, and pause; raises GivenUp after the last."""
        tries = await self._photos.again(job.media_id)
        _log.warning("photo_tried", media=job.media_id, tries=tries - 1, error=error)
        if tries > photo.TRIES_MAX:
            raise GivenUp(error)
        await asyncio.sleep(work.backoff_seconds(tries - 1))

    def _letter(self, job: PhotoJob, error: str) -> DeadLetter:
        """A dead letter with the photo's event; the job was in PostgreSQL, so it has no offset on the log."""
        stamp = outbox.stamp(self._app, ids.shard_of(job.media_id))
        event = MediaUploaded(
            **stamp,
            media_id=job.media_id,
            owner_id=job.owner_id,
            object_key=job.object_key,
            size_bytes=job.size_bytes,
            content_type=job.content_type,
        )
        payload = messages.encode(event)
        return DeadLetter(
            **stamp,
            group=GROUP,
            source=event.topic,
            partition=-1,
            offset=-1,
            event_key=str(event.key()),
            payload=payload[: messages.DEAD_PAYLOAD_BYTES_MAX],
            payload_size_bytes=len(payload),
            error=error[: messages.DEAD_ERROR_CHARACTERS_MAX],
            tries=photo.TRIES_MAX,
        )

    async def _stored(self, at: str, rendering: Rendering) -> MediaVariant:
        key = work.object_key(at, rendering)
        await self._objects.put(
            bucket=self._objects.settings.media_bucket,
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
