"""No request waits for a server that is known to be down; it is used again as soon as it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.failures import DeadlineExceeded, Failure, NotFound, Unavailable
from core.names import Component
from core.policies.retry import RetryPolicy
from services.kit.stores.health import Health
from services.kit.stores.objects import Objects
from services.kit.stores.postgres import Shards
from tests.conftest import Servers
from tests.service.waiting import until

RETRY = RetryPolicy(attempts=2, backoff_seconds=0.02, backoff_cap_seconds=1.0, budget_ratio=0.1)


class Server:
    """The result of probes, and the largest number of concurrent ones."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.refuses = False
        self.probes = self.under_way = self.at_once_max = 0

    async def probe(self) -> None:
        self.probes += 1
        self.under_way += 1
        self.at_once_max = max(self.at_once_max, self.under_way)
        try:
            if self.refuses:
                raise ConnectionRefusedError
            await self.answers.wait()
        finally:
            self.under_way -= 1


def admits(health: Health) -> bool:
    try:
        health.admit()
    except Unavailable:
        return False
    return True


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def health(server: Server) -> AsyncIterator[Health]:
    made = Health("The server", server.probe)
    yield made
    made.close()


async def test_after_probes_that_failed_in_a_row_everybody_is_refused_until_one_is_answered(
    server: Server, health: Health
) -> None:
    server.refuses = True
    assert admits(health)
    for _ in range(20):
        health.suspect()

    async def refused() -> bool:
        return not admits(health)

    await until(refused)
    with pytest.raises(Unavailable, match="The server is down") as caught:
        health.admit()
    assert caught.value.retry_after_seconds == 1.0
    assert server.probes >= 3
    server.refuses = False
    server.answers.set()

    async def admitted() -> bool:
        return admits(health)

    await until(admitted)
    assert server.at_once_max == 1
    probes = server.probes
    for _ in range(20):  # a server that answers: one more probe, for any number of callers
        health.suspect()

    async def probed() -> bool:
        return server.probes > probes and not server.under_way

    await until(probed)
    assert server.probes == probes + 1


async def test_time_outs_of_requests_count_and_an_answer_in_between_starts_the_count_afresh(
    server: Server, health: Health
) -> None:
    for _ in range(2):
        health.failed()
        health.failed()
        assert admits(health)
        health.succeeded()
    health.failed()
    health.failed()
    health.failed()
    assert not admits(health)
    health.succeeded()  # from a request that was sent before: the probe decides
    assert not admits(health)
    server.answers.set()

    async def admitted() -> bool:
        return admits(health)

    await until(admitted)


async def test_an_instance_that_refuses_connections_is_not_waited_for_and_the_others_are_as_before(
    servers: Servers,
) -> None:
    shards = Shards(servers.stores(Component.FEED).postgres, component="kit-health")  # type: ignore[arg-type]
    await shards.open()

    async def told(index: int) -> str:
        try:
            async with shards.on_instance(index) as connection:
                await connection.execute("SELECT 1")
        except Failure as failure:
            return failure.detail
        return "fine"

    async def known() -> bool:
        return await told(0) == "PostgreSQL instance 0 is down"

    async def back() -> bool:
        return await told(0) == "fine"

    proxy = servers.running.proxies["feed_postgres"][0]
    try:
        for _ in range(2):
            assert [await told(index) for index in (0, 1)] == ["fine", "fine"]
            servers._switch(proxy, enabled=False)
            try:
                await until(known)
                asked = shards._pools[0].get_stats().get("requests_num", 0)
                assert {await told(0) for _ in range(20)} == {"PostgreSQL instance 0 is down"}
                assert shards._pools[0].get_stats().get("requests_num", 0) == asked  # nothing was queued
                assert {await told(1) for _ in range(20)} == {"fine"}
            finally:
                servers._switch(proxy, enabled=True)
            await until(back)
    finally:
        await shards.close()


async def test_an_object_store_that_is_away_is_not_waited_for(servers: Servers) -> None:
    told: Any = servers.stores(Component.MEDIA).objects
    objects = Objects(told, retry=RETRY)

    async def found() -> str:
        try:
            await objects.head(bucket=told.media_bucket, key="nothing")
        except NotFound:
            return "fine"
        except (Unavailable, DeadlineExceeded) as failure:
            return failure.detail
        return "there"

    async def known() -> bool:
        return await found() == "The object store is down"

    async def back() -> bool:
        return await found() == "fine"

    try:
        assert await found() == "fine"
        with servers.broken("media_objects"):
            await until(known)
            assert {await found() for _ in range(20)} == {"The object store is down"}
        await until(back)
    finally:
        objects.close()
