"""Missing topics are created, as the settings and the broker say."""

from __future__ import annotations

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from core.names import Component
from core.settings import Kafka
from services.kit import topics
from tests.service.waiting import until

_TOPIC = "topics.test"


async def test_a_topic_that_is_missing_is_made_and_one_that_is_there_stays(servers: Any) -> None:
    bootstrap = servers.stores(Component.SEARCH).kafka.bootstrap
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()

    async def made() -> bool:
        (found,) = await admin.describe_topics([_TOPIC])
        return len(found["partitions"]) == 3

    try:
        assert _TOPIC not in await admin.list_topics()
        for partitions in (3, 5):
            await topics.create_missing(Kafka(bootstrap=bootstrap, partitions=partitions), (_TOPIC,))
            await until(made)
    finally:
        await admin.delete_topics([_TOPIC])
        await admin.close()
