"""The log: a producer that acknowledges only what all replicas have, and consumers that handle at least once, in order.

Both survive an outage of the broker: they start without it, and continue when it is back. A consumer commits after
handling; handlers must therefore tolerate the same event twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

import structlog
from aiohttp import web

from core.messages import Message
from services.kit.config import MEMBER, SETTINGS, required
from services.kit.consumer import Consumer, EventHandler
from services.kit.inhand import in_hand_at
from services.kit.item import DEADLINE_SECONDS, Poison
from services.kit.lanes import TRIES, pause_seconds
from services.kit.metrics import METRICS
from services.kit.producer import LogRecord, Producer, record

#: What services need from the log, in one place.
__all__ = [
    "CONSUMERS",
    "TRIES",
    "Consumer",
    "LogRecord",
    "Poison",
    "Producer",
    "consume",
    "consume_batches",
    "pause_seconds",
    "record",
    "run_beside",
]

_log = structlog.get_logger("bus")

CONSUMERS: Final = web.AppKey("CONSUMERS", list[Consumer])


def consume(
    app: web.Application,
    group: str,
    handlers: Mapping[type[Message], EventHandler],
    *,
    at_once: int = 1,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Consumer:
    """Handle events from start to stop of the application: ``consume(app, "fanout", {PostCreated: on_post})``.

    Events of one key stay in order. ``at_once`` events of a partition are handled concurrently, not counting those that
    take longer than a slice. A call that misses the deadline is retried as described in `services.kit.lanes`.
    """
    return _consumer(app, group, handlers, batches=False, at_once=at_once, deadline_seconds=deadline_seconds)


def consume_batches(
    app: web.Application,
    group: str,
    handlers: Mapping[type[Message], EventHandler],
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Consumer:
    """`consume` with handlers that take a list of events of one partition, in order (up to 500)."""
    return _consumer(app, group, handlers, batches=True, at_once=1, deadline_seconds=deadline_seconds)


def _consumer(
    app: web.Application,
    group: str,
    handlers: Mapping[type[Message], EventHandler],
    *,
    batches: bool,
    at_once: int,
    deadline_seconds: float,
) -> Consumer:
    member = app[MEMBER]
    kafka_settings = required(member.stores.kafka, "Kafka", member.component)
    by_topic = {kind.topic: handler for kind, handler in handlers.items()}
    consumer = Consumer(
        kafka_settings,
        app[METRICS],
        group,
        by_topic,
        in_hand=in_hand_at(app[SETTINGS].data_directory),
        batches=batches,
        at_once=at_once,
        deadline_seconds=deadline_seconds,
    )
    if CONSUMERS not in app:
        app[CONSUMERS] = []
    app[CONSUMERS].append(consumer)
    run_beside(app, consumer.run)
    return consumer


def run_beside(app: web.Application, act: Callable[[], Awaitable[None]]) -> None:
    """Run ``act`` as a task while the application runs (after everything wired before it has been opened).

    An exception is a bug: it is logged in full, and ``act`` is started again after a pause. So is a CancelledError from
    something that ``act`` waited for, if the task itself was not cancelled.
    """

    async def forever() -> None:
        while True:
            try:
                await act()
                return
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                _log.error("task_failed", task=getattr(act, "__qualname__", "task"), exc_info=error)
            except Exception as error:  # noqa: BLE001 - the top of a task: nothing else would report it
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
