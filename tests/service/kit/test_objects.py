"""The object store's client retries by the scenario's `system.retry`, exactly as often as the policy says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from core import scenario, settings
from core.failures import NotFound, Unavailable
from core.names import Component
from core.policies.retry import TOKENS_MAX, RetryBudget, RetryPolicy, may_retry
from records import scenarios
from services.kit.stores.objects import OBJECTS, Objects
from tests.conftest import Servers
from tests.service.conftest import SCENARIO, Running

#: A closed connection, instead of an answer.
CUT = 0


class Store:
    """An S3 server that answers with the given statuses in turn, and then repeats the last one."""

    def __init__(self, *statuses: int):
        self._statuses = list(statuses)
        self.asked = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await reader.readline()) and (await reader.readuntil(b"\r\n\r\n")):
            assert head.startswith(b"HEAD ")
            self.asked += 1
            status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
            if status == CUT:
                break
            length = 7 if status == 200 else 0
            writer.write(f'HTTP/1.1 {status} Told\r\nContent-Length: {length}\r\nETag: "e"\r\n\r\n'.encode())
            await writer.drain()
        writer.close()


def policy(attempts: int, *, budget_ratio: float = 1.0) -> RetryPolicy:
    return RetryPolicy(attempts=attempts, backoff_seconds=0.001, backoff_cap_seconds=0.002, budget_ratio=budget_ratio)


@asynccontextmanager
async def listening(store: Store) -> AsyncIterator[settings.ObjectStoreSettings]:
    """Settings with the store's address."""
    server = await asyncio.start_server(store.answer, "127.0.0.1", 0)
    async with server:
        address = "http://{}:{}".format(*server.sockets[0].getsockname()[:2])
        yield settings.ObjectStoreSettings(endpoint=address, public_endpoint=address, access_key="a", secret_key="s")


@asynccontextmanager
async def client(store: Store, retry: RetryPolicy) -> AsyncIterator[Objects]:
    async with listening(store) as object_settings:
        made = Objects(object_settings, retry=retry)
        try:
            yield made
        finally:
            made.close()


@pytest.mark.parametrize("ill", [503, 500, 429, CUT])
@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_a_call_is_tried_as_often_as_the_policy_says(ill: int, attempts: int) -> None:
    store = Store(ill)
    async with client(store, policy(attempts)) as found:
        with pytest.raises(Unavailable):
            await found.head(bucket="b", key="k")
        assert store.asked == attempts


async def test_a_call_that_succeeds_after_all_is_not_tried_once_more() -> None:
    store = Store(503, CUT, 200)
    async with client(store, policy(5)) as found:
        assert (await found.head(bucket="b", key="k")).size_bytes == 7
        assert store.asked == 3


@pytest.mark.parametrize(("status", "failure"), [(404, NotFound), (403, Unavailable), (412, Unavailable)])
async def test_a_call_with_a_permanent_failure_is_not_repeated(status: int, failure: type[Exception]) -> None:
    store = Store(status)
    async with client(store, policy(5)) as found:
        with pytest.raises(failure):
            await found.head(bucket="b", key="k")
        assert store.asked == 1


async def test_a_store_that_stays_ill_is_tried_as_often_as_the_shared_budget_allows() -> None:
    store, retry, calls = Store(503), policy(3, budget_ratio=0.25), 20
    async with client(store, retry) as found:
        for _ in range(calls):
            with pytest.raises(Unavailable):
                await found.head(bucket="b", key="k")

    budget, expected = RetryBudget(), 0
    for _ in range(calls):
        budget, attempt = budget.after_first_try(retry), 1
        expected += 1
        while may_retry(retry, budget, attempt=attempt, retryable=True):
            budget, attempt, expected = budget.spend(), attempt + 1, expected + 1
    assert store.asked == expected
    assert calls < store.asked < calls + TOKENS_MAX + calls * retry.budget_ratio + 1 < 3 * calls


@pytest.mark.parametrize("attempts", [1, 4])
async def test_a_service_tries_as_often_as_its_scenario_says(
    running: Running, servers: Servers, tmp_path: Path, attempts: int
) -> None:
    read = scenarios.read(SCENARIO)
    retry = replace(read.system.retry, attempts=attempts, backoff_seconds=0.001)
    path = tmp_path / "scenario.yaml"
    path.write_text(scenario.explain(replace(read, system=replace(read.system, retry=retry))), encoding="utf-8")
    store = Store(503)
    async with listening(store) as object_settings:
        stores = {Component.UPLOAD: msgspec.structs.replace(servers.stores(Component.UPLOAD), objects=object_settings)}
        async with running(Component.UPLOAD, stores=stores, scenario=path) as system:
            asked = store.asked
            with pytest.raises(Unavailable):
                await system.apps[Component.UPLOAD][OBJECTS].head(bucket="b", key="k")
            assert store.asked - asked == attempts
