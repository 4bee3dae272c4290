"""Schedules the processing of photos: an event wakes a worker, and PostgreSQL holds what is still to do.

No consumer waits for a photo: an event only puts it into the queue of a lane. A sweep finds photos that nobody works
on: their event was lost, their worker died, they were postponed, or the queue was full.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Final

import structlog
from aiohttp import web

from core.failures import Failure
from core.messages import MediaUploaded
from core.policies import photo
from core.policies.photo import Lane
from services.kit import bus
from services.kit.clock import now_ms
from services.kit.stores import translated
from services.media.events.measures import Measures
from services.media.events.processor import PhotoProcessor, TooHeavy
from services.media.events.queue import Queue, TakenPhoto
from services.media.store.photos import PhotoJobs

SWEEP_SECONDS: Final = 5.0  # between two sweeps
SOON_SECONDS: Final = 1.0  # while PostgreSQL is known to hold photos that are not in the queues
FORGET_SECONDS: Final = 600.0  # between two deletions of jobs whose photo was deleted
_WAITING_MAX: Final = 1_024  # in the queue of a lane
_OWNER_MAX: Final = 8  # of one owner; others wait in PostgreSQL
_SHARD_MAX: Final = 64  # found on a shard at a time
_PUT_OFF_SECONDS: Final = 2.0
_STOP_SECONDS: Final = 1.0
_log = structlog.get_logger("media")


class Scheduler:
    """Runs the tasks of both lanes in this process, and the sweep."""

    def __init__(self, photos: PhotoJobs, processor: PhotoProcessor, measures: Measures, *, light: int):
        self._photos, self._processor, self._measures = photos, processor, measures
        self._queues = {lane: Queue(waiting_max=_WAITING_MAX, owner_max=_OWNER_MAX) for lane in Lane}
        self.counts = {Lane.LIGHT: light, Lane.HEAVY: photo.HEAVY_WORKERS}
        self._places = asyncio.Semaphore(sum(self.counts.values()))
        self._emptying = asyncio.Lock()
        self._full = False  # PostgreSQL holds more than the queues
        self._soon = True  # or photos that another process works on, or that were postponed
        self._look = asyncio.Event()
        self._uploaded_ms: dict[int, int] = {}  # of photos in the queues; when first seen if their event was lost

    def run_beside(self, app: web.Application) -> None:
        """Work from start to stop of the application."""
        bus.run_beside(app, self._sweep_on)
        for lane, count in self.counts.items():
            for _ in range(count):
                bus.run_beside(app, functools.partial(self._work_on, lane))

    async def on_uploaded(self, event: MediaUploaded) -> None:
        """Queue the photo."""
        self._offer(Lane.LIGHT, media_id=event.media_id, owner_id=event.owner_id, uploaded_ms=event.at_ms)

    async def idle(self) -> bool:
        """Whether no photo waits to be processed, in this process or any other."""
        count, _ = await self._photos.waiting(owner_max=1, count_max=1)
        return count == 0

    async def sweep(self) -> None:
        """Queue the photos in PostgreSQL that nobody works on."""
        self._full = self._soon = False
        count, waiting = await self._photos.waiting(owner_max=_OWNER_MAX, count_max=_SHARD_MAX)
        self._full |= count > len(waiting)
        for each in waiting:
            if not each.leased:
                self._offer(each.lane, media_id=each.media_id, owner_id=each.owner_id)
            elif not any(each.media_id in queue for queue in self._queues.values()):
                self._soon = True
        self._measures.backlog(count=count, waiting=waiting)

    def _offer(self, lane: Lane, *, media_id: int, owner_id: int, uploaded_ms: int | None = None) -> None:
        if self._queues[lane].offer(media_id=media_id, owner_id=owner_id):
            self._uploaded_ms.setdefault(media_id, now_ms() if uploaded_ms is None else uploaded_ms)
        else:
            self._full = True

    async def _sweep_on(self) -> None:
        attempt, given_back, forgot_seconds = 0, False, -FORGET_SECONDS
        while True:
            try:
                if not given_back:
                    await self._photos.give_back()
                    given_back = True
                await self.sweep()
                if monotonic() - forgot_seconds >= FORGET_SECONDS:
                    await self._photos.forget()
                    forgot_seconds = monotonic()
                attempt = 0
            except Failure as failure:
                attempt += 1
                _log.warning("sweep_put_off", error=str(failure), attempt=attempt)
            seconds = SOON_SECONDS if self._full or self._soon or attempt else SWEEP_SECONDS
            self._look.clear()
            with suppress(TimeoutError):
                # jittered, so that several processes do not look at the same moment
                async with asyncio.timeout(seconds * random.uniform(0.75, 1.25)):
                    await self._look.wait()

    async def _work_on(self, lane: Lane) -> None:
        queue, attempt = self._queues[lane], 0
        while True:
            turn = await queue.take()
            try:
                await self._work(turn, lane)
                attempt = 0
            except Failure as failure:
                attempt += 1
                _log.warning("photo_put_off", media=turn.media_id, error=str(failure), attempt=attempt)
            finally:
                queue.done(turn)
                if not any(turn.media_id in each for each in self._queues.values()):
                    self._uploaded_ms.pop(turn.media_id, None)
            if self._full and not len(queue):
                self._look.set()
            if attempt:
                await asyncio.sleep(bus.pause_seconds(attempt))

    async def _work(self, turn: TakenPhoto, lane: Lane) -> None:
        job = await self._photos.begin(turn.media_id)
        if job is None:
            return
        self._measures.tried(lane)
        try:
            # a photo whose earlier try ended this process is processed alone, so that no other one fails with it
            async with self._place(alone=job.tries > 1):
                await self._processor.process(job, lane)
            self._measures.ended(max(0, now_ms() - self._uploaded_ms[job.media_id]) / 1000)
        except TooHeavy:
            await self._photos.put_off(job.media_id, lane=Lane.HEAVY, seconds=0.0)
            self._offer(Lane.HEAVY, media_id=job.media_id, owner_id=job.owner_id)
        except asyncio.CancelledError:  # a stop says nothing about the photo
            with suppress(Failure, TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await self._photos.put_off(job.media_id, lane=job.lane, seconds=0.0)
            raise
        except Exception as error:
            self._soon = True
            failure = translated(error)
            with suppress(Failure):  # its lease expires by itself
                await self._photos.put_off(
                    job.media_id, lane=job.lane, seconds=_PUT_OFF_SECONDS, counts=failure is None
                )
            if failure is None:
                _log.error("photo_broke_the_worker", media=job.media_id, exc_info=error)
                return
            raise failure from error

    @asynccontextmanager
    async def _place(self, *, alone: bool) -> AsyncIterator[None]:
        taken = 0
        try:
            async with self._emptying:  # one at a time, so that two that need all places cannot deadlock
                for _ in range(sum(self.counts.values()) if alone else 1):
                    await self._places.acquire()
                    taken += 1
            yield
        finally:
            for _ in range(taken):
                self._places.release()


SCHEDULER: Final = web.AppKey("SCHEDULER", Scheduler)
