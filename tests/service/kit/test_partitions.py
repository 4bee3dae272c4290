"""Kafka chooses an event's partition, and a consumer group assigns partitions, as `core.policies.partition` says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from core.names import Component
from core.policies.partition import owner_of, partition_of
from core.settings import Kafka
from services.kit import topics
from services.kit.metrics import Metrics
from services.kit.producer import LogRecord, Producer
from tests.conftest import Servers
from tests.service.waiting import until

TOPIC = "partitions.test"
PARTITIONS = 7


@pytest.fixture
async def kafka(servers: Servers) -> AsyncIterator[Kafka]:
    """The broker, with a topic of this test's."""
    found = servers.stores(Component.POSTS).kafka
    assert found is not None
    await topics.create_missing(Kafka(bootstrap=found.bootstrap, partitions=PARTITIONS), (TOPIC,))
    yield found
    admin = AIOKafkaAdminClient(bootstrap_servers=found.bootstrap)
    await admin.start()
    await admin.delete_topics([TOPIC])
    await admin.close()


async def test_an_event_is_in_the_partition_that_the_policy_names(kafka: Kafka) -> None:
    keys = [str(number).encode() for number in (*range(1, 60), *(7**power for power in range(3, 21)))]
    producer = Producer(kafka, Metrics("posts"))
    try:
        places = await producer.send([LogRecord(topic=TOPIC, key=key, payload=b"{}") for key in keys])
    finally:
        await producer.close()

    assert [place.partition.partition for place in places] == [partition_of(key, PARTITIONS) for key in keys]
    assert {place.partition.partition for place in places} == set(range(PARTITIONS))


async def test_a_group_deals_partitions_to_its_members_as_the_policy_does(kafka: Kafka) -> None:
    async with AsyncExitStack() as stack:
        members: list[AIOKafkaConsumer] = []
        for present in (1, 2, 3):
            # as `services.kit.consumer` creates them: with the default assignment of partitions
            member = AIOKafkaConsumer(
                TOPIC, bootstrap_servers=kafka.bootstrap, group_id=TOPIC, heartbeat_interval_ms=200
            )
            await topics.started(member)
            stack.push_async_callback(member.stop)
            members.append(member)

            async def dealt() -> set[frozenset[int]]:
                # a member takes part in a rebalance only while it fetches
                await asyncio.gather(*(each.getmany(timeout_ms=50) for each in members))
                return {frozenset(part.partition for part in each.assignment()) for each in members}

            # the group orders its members by ids that the broker generates, so the first one is not known before
            numbers = range(present)
            await until(dealt, {frozenset(p for p in range(PARTITIONS) if owner_of(p, numbers) == n) for n in numbers})
        assert len(members) == 3
