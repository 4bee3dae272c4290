"""Consumers: at least once, in order by key; no partition, and no key, waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from core import messages, settings
from core.bounds import CONSUMER_RECORDS_MAX, CONSUMER_SESSION_SECONDS
from core.failures import Unavailable
from core.messages import DEAD_ERROR_CHARACTERS_MAX, DEAD_PAYLOAD_BYTES_MAX, DeadLetter, Message
from services.kit import topics
from services.kit.clock import now_ms
from services.kit.inhand import InHand
from services.kit.item import DEADLINE_SECONDS, Item, Progress, Work
from services.kit.lanes import WINDOW_MAX, PartitionLane, pause_seconds
from services.kit.metrics import Metrics
from services.kit.producer import RECONNECT_MS, STOP_SECONDS, LogRecord, Producer, stopped

EventHandler = Callable[[Any], Awaitable[None]]

_COMMIT_SECONDS: Final = 0.02  # between commits, so that under load one covers many events
_log = structlog.get_logger("bus")


class Consumer:
    """A member of one consumer group; each partition has a `PartitionLane`, and none waits for another."""

    def __init__(
        self,
        kafka_settings: settings.Kafka,
        metrics: Metrics,
        group: str,
        handlers: Mapping[str, EventHandler],
        *,
        in_hand: InHand,
        batches: bool = False,
        at_once: int = 1,
        deadline_seconds: float = DEADLINE_SECONDS,
    ):
        self._kafka_settings, self._metrics, self._group = kafka_settings, metrics, group
        self._handlers, self._batches = dict(handlers), batches
        self._kafka: AIOKafkaConsumer | None = None
        self._letters = Producer(kafka_settings, metrics)
        self._lag = {topic: metrics.lag.series(metrics.component, topic) for topic in handlers}
        self._lanes: dict[TopicPartition, PartitionLane] = {}
        self._rebalances = 0  # and other times at which the lanes were closed
        self._moved = asyncio.Event()
        self._broken: asyncio.Queue[BaseException] = asyncio.Queue()
        self._work = Work(
            handle=self._handle,
            give_up=self._give_up,
            moved=self._moved.set,
            broken=self._broken.put_nowait,
            progress=Progress(),
            in_hand=in_hand,
            batches=batches,
            at_once=at_once,
            deadline_seconds=deadline_seconds,
        )

    @property
    def group(self) -> str:
        """Its consumer group."""
        return self._group

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that it consumes."""
        return tuple(self._handlers)

    async def run(self) -> None:
        """Consume until cancelled."""
        try:
            await self._run()
        finally:
            await self._letters.close()

    async def _run(self) -> None:
        attempt = 0
        while True:
            kafka = AIOKafkaConsumer(
                bootstrap_servers=self._kafka_settings.bootstrap,
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                retry_backoff_ms=RECONNECT_MS,
                metadata_max_age_ms=5_000,  # how late it may see topics that were created again
                fetch_max_wait_ms=1_000,  # the broker answers at once when it has records
                session_timeout_ms=round(1000 * CONSUMER_SESSION_SECONDS),
                heartbeat_interval_ms=2_000,
                # a handler may wait for PostgreSQL to come back for longer than any poll interval
                max_poll_interval_ms=86_400_000,
            )
            kafka.subscribe(tuple(self._handlers), listener=_Reassigned(self._close_lanes))
            try:
                await topics.create_missing(self._kafka_settings)
                await kafka.start()
                self._kafka, attempt = kafka, 0
                await self._consume(kafka)
            except (KafkaError, OSError) as error:
                attempt += 1
                _log.warning("consumer_lost", group=self._group, error=str(error), attempt=attempt)
            finally:
                self._kafka = None
                await self._close_lanes()
                await stopped(kafka, kafka._client)
            await asyncio.sleep(pause_seconds(attempt))

    async def _consume(self, kafka: AIOKafkaConsumer) -> None:
        """Fetch and commit side by side, until one of them fails."""
        acts = {asyncio.create_task(act) for act in (self._fetch(kafka), self._commit(kafka), self._watch())}
        try:
            ended, _ = await asyncio.wait(acts, return_when=asyncio.FIRST_COMPLETED)
            for act in ended:
                act.result()
        finally:
            for act in acts:
                act.cancel()
            await asyncio.gather(*acts, return_exceptions=True)
            await self._close_lanes()
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._commit_once(kafka)

    async def _fetch(self, kafka: AIOKafkaConsumer) -> None:
        while True:
            full = {partition for partition, lane in self._lanes.items() if len(lane) >= WINDOW_MAX}
            paused = kafka.paused()
            with suppress(IllegalStateError):  # reassigned meanwhile
                kafka.pause(*(full - paused))
                kafka.resume(*(each for each in paused if len(self._lanes.get(each, ())) <= WINDOW_MAX // 2))
            # a full lane may have room before new records arrive, and nothing wakes this call
            batches = await kafka.getmany(timeout_ms=100 if full else 1000, max_records=CONSUMER_RECORDS_MAX)
            for partition, records in batches.items():
                lane = await self._lane(kafka, partition, records[0].offset)
                if lane is not None:
                    lane.put([_item(each) for each in records])

    async def _lane(self, kafka: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> PartitionLane | None:
        """The lane for a record of this offset; None when events before it were skipped: they are fetched again.

        Records fetched before a rebalance may arrive after it, and a log that has lost its data starts from 0: so a new
        lane always begins at the committed offset.
        """
        lane = self._lanes.get(partition)
        if lane is not None:
            if lane.follows == offset:
                return lane
            del self._lanes[partition]
            await lane.close()
        rebalances = self._rebalances
        begins = (await kafka.beginning_offsets([partition]))[partition]
        begins = max(begins, await kafka.committed(partition) or 0)
        if rebalances != self._rebalances:
            return None  # the next record will show the gap, and these are fetched again
        if offset > begins:
            with suppress(IllegalStateError):
                kafka.seek(partition, begins)
            return None
        lane = self._lanes[partition] = PartitionLane(
            f"{self._group} {partition.topic} {partition.partition}", self._work
        )
        return lane

    async def _commit(self, kafka: AIOKafkaConsumer) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            await self._commit_once(kafka)
            await asyncio.sleep(_COMMIT_SECONDS)

    async def _commit_once(self, kafka: AIOKafkaConsumer) -> None:
        moved = {partition: lane.position for partition, lane in self._lanes.items() if lane.position > lane.committed}
        if not moved:
            return
        lanes = {partition: self._lanes[partition] for partition in moved}
        with suppress(CommitFailedError, IllegalStateError):  # reassigned: the new owner handles them again
            await kafka.commit(moved)
            for partition, position in moved.items():
                lanes[partition].has_committed(position)

    async def _watch(self) -> None:
        raise await self._broken.get()

    async def _close_lanes(self) -> None:
        """Close all lanes before a rebalance: the partitions' next owners begin at the committed offsets."""
        self._rebalances += 1
        lanes = list(self._lanes.values())
        await asyncio.gather(*(lane.close() for lane in lanes))
        kafka = self._kafka
        if kafka is not None and lanes:
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._commit_once(kafka)
        self._lanes.clear()

    async def _handle(self, items: Sequence[Item]) -> None:
        topic = items[0].record.topic
        events = [item.event for item in items if item.event is not None]
        await self._handlers[topic](events if self._batches else events[0])
        now, lag = now_ms(), self._lag[topic]
        for event in events:
            lag.observe(max(0, now - event.at_ms) / 1000)
        self._metrics.event(topic, "in", len(events))

    async def _give_up(self, item: Item, error: BaseException | str, tries: int) -> None:
        await self._bury(item.record, item.event, error, tries=tries)

    async def _bury(self, each: Any, event: Message | None, error: BaseException | str, *, tries: int = 1) -> None:
        """Write a dead letter, however long that takes; the event counts as handled once the log has it."""
        letter = _letter(self._group, each, event, error if isinstance(error, str) else repr(error), tries=tries)
        attempt = 0
        while True:
            try:
                await self._letters.send(
                    [LogRecord(topic=letter.topic, key=each.key or b"", payload=messages.encode(letter))]
                )
                break
            except Unavailable as failure:
                attempt += 1
                _log.warning("dead_letter_waits", group=self._group, attempt=attempt, error=str(failure))
            await asyncio.sleep(pause_seconds(attempt))
        self._metrics.dead_letter(self._group, each.topic)
        _log.error(
            "dead_letter",
            group=self._group,
            topic=each.topic,
            partition=each.partition,
            offset=each.offset,
            event_id=letter.event_id,
            tries=tries,
            error=letter.error,
            exc_info=error if isinstance(error, BaseException) else None,
        )

    async def caught_up(self) -> bool:
        """Whether the members of this group have handled and committed everything that is now on the log."""
        kafka = self._kafka
        if kafka is None:
            return False
        partitions = [
            TopicPartition(topic, number)
            for topic in self._handlers
            for number in kafka.partitions_for_topic(topic) or ()
        ]
        if not partitions:
            return False
        ends = await kafka.end_offsets(partitions)
        for partition, end in ends.items():
            if end and (await kafka.committed(partition) or 0) < end:
                return False
        return True


def _letter(group: str, each: Any, event: Message | None, error: str, *, tries: int) -> DeadLetter:
    return DeadLetter(
        event_id=0 if event is None else event.event_id,
        at_ms=now_ms(),
        request_id="" if event is None else event.request_id,
        group=group,
        source=each.topic,
        partition=each.partition,
        offset=each.offset,
        event_key=(each.key or b"").decode(errors="replace"),
        payload=each.value[:DEAD_PAYLOAD_BYTES_MAX],
        payload_size_bytes=len(each.value),
        error=error[:DEAD_ERROR_CHARACTERS_MAX],
        tries=tries,
    )


def _item(record: Any) -> Item:
    try:
        return Item(record=record, event=messages.decode(record.topic, record.value))
    except ValueError as error:
        return Item(record=record, event=None, error=str(error), tries=1)


class _Reassigned(ConsumerRebalanceListener):  # type: ignore[misc]
    """Closes the lanes before a rebalance."""

    def __init__(self, close: Callable[[], Awaitable[None]]):
        self._close = close

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self._close()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        pass
