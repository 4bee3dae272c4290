"""Creates missing topics: the stack creates them at its start, but a log can lose its data."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from core import settings
from core.messages import TOPICS

_REQUEST_MS: Final = 5_000
_DEFAULT_REPLICATION: Final = -1  # the broker's own


async def started(client: Any) -> None:
    """Start a client; when cancelled, let the start end first: a client cannot close what it is still opening."""
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(KafkaError, OSError):
            await starting
        raise


async def create_missing(kafka_settings: settings.Kafka, wanted: Iterable[str] = TOPICS) -> None:
    """Create the topics that are missing, with the partitions that the settings say; raises KafkaError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_settings.bootstrap, request_timeout_ms=_REQUEST_MS)
    try:
        await started(admin)
        missing = sorted(set(wanted) - set(await admin.list_topics()))
        if missing:
            answer = await admin.create_topics([_new(name, kafka_settings.partitions) for name in missing])
            for _, code, *said in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:  # another process was first
                    raise error(*said)
    finally:
        await admin.close()


def _new(name: str, partitions: int) -> NewTopic:
    # without the empty assignment the library refuses the broker's own replication
    return NewTopic(name, num_partitions=partitions, replication_factor=_DEFAULT_REPLICATION, replica_assignments={})
