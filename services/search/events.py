"""Fills the index from the log, from the offsets that the index holds, or else from PostgreSQL.

A new index, and one whose log has lost events that it did not read yet, is built from PostgreSQL: the log's end is
noted first, so that changes meanwhile are read from there. Until that is done, the old index answers.

Every process has an index of its own and so reads all partitions: there is no consumer group, and offsets are stored
in the index. Events on the log are searchable within a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from time import monotonic
from typing import Any, Final

import structlog
from aiohttp import web
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from core import messages, settings
from core.failures import Failure, Unavailable
from core.messages import Message, PostCreated, PostDeleted, PostHidden, UserCreated
from services.kit import topics
from services.kit.bus import CONSUMERS, TRIES, Consumer, pause_seconds, run_beside
from services.kit.clock import now_ms
from services.kit.config import MEMBER, SETTINGS, required
from services.kit.handled import Handled
from services.kit.inhand import InHand, in_hand_at
from services.kit.metrics import METRICS, Metrics
from services.kit.producer import RECONNECT_MS, stopped
from services.search.store.index import Index, Standing
from services.search.store.rows import Rows

KINDS: Final[tuple[type[Message], ...]] = (UserCreated, PostCreated, PostHidden, PostDeleted)
_COMMIT_SECONDS: Final = 0.5  # how long applied events stay invisible at most
_ASK_SECONDS: Final = 2.0  # how soon a log that has lost its data is noticed
_RECORDS_MAX: Final = 2_000
_OPEN_SECONDS: Final = 20.0  # to connect, and to read where the log begins and ends
_REQUEST_MS: Final = 5_000
_LATE_MS: Final = 60_000  # an older event may come again long after it was handled
_log = structlog.get_logger("search")


class Reader(Consumer):
    """Reads all partitions of the topics that fill the index."""

    def __init__(self, kafka_settings: settings.Kafka, metrics: Metrics, index: Index, rows: Rows, *, in_hand: InHand):
        super().__init__(
            kafka_settings, metrics, "search", {kind.topic: index.apply for kind in KINDS}, in_hand=in_hand
        )
        self._index, self._rows, self._log = index, rows, ""
        self._lost = False  # whether the log lacks events that were not applied, whatever its offsets say
        self._next: dict[str, int] = {}  # by topic:partition, what was applied
        self._visible: dict[str, int] = {}  # and what was committed
        self._invisible: list[tuple[str, int]] = []  # topic and time of events that were applied and not committed

    async def _run(self) -> None:
        attempt = 0
        while True:
            kafka = AIOKafkaConsumer(
                *(kind.topic for kind in KINDS),
                bootstrap_servers=self._kafka_settings.bootstrap,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",  # a position that is not on the log is an error: the index lacks something
                request_timeout_ms=_REQUEST_MS,
                retry_backoff_ms=RECONNECT_MS,
                metadata_max_age_ms=5_000,  # how late it may see topics that were created again
                fetch_max_wait_ms=200,
            )
            try:
                await self._begin(kafka)
                self._kafka, attempt = kafka, 0
                async with Handled(self._kafka_settings, {}) as asking:
                    await self._follow(kafka, asking)
            except (KafkaError, OSError, Failure) as error:
                attempt += 1
                self._lost = self._lost or isinstance(error, OffsetOutOfRangeError | NoOffsetForPartitionError)
                _log.warning("log_lost", error=str(error) or type(error).__name__, attempt=attempt)
            finally:
                self._kafka = None
                await stopped(kafka, kafka._client)
            await asyncio.sleep(pause_seconds(attempt))

    async def _begin(self, kafka: AIOKafkaConsumer) -> None:
        """Continue at the index's offsets, if this log still has them; else rebuild the index from PostgreSQL."""
        await self._index.roll_back()  # what is not visible is read again
        self._invisible.clear()
        async with asyncio.timeout(_OPEN_SECONDS):
            await topics.create_missing(self._kafka_settings)
            await topics.started(kafka)
            partitions = sorted(kafka.assignment())  # all partitions: this reader is in no group
            if {each.topic for each in partitions} != set(self.topics):
                raise Unavailable("Topics are being made")
            async with Handled(self._kafka_settings, {}) as asking:
                log = await asking.log_id()
            ends, begins = await kafka.end_offsets(partitions), await kafka.beginning_offsets(partitions)
        standing = await self._index.standing()
        behind = any(not begins[each] <= standing.offsets.get(_name(each), 0) <= ends[each] for each in partitions)
        if standing.log != log or behind or self._lost:
            self._lost = True  # until the index is rebuilt, however often that is started
            standing = Standing(log=log, offsets={_name(each): ends[each] for each in partitions})
            await self._fill(standing)
            self._lost = False
        self._log = log
        self._next = dict(standing.offsets)
        for each in partitions:
            kafka.seek(each, self._next.get(_name(each), begins[each]))
        self._visible = dict(self._next)

    async def _fill(self, standing: Standing) -> None:
        began, users, posts = monotonic(), 0, 0
        await self._index.begin_rebuild()
        async for people in self._rows.users():
            await self._index.apply(people)
            users += len(people)
        async for tagged in self._rows.posts():
            await self._index.apply(tagged)
            posts += len(tagged)
        await self._index.commit(standing)
        _log.warning("index_filled", users=users, posts=posts, seconds=round(monotonic() - began, 3))

    async def _follow(self, kafka: AIOKafkaConsumer, asking: Handled) -> None:
        asked = monotonic()
        waits_since: float | None = None  # when the oldest invisible event was applied
        while True:
            if monotonic() - asked >= _ASK_SECONDS:
                asked = monotonic()
                if await asking.log_id() != self._log:  # to which these offsets do not apply
                    raise Unavailable("The log is another one now")
            batches = await kafka.getmany(timeout_ms=100, max_records=_RECORDS_MAX)
            for partition, records in batches.items():
                await self._take(partition, records)
            if batches and waits_since is None:
                waits_since = monotonic()
            if waits_since is not None and (not batches or monotonic() - waits_since >= _COMMIT_SECONDS):
                await self._index.commit(Standing(log=self._log, offsets=self._next))
                self._visible, waits_since = dict(self._next), None
                self._measure()

    async def _take(self, partition: Any, records: Sequence[Any]) -> None:
        events: list[Message] = []
        read: list[tuple[Any, Message]] = []
        for each in records:
            try:
                event = messages.decode(each.topic, each.value)
            except ValueError as error:
                await self._bury(each, None, error)
            else:
                events.append(event)
                read.append((each, event))
        try:
            await self._index.apply(await self._alive(events))
        except Failure:
            raise
        except Exception as error:  # noqa: BLE001 - one of them is bad: each alone, so that the others are found
            _log.warning("events_apart", topic=partition.topic, events=len(events), error=repr(error)[:500])
            for each, event in read:
                await self._take_one(each, event)
        self._next[_name(partition)] = records[-1].offset + 1
        self._invisible.extend((partition.topic, event.at_ms) for event in events)
        self._metrics.event(partition.topic, "in", len(events))

    def _measure(self) -> None:
        """Record the age of the events that can be found from now on."""
        now = now_ms()
        for topic, at_ms in self._invisible:
            self._lag[topic].observe(max(0, now - at_ms) / 1000)
        self._invisible.clear()

    async def _take_one(self, record: Any, event: Message) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                await self._index.apply(await self._alive([event]))
                return
            except Failure:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this event's
                if attempt == TRIES:
                    await self._bury(record, event, error, tries=attempt)

    async def _alive(self, events: list[Message]) -> list[Message]:
        """Drop late events of deleted posts, whose deletion may have been forgotten by now."""
        before_ms = now_ms() - _LATE_MS
        late = [event.post_id for event in events if isinstance(event, PostCreated) and event.at_ms < before_ms]
        if not late:
            return events
        gone = await self._rows.gone(late)
        return [event for event in events if not (isinstance(event, PostCreated) and event.post_id in gone)]

    async def caught_up(self) -> bool:
        """Whether everything that is on the log now can be found."""
        kafka = self._kafka
        if kafka is None:
            return False
        ends: Mapping[Any, int] = await kafka.end_offsets(list(kafka.assignment()))
        return all(self._visible.get(_name(partition), 0) >= end for partition, end in ends.items())


def _name(partition: Any) -> str:
    return f"{partition.topic}:{partition.partition}"


def use(app: web.Application, index: Index, rows: Rows) -> None:
    """Open the index and keep it up to date with the log while the application runs."""
    member = app[MEMBER]
    reader = Reader(
        required(member.stores.kafka, "Kafka", member.component),
        app[METRICS],
        index,
        rows,
        in_hand=in_hand_at(app[SETTINGS].data_directory),
    )

    async def opened(_app: web.Application) -> AsyncIterator[None]:
        await index.open()
        yield
        await index.close()

    app.cleanup_ctx.append(opened)
    consumers: list[Consumer] = [reader]
    app[CONSUMERS] = consumers
    run_beside(app, reader.run)
