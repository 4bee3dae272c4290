"""The transactional outbox: an event is a row of the business transaction, and a relay carries it to the log.

So nothing acknowledged is lost while the log is down, and nothing is published that was rolled back. A relay takes all
rows that it can see and has not sent, oldest first: there is no high-water mark that a late commit could fall behind
(commit order is not the order of row ids). One relay at a time works on a component's rows of one instance (an advisory
lock on a connection of its own), so events of one key leave in the order they were written; when it dies, its lock is
released with its connection, and another takes over within a second.

A row is deleted when every consumer group of its topic (`core.messages.GROUPS`) has handled it, not when the log has
it, so that nothing is lost with a log that loses its data. The relay notices that by the log's identity, or by an end
offset before what was acknowledged, and sends all unhandled events again. Delivery is at least once; a restarted relay
sends events again too, because it remembers what it has sent in memory only.
"""

from __future__ import annotations

import asyncio
import functools
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Final, TypedDict

import structlog
from aiohttp import web
from aiokafka import TopicPartition

from core import messages
from core.bounds import OUTBOX_ASK_SECONDS
from core.failures import Failure
from core.messages import Message
from services.kit import bus
from services.kit.bus import LogRecord, Producer
from services.kit.clock import now_ms
from services.kit.config import MEMBER, new_id, required
from services.kit.handled import Handled
from services.kit.logs import REQUEST_ID
from services.kit.metrics import METRICS, Metrics
from services.kit.sent import SENT_MAX, Sent
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
_POLL_SECONDS: Final = 2.0  # how late it may see an event that another process wrote
_LINGER_SECONDS: Final = 0.005  # after a batch, so that under load the next one holds many; the first never waits
_STANDBY_SECONDS: Final = 1.0  # how often a standby relay tries to become the leader
_ENDS_EVERY: Final = 10  # one in so many of these queries also asks for the log's end offsets
_FULL_SECONDS: Final = 60.0  # between full scans of the rows
_log = structlog.get_logger("outbox")


def insert_from(shard: int, source: str) -> str:
    """SQL for a part of one statement that writes the event (parameters: `Outbox.values`) once per row of ``source``.

    For hot paths that do all in one round trip: ``WITH edge AS (INSERT … RETURNING 1), published AS (<this>) SELECT
    …``. Call `Outbox.signal` when the statement has committed.
    """
    return (
        f"INSERT INTO {schema(shard)}.outbox (component, topic, key, payload)"
        f" SELECT %(component)s, %(topic)s, %(key)s, %(payload)s FROM {source}"
    )


class Stamp(TypedDict):
    """The fields that every event has, ready to be passed on: ``PostCreated(**stamp(app, shard), post_id=…)``."""

    event_id: int
    at_ms: int
    request_id: str


def stamp(app: web.Application, shard: int) -> Stamp:
    """A fresh event id, the time, and the id of the current request."""
    return Stamp(event_id=new_id(app, shard), at_ms=now_ms(), request_id=REQUEST_ID.get())


class Outbox:
    """One component's events."""

    def __init__(
        self,
        shards: Shards,
        producer: Producer,
        *,
        component: str,
        metrics: Metrics,
        handled: Callable[[], Handled],
        groups: Mapping[str, tuple[str, ...]],
    ):
        self._shards, self._producer, self._component = shards, producer, component
        self._metrics, self._handled, self._groups = metrics, handled, groups
        self._sent = [Sent() for _ in range(shards.instances)]
        self._done: list[dict[int, list[int]]] = [{} for _ in range(shards.instances)]  # to be deleted
        self._leads: list[bool | None] = [None] * shards.instances  # None: not known yet
        self._log_id = ""
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
        """Wake the relay: ``shard`` holds new events."""
        index = self._shards.instance_of(shard)
        self._dirty[index].add(shard)
        self._wake[index].set()

    async def pending(self) -> int:
        """How many events of this component are not on the log yet, of the instances that this process may relay."""
        counts = await asyncio.gather(
            *(self._unsent(index) for index, leads in enumerate(self._leads) if leads is not False)
        )
        return sum(counts)

    async def _unsent(self, index: int) -> int:
        texts = [
            f"SELECT count(*) AS n FROM {schema(shard)}.outbox WHERE component = '{self._component}'"
            for shard in self._shards.by_instance()[index]
        ]
        async with self._shards.on_instance(index) as connection:
            cursor = await connection.execute(f"SELECT sum(n) FROM ({' UNION ALL '.join(texts)}) c")
            row = await cursor.fetchone()
        sent = self._sent[index].count + sum(map(len, self._done[index].values()))
        return max(0, int(row[0] or 0) - sent) if row else 0

    async def relay(self, index: int) -> None:
        """Relay the rows of instance ``index`` until cancelled."""
        attempt = 0
        while True:
            try:
                async with self._shards.dedicated(index) as connection:
                    self._leads[index] = await self._lead(connection, index)
                    if self._leads[index]:
                        attempt = 0
                        await self._relay_rows(connection, index)
            except Failure as failure:
                attempt, self._leads[index] = attempt + 1, None
                _log.warning("relay_lost", instance=index, attempt=attempt, error=str(failure))
                await asyncio.sleep(bus.pause_seconds(attempt))
            else:
                await asyncio.sleep(_STANDBY_SECONDS)

    async def _lead(self, connection: Connection, index: int) -> bool:
        """Try to become the one relay of this component's rows there, for as long as the connection lives."""
        name = zlib.crc32(f"{self._component} {index}".encode())
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", ((zlib.crc32(b"outbox") << 31) ^ name,))
        row = await cursor.fetchone()
        return bool(row and row[0])

    async def _relay_rows(self, connection: Connection, index: int) -> None:
        wake, every, sent = self._wake[index], self._shards.by_instance()[index], self._sent[index]
        texts = {shard: self._text([shard]) for shard in every}
        text_of_all, deletion = self._text(every), _deletion(every)
        attempt, looked = 0, 0.0
        while True:
            dirty, self._dirty[index] = self._dirty[index], set()
            wake.clear()
            if self._done[index]:
                await self._delete(connection, index, deletion, every)
            full = monotonic() - looked >= _FULL_SECONDS
            wanted = every if full or len(dirty) != 1 else list(dirty)
            text = text_of_all if len(wanted) > 1 else texts[wanted[0]]
            cursor = await connection.execute(text, self._known(index, wanted, full=full))
            rows = await cursor.fetchall()
            if rows:
                try:
                    await self._send(index, rows)
                except Failure as failure:
                    self._dirty[index].update(every)
                    attempt += 1
                    _log.warning("relay_waits", instance=index, attempt=attempt, error=str(failure))
                    self._metrics.unsent.labels(self._component, str(index)).set(await self._unsent(index))
                    await asyncio.sleep(bus.pause_seconds(attempt))
                    continue
                if attempt:
                    self._metrics.unsent.labels(self._component, str(index)).set(0)
                attempt = 0
                await asyncio.sleep(_LINGER_SECONDS)
            if len(rows) < _BATCH_MAX:
                if full:
                    looked = monotonic()
                    sent.settle(looked)
                try:
                    async with asyncio.timeout(_POLL_SECONDS):
                        await wake.wait()
                except TimeoutError:
                    pass

    def _known(self, index: int, shards: list[int], *, full: bool) -> dict[str, Any]:
        """Parameters that exclude rows which the log has."""
        sent, done = self._sent[index], self._done[index]
        everything = sent.everything() if full else {}
        values: dict[str, Any] = {}
        for shard in shards:
            known = [*everything.get(shard, ()), *done.get(shard, ())] if full else sent.known(shard)
            values |= {f"floor{shard}": 0 if full else sent.floor(shard), f"known{shard}": known}
        return values

    async def _send(self, index: int, rows: Sequence[tuple[Any, ...]]) -> None:
        if not self._log_id:
            async with self._handled() as asking:
                self._log_id = await asking.log_id()
        places = await self._producer.send([LogRecord(topic=row[2], key=row[3], payload=row[4]) for row in rows])
        sent, done, now = self._sent[index], self._done[index], monotonic()
        for row, place in zip(rows, places, strict=True):
            if row[2] in self._groups:
                sent.add(row[0], row[1], place, now=now)
            else:  # no group consumes it
                done.setdefault(row[0], []).append(row[1])
        self._let_go(index)

    def _let_go(self, index: int) -> None:
        beyond = self._sent[index].beyond(SENT_MAX)
        count = sum(map(len, beyond.values()))
        if count:
            self._metrics.let_go.labels(self._component).inc(count)
            self._to_delete(index, beyond)

    def _to_delete(self, index: int, rows: Mapping[int, list[int]]) -> None:
        for shard, ids in rows.items():
            self._done[index].setdefault(shard, []).extend(ids)

    async def ask(self) -> None:
        """Ask for the groups' progress until cancelled, while rows wait to be handled."""
        count = 0
        while True:
            await asyncio.sleep(OUTBOX_ASK_SECONDS)
            if not any(sent.count for sent in self._sent):
                continue
            try:
                async with self._handled() as asking:
                    while any(sent.count for sent in self._sent):
                        count += 1
                        await self._ask_once(asking, ends=count % _ENDS_EVERY == 0)
                        await asyncio.sleep(OUTBOX_ASK_SECONDS)
            except Failure as failure:
                _log.info("groups_not_asked", error=str(failure))

    async def _ask_once(self, asking: Handled, *, ends: bool) -> None:
        partitions = {partition for sent in self._sent for partition in sent.partitions()}
        last: dict[TopicPartition, int] = {}
        for sent in self._sent:
            for partition, offset in sent.last().items():
                last[partition] = max(last.get(partition, offset), offset)
        positions = await asking.positions(partitions)
        lost = ends and any(end <= last[partition] for partition, end in (await asking.ends(last)).items())
        log_id = await asking.log_id()  # read last: positions of another log do not apply to these rows
        if lost or log_id != self._log_id:
            self._log_id = log_id
            count = sum(sent.count for sent in self._sent)
            _log.warning("log_lost_its_data", events=count, log=log_id)
            self._metrics.resent.labels(self._component).inc(count)
            for index, sent in enumerate(self._sent):
                sent.lost()
                self._dirty[index].update(self._shards.by_instance()[index])
                self._wake[index].set()
            return
        for index, sent in enumerate(self._sent):
            handled = sent.handled(positions)
            if handled:
                self._to_delete(index, handled)
                self._wake[index].set()
            self._metrics.unhandled.labels(self._component, str(index)).set(sent.count)

    def _text(self, shards: list[int]) -> str:
        return " UNION ALL ".join(
            f"SELECT * FROM (SELECT {shard}, id, topic, key, payload FROM {schema(shard)}.outbox"
            f" WHERE component = '{self._component}' AND id > %(floor{shard})s"
            f" AND id <> ALL(%(known{shard})s::bigint[]) ORDER BY id LIMIT {_BATCH_MAX}) s{shard}"
            for shard in shards
        )

    async def _delete(self, connection: Connection, index: int, text: str, shards: list[int]) -> None:
        """Delete rows that all groups have handled: one statement, and one commit, for all shards."""
        done, self._done[index] = self._done[index], {}
        try:
            await connection.execute(text, {f"ids{shard}": done.get(shard, []) for shard in shards})
        except BaseException:
            self._to_delete(index, done)
            raise
        self._sent[index].forget(done)


def _deletion(shards: list[int]) -> str:
    deletions = (
        f"d{shard} AS (DELETE FROM {schema(shard)}.outbox WHERE id = ANY(%(ids{shard})s::bigint[]))" for shard in shards
    )
    return f"WITH {', '.join(deletions)} SELECT"


OUTBOX: Final = web.AppKey("OUTBOX", Outbox)


def unhandled(component: str) -> Callable[[int], str]:
    """SQL for one shard: the events that a consumer group has not handled yet, all of one owner."""
    return lambda shard: (
        f"SELECT id, 0::bigint AS owner FROM {schema(shard)}.outbox WHERE component = '{component}' ORDER BY id"
    )


def use(app: web.Application, *, groups: Mapping[str, tuple[str, ...]] | None = None) -> Outbox:
    """Add an outbox and its relay to the application, after `postgres.use`; ``groups`` by topic."""
    member, metrics = app[MEMBER], app[METRICS]
    shards = app[SHARDS]
    kafka_settings = required(member.stores.kafka, "Kafka", member.component)
    waited_for = messages.groups_of() if groups is None else groups
    producer = Producer(kafka_settings, metrics)
    outbox = Outbox(
        shards,
        producer,
        component=member.component,
        metrics=metrics,
        handled=functools.partial(Handled, kafka_settings, waited_for),
        groups=waited_for,
    )
    app[OUTBOX] = outbox

    async def opened(_app: web.Application) -> AsyncIterator[None]:
        await shards.create(TABLES)
        yield
        await producer.close()

    app.cleanup_ctx.append(opened)
    for index in range(shards.instances):
        bus.run_beside(app, functools.partial(outbox.relay, index))
    bus.run_beside(app, outbox.ask)
    return outbox
