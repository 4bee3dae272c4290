"""The log: a producer that acknowledges only what all replicas have, and consumers that handle at least once, in order.

Both outlive the broker: they start without it, and go on when it is back. A consumer commits after handling; handlers
must therefore bear to see an event twice.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from core import messages, settings
from core.failures import Failure, Unavailable
from core.messages import DEAD_ERROR_CHARACTERS_MAX, DEAD_PAYLOAD_BYTES_MAX, DeadLetter, Message
from core.policies import patience
from services.kit.clock import now_ms
from services.kit.config import MEMBER, required
from services.kit.logs import REQUEST_ID
from services.kit.metrics import METRICS, Metrics
from services.kit.stores import translated

EventHandler = Callable[[Any], Awaitable[None]]

_REQUEST_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 1.5
_RECONNECT_MS: Final = 300  # the libraries try to connect this often
_RECORDS_MAX: Final = 500  # records taken at once
TRIES: Final = 3  # of an event whose handler fails in a way that time does not mend
_log = structlog.get_logger("bus")


class Poison(Exception):  # noqa: N818 - a verdict on an event, which its handler reaches
    """Raised by a handler that knows that no further try of this event can succeed: it is given up at once.

    ``tries`` says how often the handler has tried, where it counts by itself.
    """

    def __init__(self, reason: str, *, tries: int = 1):
        super().__init__(reason)
        self.tries = tries


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One encoded event on its way out."""

    topic: str
    key: bytes
    payload: bytes


def record(message: Message) -> Record:
    """Encode ``message``."""
    return Record(topic=message.topic, key=str(message.key()).encode(), payload=messages.encode(message))


def pause_seconds(attempt: int) -> float:
    """Capped exponential back-off with jitter; ``attempt`` counts from 0."""
    return patience.pause_seconds(attempt, random.random())


class Producer:
    """Sends records; connects when first used, and anew after any failure (an idempotent producer cannot go on).

    While the broker is away a connected producer waits for it, for as long as that takes: nothing sent is given up, so
    nothing is sent twice, and what waits leaves as soon as the broker is back.
    """

    def __init__(self, told: settings.Kafka, metrics: Metrics):
        self._told, self._metrics = told, metrics
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def send(self, records: Sequence[Record]) -> None:
        """Return once the log holds all of them, in this order per key; raises Unavailable when some may be missing."""
        try:
            producer = await self._connected()
            acknowledgements = [await producer.send(each.topic, each.payload, each.key) for each in records]
            await asyncio.gather(*acknowledgements)
        except (KafkaError, OSError) as error:
            await self.close()
            raise Unavailable("The log cannot be reached") from error
        for each in records:
            self._metrics.event(each.topic, "out")

    async def _connected(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._told.bootstrap,
                    acks="all",
                    enable_idempotence=True,
                    request_timeout_ms=round(_REQUEST_SECONDS * 1000),
                    retry_backoff_ms=_RECONNECT_MS,
                    linger_ms=0,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def close(self) -> None:
        """Disconnect; what was not acknowledged is not known to be sent."""
        async with self._lock:
            producer, self._producer = self._producer, None
            if producer is not None:
                await _stopped(producer, producer.client, producer._sender.sender_task)


class Consumer:
    """A member of one consumer group."""

    def __init__(
        self,
        told: settings.Kafka,
        metrics: Metrics,
        group: str,
        handlers: Mapping[str, EventHandler],
        *,
        batches: bool = False,
    ):
        self._told, self._metrics, self._group = told, metrics, group
        self._handlers, self._batches = dict(handlers), batches
        self._kafka: AIOKafkaConsumer | None = None
        self._letters = Producer(told, metrics)
        self._lag = {topic: metrics.lag.series(metrics.component, topic) for topic in handlers}

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
                *self._handlers,
                bootstrap_servers=self._told.bootstrap,
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                retry_backoff_ms=_RECONNECT_MS,
                fetch_max_wait_ms=1_000,  # the broker answers at once when there is something
                session_timeout_ms=10_000,
                heartbeat_interval_ms=2_000,
                # a handler may wait for PostgreSQL to come back for longer than any poll interval
                max_poll_interval_ms=86_400_000,
            )
            try:
                await kafka.start()
                self._kafka, attempt = kafka, 0
                await self._consume(kafka)
            except (KafkaError, OSError) as error:
                attempt += 1
                _log.warning("consumer_lost", group=self._group, error=str(error), attempt=attempt)
            finally:
                self._kafka = None
                await _stopped(kafka, kafka._client)
            await asyncio.sleep(pause_seconds(attempt))

    async def _consume(self, kafka: AIOKafkaConsumer) -> None:
        while True:
            batches = await kafka.getmany(timeout_ms=1000, max_records=_RECORDS_MAX)
            if not batches:
                continue
            # partitions side by side, each in order
            handled = await asyncio.gather(
                *(self._handle_all(records) for records in batches.values()), return_exceptions=True
            )
            for error in handled:
                if error is not None:
                    raise error
            with suppress(CommitFailedError, IllegalStateError):  # taken from us: the new owner handles them again
                await kafka.commit({partition: records[-1].offset + 1 for partition, records in batches.items()})

    async def _handle_all(self, records: Sequence[Any]) -> None:
        pairs: list[tuple[Any, Message]] = []
        for each in records:
            try:
                pairs.append((each, messages.decode(each.topic, each.value)))
            except ValueError as error:
                await self._bury(each, None, error)
        for part in [pairs] if self._batches else [[pair] for pair in pairs]:
            if part:
                await self._handle(part)

    async def _handle(self, part: Sequence[tuple[Any, Message]]) -> None:
        topic, events = part[0][0].topic, [message for _, message in part]
        handler, attempt = self._handlers[topic], 0
        REQUEST_ID.set(events[0].request_id if len(events) == 1 else "")
        while True:
            try:
                await handler(events if self._batches else events[0])
                break
            except Exception as error:  # noqa: BLE001 - told below: what time mends is tried again, the rest is buried
                failure: Failure | None = translated(error)
                attempt += 1
                poison = isinstance(error, Poison)
                if poison or (not (failure is not None and failure.retryable) and attempt >= TRIES):
                    if len(part) > 1:  # one bad event must not bury its neighbours
                        for pair in part:
                            await self._handle([pair])
                        return
                    await self._bury(*part[0], error, tries=error.tries if isinstance(error, Poison) else attempt)
                    return
                _log.warning("event_retried", topic=topic, events=len(part), attempt=attempt, error=repr(error))
            await asyncio.sleep(pause_seconds(attempt))
        now, lag = now_ms(), self._lag[topic]
        for event in events:
            lag.observe(max(0, now - event.at_ms) / 1000)
        self._metrics.event(topic, "in", len(events))

    async def _bury(self, each: Any, event: Message | None, error: BaseException | str, *, tries: int = 1) -> None:
        """Write a dead letter; the event counts as handled once the log has it, for as long as that takes."""
        letter = _letter(self._group, each, event, error if isinstance(error, str) else repr(error), tries=tries)
        attempt = 0
        while True:
            try:
                await self._letters.send(
                    [Record(topic=letter.topic, key=each.key or b"", payload=messages.encode(letter))]
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
        """Whether this group has handled and committed everything now on the log, by whichever member."""
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


async def _stopped(member: Any, client: Any, sender: asyncio.Task[None] | None = None) -> None:
    """Say goodbye and disconnect; a broker that does not answer in time is left without a word."""
    stopping = asyncio.create_task(member.stop())
    done, _ = await asyncio.wait((stopping,), timeout=_STOP_SECONDS)
    if not done:
        if sender is not None:
            for _ in range(2):  # at the first it waits for what is in flight, at the second it lets go
                sender.cancel()
                await asyncio.wait((sender,), timeout=0.1)
        await client.close()  # what `stop` waits for fails now, and it goes on
        await asyncio.wait((stopping,), timeout=_STOP_SECONDS)
    stopping.cancel()
    with suppress(KafkaError, OSError, asyncio.CancelledError):
        await stopping


CONSUMERS: Final = web.AppKey("CONSUMERS", list[Consumer])


def consume(app: web.Application, group: str, handlers: Mapping[type[Message], EventHandler]) -> Consumer:
    """Handle events from start to stop of the application: ``consume(app, "fanout", {PostCreated: on_post})``."""
    return _consumer(app, group, handlers, batches=False)


def consume_batches(app: web.Application, group: str, handlers: Mapping[type[Message], EventHandler]) -> Consumer:
    """`consume` with handlers that take a list of events of one partition, in order (up to 500)."""
    return _consumer(app, group, handlers, batches=True)


def _consumer(
    app: web.Application, group: str, handlers: Mapping[type[Message], EventHandler], *, batches: bool
) -> Consumer:
    member = app[MEMBER]
    told = required(member.stores.kafka, "Kafka", member.component)
    by_topic = {kind.topic: handler for kind, handler in handlers.items()}
    consumer = Consumer(told, app[METRICS], group, by_topic, batches=batches)
    if CONSUMERS not in app:
        app[CONSUMERS] = []
    app[CONSUMERS].append(consumer)
    run_beside(app, consumer.run)
    return consumer


def run_beside(app: web.Application, act: Callable[[], Awaitable[None]]) -> None:
    """Run ``act`` as a task for as long as the application lives (after what was wired before it has been opened).

    One that ends by an exception is a bug: it is logged whole and started again after a pause.
    """

    async def forever() -> None:
        while True:
            try:
                await act()
                return
            except Exception as error:  # noqa: BLE001 - the top of a task: nobody else would tell
                _log.error("task_failed", task=getattr(act, "__qualname__", "task"), exc_info=error)
            await asyncio.sleep(1.0)

    async def beside(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(forever())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    app.cleanup_ctx.append(beside)
