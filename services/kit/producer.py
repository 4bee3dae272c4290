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

RECONNECT_MS: Final = 300  # the libraries try to connect this often
STOP_SECONDS: Final = 1.5
_REQUEST_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One encoded event on its way out."""

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
    """Sends records; connects when first used, and anew after any failure (an idempotent producer cannot go on).

    While the broker is away a connected producer waits for it, for as long as that takes: nothing sent is given up, so
    nothing is sent twice, and what waits leaves as soon as the broker is back.
    """

    def __init__(self, kafka_settings: settings.Kafka, metrics: Metrics):
        self._kafka_settings, self._metrics = kafka_settings, metrics
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def send(self, records: Sequence[LogRecord]) -> list[LogPosition]:
        """Where the log holds them, once it does, in this order per key; raises Unavailable when some may lack."""
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
        """Disconnect; what was not acknowledged is not known to be sent."""
        async with self._lock:
            producer, self._producer = self._producer, None
            if producer is not None:
                await stopped(producer, producer.client, producer._sender.sender_task)


async def stopped(member: Any, client: Any, sender: asyncio.Task[None] | None = None) -> None:
    """Say goodbye and disconnect; a broker that does not answer in time is left without a word.

    In a task of its own: a member that stops while a fetch waits for its next try raises CancelledError, and whoever
    waited for it would end as if it were cancelled itself. It is then still connected.
    """
    stopping = asyncio.create_task(member.stop())
    done, _ = await asyncio.wait((stopping,), timeout=STOP_SECONDS)
    if not done or stopping.cancelled():
        if sender is not None:
            for _ in range(2):  # at the first it waits for what is in flight, at the second it lets go
                sender.cancel()
                await asyncio.wait((sender,), timeout=0.1)
        closing = asyncio.create_task(client.close())  # what `stop` waits for fails now, and it goes on
        await asyncio.wait((stopping, closing), timeout=STOP_SECONDS)
        closing.cancel()
    stopping.cancel()
    await asyncio.wait((stopping,), timeout=STOP_SECONDS)
    if not stopping.done():
        return
    with suppress(KafkaError, OSError, asyncio.CancelledError):
        await stopping
