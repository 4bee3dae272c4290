"""Asks the broker for the progress of consumer groups and the identity of the log, for the outboxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from core import settings
from core.failures import Unavailable
from services.kit.topics import started

_REQUEST_MS: Final = 5_000


class Handled:
    """A connection to the broker; every method raises Unavailable."""

    def __init__(self, kafka_settings: settings.Kafka, groups: Mapping[str, tuple[str, ...]]):
        self._kafka_settings, self._groups = kafka_settings, groups
        self._admin = AIOKafkaAdminClient(bootstrap_servers=kafka_settings.bootstrap, request_timeout_ms=_REQUEST_MS)

    async def __aenter__(self) -> Self:
        try:
            await started(self._admin)
        except BaseException as error:
            await self._admin.close()
            if not isinstance(error, KafkaError | OSError):
                raise
            raise Unavailable("The log cannot be reached") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._admin.close()

    async def log_id(self) -> str:
        """Identity of the log, which changes when it is formatted again."""
        try:
            cluster = await self._admin.describe_cluster()
        except (KafkaError, OSError) as error:
            raise Unavailable("The log cannot be reached") from error
        return str(cluster.get("cluster_id") or "")

    async def positions(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """For each partition the offset before which every group of its topic has handled all events."""
        by_group: dict[str, list[TopicPartition]] = {}
        lowest: dict[TopicPartition, int] = {}
        for partition in partitions:
            for group in self._groups.get(partition.topic, ()):
                by_group.setdefault(group, []).append(partition)
        try:
            for group, wanted in by_group.items():
                committed = await self._admin.list_consumer_group_offsets(group, partitions=wanted)
                for partition in wanted:
                    offset = committed[partition].offset if partition in committed else -1
                    lowest[partition] = min(lowest.get(partition, offset), offset)
        except (KafkaError, OSError) as error:
            raise Unavailable("The log cannot be reached") from error
        return lowest

    async def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """End offset of each partition."""
        asking = AIOKafkaConsumer(bootstrap_servers=self._kafka_settings.bootstrap, request_timeout_ms=_REQUEST_MS)
        try:
            await started(asking)
            ends: dict[TopicPartition, int] = await asking.end_offsets(list(partitions))
        except (KafkaError, OSError) as error:
            raise Unavailable("The log cannot be reached") from error
        finally:
            await asking.stop()
        return ends
