"""The timer that sweeps uploads which were announced and never completed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Final

import structlog
from aiohttp import web

from core.failures import Failure
from services.kit.clock import now_ms
from services.kit.stores.objects import Objects
from services.upload import rules
from services.upload.store import Photos

PERIOD_SECONDS: Final = 60.0
SWEPT_MAX: Final = 100  # of one shard at a time: its rows are locked while their objects are deleted
_log = structlog.get_logger("upload")


class Sweeper:
    """Sweeps from start to stop of the application."""

    def __init__(self, photos: Photos, objects: Objects, *, abandoned_seconds: float = rules.ABANDONED_SECONDS):
        self._photos, self._objects, self._abandoned_seconds = photos, objects, abandoned_seconds

    async def run(self) -> None:
        """Sweep now and then until cancelled; a store that is down is tried again next time."""
        while True:
            # jittered, so that several processes do not sweep at the same moment
            await asyncio.sleep(random.uniform(0.5, 1.5) * PERIOD_SECONDS)
            try:
                swept = await self.sweep()
            except Failure as failure:
                _log.warning("sweep_put_off", error=str(failure))
                continue
            if swept:
                _log.info("swept", uploads=swept)

    async def sweep(self) -> int:
        """Sweep once; returns how many uploads are gone."""
        before_ms = now_ms() - round(self._abandoned_seconds * 1000)
        return await self._photos.sweep(before_ms=before_ms, count_max=SWEPT_MAX, delete_objects=self._delete)

    async def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            await self._objects.delete(bucket=self._objects.told.uploads_bucket, key=key)


SWEEPER: Final = web.AppKey("SWEEPER", Sweeper)
