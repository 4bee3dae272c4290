"""Refuses what would have to wait for background work for too long, so that its lag stays bounded under overload.

Readers get most of a busy core (`core.niceness`), and background work a share that cannot be less. If more is written
than this share can handle, what waits becomes more and more. Then new work is refused before it is acknowledged, as by
a full queue; what was acknowledged is never dropped. What waits is read from PostgreSQL, where it is durable, so every
process that accepts such work sees all of it, and nothing is refused while it is only the log or the worker that is
down: then nothing is done, and the time that new work would wait is unknown.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import psycopg
import structlog
from aiohttp import web

from core.failures import Failure, Overloaded
from services.kit.bus import run_beside
from services.kit.metrics import METRICS
from services.kit.stores.postgres import SHARDS, Shards

#: Work that would have to wait longer is refused.
WAIT_SECONDS_MAX: Final = 10.0
#: Of work that has waited this long, more comes than is done; all else may be a burst.
STANDING_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.5
_LOOKS: Final = 6  # over which the pace is taken
_STALE_SECONDS: Final = 5.0  # an older look says nothing
_UNSEEN_MAX: Final = 8  # requests until the next look while no work stands
EVERYBODY: Final = 0  # the owner of work that takes no turns; of other work, somebody who has none
_ROWS_MAX: Final = 500  # of a shard
_log = structlog.get_logger("backlog")

Key = tuple[int, int]  # shard and id


@dataclass(slots=True)
class StandingQueue:
    """What waits, by who it belongs to, as seen at a few moments; work of an owner takes turns with that of others."""

    standing_seconds: float = STANDING_SECONDS
    _since: dict[Key, float] = field(default_factory=dict)
    _waiting: dict[Key, int] = field(default_factory=dict)
    _owned: Counter[int] = field(default_factory=Counter)
    _paces: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_LOOKS))  # seconds, done
    _read_at: float = 0.0

    def update(self, waiting: Mapping[Key, int], *, now: float) -> None:
        """Take in what waits now, with its owners."""
        gone = self._since.keys() - waiting.keys()
        overtaken = self._overtaken(gone, waiting, now)
        self._since = {key: self._since.get(key, now) for key in waiting}
        self._waiting, self._owned = dict(waiting), Counter(waiting.values())
        if self.stands(now) and not overtaken:
            self._paces.append((now - self._read_at, len(gone)))
        else:
            self._paces.clear()
        self._read_at = now

    def _overtaken(self, gone: Iterable[Key], waiting: Mapping[Key, int], now: float) -> bool:
        """Whether what still waits is only held up itself: later work of its owner was done soon."""
        oldest: dict[int, float] = {}
        for key, owner in waiting.items():
            oldest[owner] = min(oldest.get(owner, math.inf), self._since.get(key, math.inf))
        return any(
            now - self._since[key] < self.standing_seconds
            and oldest.get(self._waiting[key], math.inf) < self._since[key]
            for key in gone
        )

    def stands(self, now: float) -> bool:
        """Whether something has waited for so long that it is no burst."""
        return bool(self._since) and now - min(self._since.values()) >= self.standing_seconds

    def wait_seconds(self, owner: int, *, now: float) -> float:
        """How long new work of ``owner`` will wait; 0 if nothing stands, or if it is unknown."""
        done = sum(count for _, count in self._paces)
        if not done or now - self._read_at > _STALE_SECONDS:
            return 0.0
        turns = self._owned[owner] + 1
        before = sum(min(count, turns) for count in self._owned.values())
        return before * sum(seconds for seconds, _ in self._paces) / done


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
