"""The timer that sweeps the upload area: uploads that were never completed, and objects left over from others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Final

import structlog
from aiohttp import web

from core.failures import Failure
from services.kit.clock import now_ms
from services.kit.stores.objects import LISTED_MAX, Objects
from services.upload import rules
from services.upload.store import Photos

PERIOD_SECONDS: Final = 60.0
SWEPT_MAX: Final = 100  # of one shard at a time: its rows are locked while their objects are deleted
_LISTS_MAX: Final = 20  # lists of the upload area in one sweep; the next one continues from there
_log = structlog.get_logger("upload")


class Sweeper:
    """Sweeps from start to stop of the application."""

    def __init__(self, photos: Photos, objects: Objects, *, abandoned_seconds: float = rules.ABANDONED_SECONDS):
        self._photos, self._objects, self._abandoned_seconds = photos, objects, abandoned_seconds
        self._after = ""  # the last key that was listed

    async def run(self) -> None:
        """Sweep periodically until cancelled; a store that is down is tried again next time."""
        while True:
            # jittered, so that several processes do not sweep at the same moment
            await asyncio.sleep(random.uniform(0.5, 1.5) * PERIOD_SECONDS)
            try:
                swept, left = await self.sweep(), await self.sweep_left()
            except Failure as failure:
                _log.warning("sweep_put_off", error=str(failure))
                continue
            if swept or left:
                _log.info("swept", uploads=swept, objects=left)

    async def sweep(self) -> int:
        """Sweep once; returns how many uploads were deleted."""
        before_ms = now_ms() - round(self._abandoned_seconds * 1000)
        return await self._photos.sweep(before_ms=before_ms, count_max=SWEPT_MAX, delete_objects=self._delete)

    async def sweep_left(self, *, at_ms: int | None = None) -> int:
        """Delete objects at expired addresses that no photo needs; returns how many there were.

        The area itself is listed, a part at a time, so that no object stays there, whoever put it and whenever.
        """
        bucket, swept = self._objects.settings.uploads_bucket, 0
        for _ in range(_LISTS_MAX):
            keys = await self._objects.keys(bucket=bucket, prefix=rules.FOLDER, after=self._after)
            self._after = keys[-1] if len(keys) == LISTED_MAX else ""
            over = rules.over(keys, now_ms=now_ms() if at_ms is None else at_ms)
            waiting = await self._photos.waiting(over)
            left = [key for media_id, key in over.items() if media_id not in waiting]
            await self._objects.delete_all(bucket=bucket, keys=left)
            swept += len(left)
            if not self._after:
                break
        return swept

    async def _delete(self, keys: Sequence[str]) -> None:
        await self._objects.delete_all(bucket=self._objects.settings.uploads_bucket, keys=keys)


SWEEPER: Final = web.AppKey("SWEEPER", Sweeper)
