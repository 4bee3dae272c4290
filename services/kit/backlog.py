"""Refuses what would have to wait for background work for too long, so that its lag stays bounded under overload.

Readers get most of a busy core (`core.niceness`), and background work a share that cannot be less. If more is written
than this share can handle, what waits becomes more and more. Then new work is refused before it is acknowledged, as by
a full queue; what was acknowledged is never dropped. What waits is read from PostgreSQL, where it is durable, so every
process that accepts such work sees all of it, and nothing is refused while it is only the log or the worker that is
down: then nothing is done, and the time that new work would wait is unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

import psycopg
import structlog
from aiohttp import web

from core.failures import Failure, Overloaded
from core.policies.backlog import EVERYBODY, LOOK_SECONDS, STANDING_SECONDS, WAIT_SECONDS_MAX, Key, StandingQueue
from services.kit.bus import run_beside
from services.kit.metrics import METRICS
from services.kit.stores.postgres import SHARDS, Shards

_UNSEEN_MAX: Final = 8  # requests until the next look while no work stands
_ROWS_MAX: Final = 500  # of a shard
_log = structlog.get_logger("backlog")


class Backlog:
    """What waits for one kind of background work; ``rows`` is SQL for one shard that selects ids and owners."""

    def __init__(self, shards: Shards, rows: Callable[[int], str], *, standing_seconds: float):
        self._shards, self._queue = shards, StandingQueue(standing_seconds=standing_seconds)
        self._texts = {
            index: " UNION ALL ".join(
                f"(SELECT {shard}, w.* FROM ({rows(shard)} LIMIT {_ROWS_MAX}) w)" for shard in mine
            )
            for index, mine in shards.by_instance().items()
        }
        self._wanted, self._unseen = asyncio.Event(), 0

    def admit(self, owner: int = EVERYBODY) -> None:
        """Raise Overloaded if new work of ``owner`` would wait for too long."""
        now = monotonic()
        self._unseen += 1
        if self._unseen >= _UNSEEN_MAX or self._queue.stands(now):
            self._wanted.set()
        waits = self._queue.wait_seconds(owner, now=now)
        if waits > WAIT_SECONDS_MAX:
            raise Overloaded("Too much waits to be processed", retry_after_seconds=waits - WAIT_SECONDS_MAX + 1.0)

    def wait_seconds(self) -> float:
        """How long new work will wait, if its owner has no other."""
        return self._queue.wait_seconds(EVERYBODY, now=monotonic())

    async def look_on(self) -> None:
        """Look at what waits when it is asked for, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self._unseen = 0
            try:
                self._queue.update(await self._waiting(), now=monotonic())
            except Failure as failure:
                _log.info("backlog_unknown", error=str(failure))
            await asyncio.sleep(LOOK_SECONDS)

    async def _waiting(self) -> dict[Key, int]:
        async def on(index: int, text: str) -> list[tuple[int, int, int]]:
            try:
                async with self._shards.on_instance(index) as connection:
                    return await (await connection.execute(text)).fetchall()
            except psycopg.errors.UndefinedTable:  # of a worker that has never started here
                return []

        found = await asyncio.gather(*(on(index, text) for index, text in self._texts.items()))
        return {(shard, key): owner for part in found for shard, key, owner in part}


def use(app: web.Application, rows: Callable[[int], str], *, standing_seconds: float = STANDING_SECONDS) -> Backlog:
    """A backlog that is looked at while the application runs, after `postgres.use`."""
    backlog = Backlog(app[SHARDS], rows, standing_seconds=standing_seconds)
    run_beside(app, backlog.look_on)
    app[METRICS].expected_wait.labels(app[METRICS].component).set_function(backlog.wait_seconds)
    return backlog


BACKLOG: Final = web.AppKey("BACKLOG", Backlog)
