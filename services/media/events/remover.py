"""Removes photos that nothing shows any more: from PostgreSQL, the object store, the shield, the edge; in passes.

Removals are rows in PostgreSQL that are polled every second, so none is lost with the log or this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

import structlog
from aiohttp import web

from core import operations
from core.failures import Failure
from core.names import Outcome
from services.kit.clock import now_ms
from services.kit.config import SETTINGS
from services.kit.metrics import METRICS
from services.kit.stores.objects import OBJECTS, Objects
from services.kit.stores.removals import Removal, Removals
from services.media.rules import removal as rules
from services.media.rules.work import folder
from services.media.store.cdn import CdnClient

OPERATION: Final = operations.MEDIA_REMOVE
_EVERY_SECONDS: Final = 1.0
_CLAIMED_MAX: Final = 20  # of each shard at a time
_AT_ONCE: Final = 3
_log = structlog.get_logger("media")


class Remover:
    """Works from start to stop of the application."""

    def __init__(self, app: web.Application, removals: Removals, cdn: CdnClient):
        self._app, self._removals, self._cdn = app, removals, cdn
        self._objects: Objects = app[OBJECTS]
        self._secret = app[SETTINGS].keys.media_secret
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Remove what is due until cancelled."""
        while True:
            try:
                claimed = await self.remove_due()
            except Failure as failure:
                _log.warning("removals_put_off", error=str(failure))
                claimed = 0
            if claimed < _CLAIMED_MAX:
                await asyncio.sleep(_EVERY_SECONDS)

    async def remove_due(self, *, at_ms: int | None = None) -> int:
        """Remove what is due once; returns how many photos were due."""
        at_ms = now_ms() if at_ms is None else at_ms
        due = await self._removals.claim(now_ms=at_ms, lease_seconds=rules.LEASE_SECONDS, count_max=_CLAIMED_MAX)
        await asyncio.gather(*(self._remove(media_id, at_ms) for media_id in due))
        return len(due)

    async def _remove(self, media_id: int, at_ms: int) -> None:
        async with self._places:
            began, metrics = perf_counter(), self._app[METRICS]
            try:
                with self._stage("settle"):
                    removal = await self._removals.settle(media_id, now_ms=at_ms)
                if removal is None:
                    return
                await self._pass(removal)
                pause = rules.pause_seconds(removal.passes)
                next_ms = None if pause is None else now_ms() + round(pause * 1000)
                await self._removals.passed(removal, due_ms=next_ms)
            except Failure as failure:
                _log.warning("removal_put_off", media=media_id, error=str(failure))
                metrics.requests.series(metrics.component, OPERATION, Outcome.FAILED).observe(perf_counter() - began)
                await self._removals.put_off(media_id, due_ms=now_ms() + round(rules.RETRY_SECONDS * 1000))
                return
            metrics.requests.series(metrics.component, OPERATION, Outcome.OK).observe(perf_counter() - began)
            if removal.passes == 0:
                metrics.deletion.series(metrics.component).observe(max(0, now_ms() - removal.owed_ms) / 1000)

    async def _pass(self, removal: Removal) -> None:
        """Delete everything and purge it from the CDN; caches are purged even when the store cannot be reached."""
        bucket, home = self._objects.settings.media_bucket, folder(removal.media_id, secret=self._secret)
        elsewhere = await self._removals.unused(key for key in removal.keys if not key.startswith(f"{home}/"))
        own = [key for key in removal.keys if key.startswith(f"{home}/")]
        trouble: Failure | None = None
        with self._stage("delete"):
            try:
                await self._objects.delete_folder(bucket=bucket, folder=home)
                await self._objects.delete_all(bucket=bucket, keys=elsewhere)
                if removal.upload_key is not None and removal.passes == 0:
                    await self._objects.spend(bucket=self._objects.settings.uploads_bucket, key=removal.upload_key)
            except Failure as failure:
                trouble = failure
        with self._stage("purge"):
            await self._cdn.purge([*own, *elsewhere])
        if trouble is not None:
            raise trouble

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        metrics, began = self._app[METRICS], perf_counter()
        try:
            yield
        finally:
            metrics.stages.series(metrics.component, OPERATION, name).observe(perf_counter() - began)


REMOVER: Final = web.AppKey("REMOVER", Remover)
