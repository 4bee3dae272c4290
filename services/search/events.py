"""Fills the index from the log, from where the index itself says that it stands.

Every process has an index of its own and so reads all partitions: there is no consumer group, and offsets are kept
with what they stand for. What is on the log is found within a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import structlog
from aiohttp import web
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from core import messages, settings
from core.messages import Message, PostCreated, PostDeleted, PostHidden, UserCreated
from services.kit import topics
from services.kit.bus import CONSUMERS, Consumer, pause_seconds, run_beside
from services.kit.clock import now_ms
from services.kit.config import MEMBER, SETTINGS, required
from services.kit.inhand import InHand, in_hand_at
from services.kit.metrics import METRICS, Metrics
from services.search.store import Index

KINDS: Final[tuple[type[Message], ...]] = (UserCreated, PostCreated, PostHidden, PostDeleted)
_COMMIT_SECONDS: Final = 0.5  # at most so long is anything taken in and not yet visible
_RECORDS_MAX: Final = 2_000
_STOP_SECONDS: Final = 3.0
_log = structlog.get_logger("search")


class Reader(Consumer):
    """Reads all partitions of the topics that the index is made of."""

    def __init__(self, told: settings.Kafka, metrics: Metrics, index: Index, *, in_hand: InHand):
        super().__init__(told, metrics, "search", {kind.topic: index.apply for kind in KINDS}, in_hand=in_hand)
        self._index = index
        self._next: dict[str, int] = {}  # by topic:partition, what was taken in
        self._visible: dict[str, int] = {}  # and what was committed

    async def _run(self) -> None:
        attempt = 0
        while True:
            kafka = AIOKafkaConsumer(
                *(kind.topic for kind in KINDS),
                bootstrap_servers=self._told.bootstrap,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=200,
            )
            try:
                await topics.create_missing(self._told)
                await topics.started(kafka)
                await self._begin(kafka)
                self._kafka, attempt = kafka, 0
                await self._follow(kafka)
            except (KafkaError, OSError) as error:
                attempt += 1
                _log.warning("log_lost", error=str(error), attempt=attempt)
            finally:
                self._kafka = None
                with suppress(KafkaError, OSError, TimeoutError):
                    async with asyncio.timeout(_STOP_SECONDS):
                        await kafka.stop()
            await asyncio.sleep(pause_seconds(attempt))

    async def _begin(self, kafka: AIOKafkaConsumer) -> None:
        """Stand where the index stands; an index that is ahead of the log belongs to another log and is cleared."""
        partitions = sorted(kafka.assignment())  # all there are: this reader is in no group
        self._next = await self._index.offsets()
        ends = await kafka.end_offsets(partitions)
        if any(self._next.get(_name(each), 0) > ends[each] for each in partitions):
            _log.warning("index_cleared", reason="it is ahead of the log")
            await self._index.clear()
            self._next = {}
        begins = await kafka.beginning_offsets(partitions)
        for each in partitions:
            kafka.seek(each, max(self._next.get(_name(each), 0), begins[each]))
        self._visible = dict(self._next)

    async def _follow(self, kafka: AIOKafkaConsumer) -> None:
        waits_since: float | None = None  # when the oldest thing not yet visible was taken in
        while True:
            batches = await kafka.getmany(timeout_ms=100, max_records=_RECORDS_MAX)
            for partition, records in batches.items():
                await self._take(partition, records)
            if batches and waits_since is None:
                waits_since = monotonic()
            if waits_since is not None and (not batches or monotonic() - waits_since >= _COMMIT_SECONDS):
                await self._index.commit(self._next)
                self._visible, waits_since = dict(self._next), None

    async def _take(self, partition: Any, records: Sequence[Any]) -> None:
        events = []
        for each in records:
            try:
                events.append(messages.decode(each.topic, each.value))
            except ValueError as error:
                await self._bury(each, None, error)
        await self._index.apply(events)
        self._next[_name(partition)] = records[-1].offset + 1
        lag, now = self._lag[partition.topic], now_ms()
        for event in events:
            lag.observe(max(0, now - event.at_ms) / 1000)
        self._metrics.event(partition.topic, "in", len(events))

    async def caught_up(self) -> bool:
        """Whether everything now on the log can be found."""
        kafka = self._kafka
        if kafka is None:
            return False
        ends: Mapping[Any, int] = await kafka.end_offsets(list(kafka.assignment()))
        return all(self._visible.get(_name(partition), 0) >= end for partition, end in ends.items())


def _name(partition: Any) -> str:
    return f"{partition.topic}:{partition.partition}"


def use(app: web.Application, index: Index) -> None:
    """Open the index and keep it up with the log for as long as the application lives."""
    member = app[MEMBER]
    reader = Reader(
        required(member.stores.kafka, "Kafka", member.component),
        app[METRICS],
        index,
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
