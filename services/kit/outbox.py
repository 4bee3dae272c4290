"""The transactional outbox: an event is a row of the business transaction, and a relay carries it to the log.

So nothing acknowledged is lost while the log is down, and nothing is told that was rolled back. A relay takes all rows
that it can see, oldest first, and deletes them once the log has them: there is no high-water mark that a transaction
which commits late could fall behind (commit order is not the order of row ids). One relay at a time works on a
component's rows of one instance (an advisory lock on a connection of its own), so events of one key leave in the order
they were written; when it dies its lock goes with its connection, and another takes over within a second.
Delivery is at least once: a relay that dies between acknowledgement and delete sends again.
"""

from __future__ import annotations

import asyncio
import functools
import zlib
from collections.abc import AsyncIterator
from typing import Any, Final, TypedDict

import structlog
from aiohttp import web

from core.failures import Failure
from core.messages import Message
from services.kit import bus
from services.kit.bus import Producer, Record
from services.kit.clock import now_ms
from services.kit.config import MEMBER, new_id, required
from services.kit.logs import REQUEST_ID
from services.kit.metrics import METRICS
from services.kit.stores.postgres import SHARDS, Connection, Shards, schema

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    component text NOT NULL,
    topic text NOT NULL,
    key bytea NOT NULL,
    payload bytea NOT NULL
);
"""
_BATCH_MAX: Final = 500  # rows of one shard at a time
_POLL_SECONDS: Final = 2.0  # how late an event may be that another process wrote
_LINGER_SECONDS: Final = 0.005  # after a batch, so that under load the next one holds many; the first never waits
_STANDBY_SECONDS: Final = 1.0  # how often a relay that does not lead asks whether it may
_log = structlog.get_logger("outbox")


def insert_from(shard: int, source: str) -> str:
    """SQL for a part of one statement that writes the event (parameters: `Outbox.values`) once per row of ``source``.

    For hot paths that do all in one round trip: ``WITH edge AS (INSERT … RETURNING 1), told AS (<this>) SELECT …``.
    Call `Outbox.signal` when the statement has committed.
    """
    return (
        f"INSERT INTO {schema(shard)}.outbox (component, topic, key, payload)"
        f" SELECT %(component)s, %(topic)s, %(key)s, %(payload)s FROM {source}"
    )


class Stamp(TypedDict):
    """What every event carries, ready to be passed on: ``PostCreated(**stamp(app, shard), post_id=…)``."""

    event_id: int
    at_ms: int
    request_id: str


def stamp(app: web.Application, shard: int) -> Stamp:
    """A fresh event id, the time, and the id of the request under way."""
    return Stamp(event_id=new_id(app, shard), at_ms=now_ms(), request_id=REQUEST_ID.get())


class Outbox:
    """One component's events."""

    def __init__(self, shards: Shards, producer: Producer, *, component: str):
        self._shards, self._producer, self._component = shards, producer, component
        self._dirty: list[set[int]] = [set() for _ in range(shards.instances)]
        self._wake = [asyncio.Event() for _ in range(shards.instances)]

    async def add(self, connection: Connection, shard: int, *events: Message) -> None:
        """Write events into the transaction that is open on ``connection``; they leave once it has committed."""
        encoded = [bus.record(event) for event in events]
        await connection.execute(
            f"INSERT INTO {schema(shard)}.outbox (component, topic, key, payload)"
            " SELECT %s, * FROM unnest(%s::text[], %s::bytea[], %s::bytea[])",
            (
                self._component,
                [each.topic for each in encoded],
                [each.key for each in encoded],
                [each.payload for each in encoded],
            ),
        )
        connection.after_commit.append(functools.partial(self.signal, shard))

    def values(self, event: Message) -> dict[str, Any]:
        """Named parameters for `insert_from`."""
        out = bus.record(event)
        return {"component": self._component, "topic": out.topic, "key": out.key, "payload": out.payload}

    def signal(self, shard: int) -> None:
        """Say that ``shard`` holds something new."""
        index = self._shards.instance_of(shard)
        self._dirty[index].add(shard)
        self._wake[index].set()

    async def pending(self) -> int:
        """How many events of this component still wait, on all shards."""

        async def count(connection: Connection, shard: int) -> int:
            cursor = await connection.execute(
                f"SELECT count(*) FROM {schema(shard)}.outbox WHERE component = %s", (self._component,)
            )
            row = await cursor.fetchone()
            return int(row[0]) if row else 0

        return sum((await self._shards.for_each_shard(count)).values())

    async def relay(self, index: int) -> None:
        """Carry the rows of instance ``index`` until cancelled."""
        attempt = 0
        while True:
            try:
                async with self._shards.dedicated(index) as connection:
                    if await self._lead(connection, index):
                        attempt = 0
                        await self._carry_on(connection, index)
            except Failure as failure:
                attempt += 1
                _log.warning("relay_lost", instance=index, attempt=attempt, error=str(failure))
                await asyncio.sleep(bus.pause_seconds(attempt))
            else:
                await asyncio.sleep(_STANDBY_SECONDS)

    async def _lead(self, connection: Connection, index: int) -> bool:
        """Become the one relay of this component's rows there, for as long as the connection lives."""
        name = zlib.crc32(f"{self._component} {index}".encode())
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", ((zlib.crc32(b"outbox") << 31) ^ name,))
        row = await cursor.fetchone()
        return bool(row and row[0])

    async def _carry_on(self, connection: Connection, index: int) -> None:
        wake, every = self._wake[index], self._shards.by_instance()[index]
        texts = {shard: self._text([shard]) for shard in every}
        text_of_all = self._text(every)
        attempt = 0
        while True:
            dirty, self._dirty[index] = self._dirty[index], set()
            wake.clear()
            text = texts[next(iter(dirty))] if len(dirty) == 1 else text_of_all
            cursor = await connection.execute(text)
            rows = await cursor.fetchall()
            if rows:
                try:
                    await self._producer.send([Record(topic=row[2], key=row[3], payload=row[4]) for row in rows])
                except Failure as failure:
                    self._dirty[index].update(every)
                    attempt += 1
                    _log.warning("relay_waits", instance=index, attempt=attempt, error=str(failure))
                    await asyncio.sleep(bus.pause_seconds(attempt))
                    continue
                attempt = 0
                await self._delete(connection, rows)
                await asyncio.sleep(_LINGER_SECONDS)
            if len(rows) < _BATCH_MAX:
                try:
                    async with asyncio.timeout(_POLL_SECONDS):
                        await wake.wait()
                except TimeoutError:
                    pass

    def _text(self, shards: list[int]) -> str:
        return " UNION ALL ".join(
            f"SELECT * FROM (SELECT {shard}, id, topic, key, payload FROM {schema(shard)}.outbox"
            f" WHERE component = '{self._component}' ORDER BY id LIMIT {_BATCH_MAX}) s{shard}"
            for shard in shards
        )

    async def _delete(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        done: dict[int, list[int]] = {}
        for row in rows:
            done.setdefault(row[0], []).append(row[1])
        for shard, row_ids in done.items():
            await connection.execute(f"DELETE FROM {schema(shard)}.outbox WHERE id = ANY(%s)", (row_ids,))


OUTBOX: Final = web.AppKey("OUTBOX", Outbox)


def use(app: web.Application) -> Outbox:
    """Give the application its outbox and relay; `postgres.use` comes before it."""
    member = app[MEMBER]
    shards = app[SHARDS]
    producer = Producer(required(member.stores.kafka, "Kafka", member.component), app[METRICS])
    outbox = Outbox(shards, producer, component=member.component)
    app[OUTBOX] = outbox

    async def opened(_app: web.Application) -> AsyncIterator[None]:
        await shards.create(TABLES)
        yield
        await producer.close()

    app.cleanup_ctx.append(opened)
    for index in range(shards.instances):
        bus.run_beside(app, functools.partial(outbox.relay, index))
    return outbox
