"""Producers of the log: an acknowledged record is on all replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from core import messages, settings
from core.failures import Unavailable
from core.messages import Message
from services.kit import topics
from services.kit.metrics import Metrics

RECONNECT_MS: Final = 300  # how often the clients try to reconnect
STOP_SECONDS: Final = 1.5
_REQUEST_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One encoded event to send."""

    topic: str
    key: bytes
    payload: bytes


class LogPosition(NamedTuple):
    """Where the log holds a record."""

    partition: TopicPartition
    offset: int


def record(message: Message) -> LogRecord:
    """Encode ``message``."""
    return LogRecord(topic=message.topic, key=str(message.key()).encode(), payload=messages.encode(message))


class Producer:
    """Sends records; connects on first use and again after any failure (an idempotent producer cannot continue).

    While the broker is away, a connected producer waits for it as long as necessary: no record is given up, so none is
    sent twice, and waiting records are sent as soon as the broker is back.
    """

    def __init__(self, kafka_settings: settings.Kafka, metrics: Metrics):
        self._kafka_settings, self._metrics = kafka_settings, metrics
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def send(self, records: Sequence[LogRecord]) -> list[LogPosition]:
        """Send records in order per key, and return their positions; raises Unavailable when some may be missing."""
        try:
            producer = await self._connected()
            acknowledgements = [await producer.send(each.topic, each.payload, each.key) for each in records]
            done = await asyncio.gather(*acknowledgements)
        except (KafkaError, OSError) as error:
            await self.close()
            raise Unavailable("The log cannot be reached") from error
        for each in records:
            self._metrics.event(each.topic, "out")
        return [LogPosition(TopicPartition(each.topic, each.partition), each.offset) for each in done]

    async def _connected(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                await topics.create_missing(self._kafka_settings)
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._kafka_settings.bootstrap,
                    acks="all",
                    enable_idempotence=True,
                    request_timeout_ms=round(_REQUEST_SECONDS * 1000),
                    retry_backoff_ms=RECONNECT_MS,
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
        """Disconnect; records that were not acknowledged may have been sent or not."""
        async with self._lock:
            producer, self._producer = self._producer, None
            if producer is not None:
                await stopped(producer, producer.client, producer._sender.sender_task)


async def stopped(member: Any, client: Any, sender: asyncio.Task[None] | None = None) -> None:
    """Stop a client; if the broker does not answer in time, only close the connection.

    In a task of its own: a client that stops while a fetch waits for its next try raises CancelledError, which would
    look like a cancellation of the caller. It is then still connected.
    """
    stopping = asyncio.create_task(member.stop())
    done, _ = await asyncio.wait((stopping,), timeout=STOP_SECONDS)
    if not done or stopping.cancelled():
        if sender is not None:
            for _ in range(2):  # the first time it waits for requests in flight, the second time it ends
                sender.cancel()
                await asyncio.wait((sender,), timeout=0.1)
        closing = asyncio.create_task(client.close())  # makes what `stop` waits for fail, so that it continues
        await asyncio.wait((stopping, closing), timeout=STOP_SECONDS)
        closing.cancel()
    stopping.cancel()
    await asyncio.wait((stopping,), timeout=STOP_SECONDS)
    if not stopping.done():
        return
    with suppress(KafkaError, OSError, asyncio.CancelledError):
        await stopping
