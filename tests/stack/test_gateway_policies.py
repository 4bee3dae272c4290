"""The gateway, which is HAProxy, decides as `core.policies.balance` and `core.policies.window` do in the model."""

from __future__ import annotations

import asyncio
import csv
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from core import scenario
from core.names import LIMIT_HEADER, Component, Server
from core.operations import API
from core.policies import window
from core.policies.balance import least_busy
from core.scenario.units import RateLimit
from records import scenarios
from stack import control, ports, probe
from stack.backing import haproxy
from tests.conftest import SCENARIO
from tests.service.waiting import until
from tests.stack.conftest import Behind, problem_of

INSTANCES = 3
LIMIT = RateLimit(5, 1.0, "user")
WINDOWS = 4
CLOCK_SECONDS = 0.02  # how far the gateway's clock, of milliseconds, may be from ours


@dataclass(frozen=True, slots=True)
class Alone(Behind):
    """The gateway and its folder."""

    folder: Path


def alone(running: control.RunningStack) -> Alone:
    key = Path(running.keys.jwt_private_key).read_text(encoding="utf-8")
    return Alone(running.gateway_url, key, running.data / "gateway")


def addresses(gateway: Alone) -> list[str]:
    """The addresses at which it expects the instances of feed."""
    config = (gateway.folder / "haproxy.cfg").read_text(encoding="utf-8")
    return [line.split()[-1] for line in config.splitlines() if f"server {Component.FEED}-" in line]


@dataclass(slots=True, kw_only=True)
class Instance:
    """One instance of feed: it counts requests in flight, and answers when the test says so."""

    runner: web.AppRunner
    under_way: list[asyncio.Event] = field(default_factory=list)
    limit: int | None = None  # how many requests it says that it works on at once

    def answer(self, place: int) -> None:
        self.under_way.pop(place).set()


@dataclass(slots=True, kw_only=True)
class Balanced:
    """The gateway and the instances behind it; ``arrived`` has the place of each that was given a request."""

    gateway: Alone
    instances: list[Instance] = field(default_factory=list)
    arrived: asyncio.Queue[int] = field(default_factory=asyncio.Queue)

    @property
    def under_way(self) -> list[int]:
        return [len(each.under_way) for each in self.instances]

    async def _rows(self) -> list[dict[str, str]]:
        """The gateway's statistics of the instances."""
        with probe.short(self.gateway.folder / haproxy.ADMIN) as path:
            reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"show stat\n")
        rows = csv.DictReader((await reader.read()).decode().removeprefix("# ").splitlines())
        writer.close()
        return [row for row in rows if row["pxname"] == Component.FEED and row["type"] == "2"]

    async def servers_up(self) -> int:
        """How many instances the gateway thinks are up."""
        return sum(row["status"].startswith("UP") for row in await self._rows())

    async def settled(self) -> None:
        """Wait until the gateway, too, counts no request that was answered."""

        async def counted() -> list[int]:
            return [int(row["scur"]) for row in await self._rows()]

        await until(counted, self.under_way)


@pytest.fixture(scope="module")
def gateway(data_folder: Path) -> Iterator[control.RunningStack]:
    """HAProxy alone, which looks for several instances of feed."""
    path = data_folder / "balanced.yaml"
    read = scenarios.read(SCENARIO)
    system = read.system
    system = replace(
        system,
        feed=replace(system.feed, instances=INSTANCES),
        gateway=replace(system.gateway, limits={"user.read": LIMIT}),
    )
    path.write_text(scenario.explain(replace(read, system=system)), encoding="utf-8")
    chosen = ports.choose([f"{Component.FEED}-{number}" for number in range(1, INSTANCES + 1)], {})
    running = control.up(
        path, data_folder / "balanced", attached=True, services=False, servers=(Server.GATEWAY,), ports=chosen
    )
    yield running
    running.stop(wipe=True)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


@pytest.fixture
async def balanced(gateway: control.RunningStack, client: aiohttp.ClientSession) -> AsyncIterator[Balanced]:
    """The instances, once the gateway gives requests to each of them."""
    made = Balanced(gateway=alone(gateway))
    async with AsyncExitStack() as stack:
        for place, address in enumerate(addresses(made.gateway)):
            made.instances.append(await _instance(made, place, address))
            stack.push_async_callback(made.instances[place].runner.cleanup)
        given: set[int] = set()

        async def everybody() -> bool:
            asked = asyncio.create_task(_status(client, made.gateway))
            arriving = asyncio.create_task(made.arrived.get())
            await asyncio.wait((asked, arriving), return_when=asyncio.FIRST_COMPLETED)
            if arriving.done():
                given.add(arriving.result())
                made.instances[arriving.result()].answer(0)
            arriving.cancel()
            await asked
            return given == set(range(INSTANCES))

        await until(everybody)
        await made.settled()
        assert len(made.instances) == INSTANCES
        yield made


async def _instance(balanced: Balanced, place: int, address: str) -> Instance:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/healthz":
            return web.Response()
        told = asyncio.Event()
        balanced.instances[place].under_way.append(told)
        balanced.arrived.put_nowait(place)
        await told.wait()
        limit = balanced.instances[place].limit
        return web.Response(text=str(place), headers={} if limit is None else {LIMIT_HEADER: str(limit)})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    host, _, port = address.partition(":")
    await web.TCPSite(runner, host, int(port)).start()
    return Instance(runner=runner)


async def _status(client: aiohttp.ClientSession, gateway: Behind) -> int:
    async with client.get(f"{gateway.url}{API}/feed", headers=gateway.token()) as answer:
        await answer.read()
        return answer.status


async def test_a_request_goes_to_an_instance_that_the_policy_may_choose(
    balanced: Balanced, client: aiohttp.ClientSession
) -> None:
    random_order, up = random.Random(7), [True] * INSTANCES
    waiting: list[asyncio.Task[int]] = []
    chosen: Counter[int] = Counter()
    for number in range(120):
        before = balanced.under_way
        waiting.append(asyncio.create_task(_status(client, balanced.gateway)))
        async with asyncio.timeout(30):
            place = await balanced.arrived.get()
        chosen[place] += 1
        # of equals, the one whose turn it is: the policy is called as if it were this one's
        assert place == least_busy(before, up, place), f"request {number} with {before} under way"
        for _ in range(random_order.choice((0, 1, 1, 2)) if sum(balanced.under_way) > 4 else 0):
            busy = [each for each in range(INSTANCES) if balanced.instances[each].under_way]
            balanced.instances[random_order.choice(busy)].answer(0)
        await balanced.settled()
    assert sorted(chosen) == list(range(INSTANCES))
    while any(balanced.under_way):
        for instance in balanced.instances:
            while instance.under_way:
                instance.answer(0)
    assert set(await asyncio.gather(*waiting)) <= {200}


async def test_equals_take_turns(balanced: Balanced, client: aiohttp.ClientSession) -> None:
    chosen: Counter[int] = Counter()
    for _ in range(10 * INSTANCES):
        asked = asyncio.create_task(_status(client, balanced.gateway))
        async with asyncio.timeout(30):
            place = await balanced.arrived.get()
        chosen[place] += 1
        balanced.instances[place].answer(0)
        assert await asked == 200
        await balanced.settled()
    # by turns, but for a check or two that changes whose turn it is
    assert sorted(chosen) == list(range(INSTANCES))
    assert max(chosen.values()) - min(chosen.values()) <= 4


async def test_one_that_hangs_gets_few_more_and_one_that_is_dead_none(
    balanced: Balanced, client: aiohttp.ClientSession
) -> None:
    hanging, dead, well = 0, 1, 2
    await balanced.instances[dead].runner.cleanup()  # refuses connections from now on
    waiting = []
    for _ in range(12):
        before = balanced.under_way
        waiting.append(asyncio.create_task(_status(client, balanced.gateway)))
        async with asyncio.timeout(30):
            place = await balanced.arrived.get()
        assert place == least_busy(before, [True, False, True], place)
        if place == well:
            balanced.instances[well].answer(0)
            async with asyncio.timeout(30):
                assert await waiting.pop() == 200
            await balanced.settled()
    assert balanced.under_way == [len(waiting), 0, 0]
    assert len(waiting) == 1  # it has requests in flight and the other has none
    balanced.instances[hanging].answer(0)
    assert await waiting[0] == 200


async def test_what_finds_no_room_by_the_limits_that_instances_state_is_refused_by_the_gateway(
    balanced: Balanced, client: aiohttp.ClientSession
) -> None:
    async def answered() -> None:
        asked = asyncio.create_task(_status(client, balanced.gateway))
        place = await balanced.arrived.get()
        balanced.instances[place].answer(0)
        assert await asked == 200

    limit = 2
    for each in balanced.instances:
        each.limit = limit
    await answered()  # from now on the gateway knows
    await balanced.settled()
    held = [asyncio.create_task(_status(client, balanced.gateway)) for _ in range(limit * INSTANCES)]
    for _ in held:
        await balanced.arrived.get()

    async with client.get(f"{balanced.gateway.url}{API}/feed", headers=balanced.gateway.token()) as answer:
        assert LIMIT_HEADER not in answer.headers
        assert answer.headers["Retry-After"] == "1"
        await problem_of(answer, 503, "overloaded")

    for each in balanced.instances:
        each.limit = 512
        while each.under_way:
            each.answer(0)
    assert await asyncio.gather(*held) == [200] * limit * INSTANCES
    await answered()


async def test_with_no_instance_up_a_request_gets_unavailable_and_not_overloaded(
    balanced: Balanced, client: aiohttp.ClientSession
) -> None:
    asked = asyncio.create_task(_status(client, balanced.gateway))
    place = await balanced.arrived.get()
    balanced.instances[place].limit = 512
    balanced.instances[place].answer(0)
    assert await asked == 200  # the gateway knows a limit
    for each in balanced.instances:
        await each.runner.cleanup()

    async def code() -> str:
        async with client.get(f"{balanced.gateway.url}{API}/feed", headers=balanced.gateway.token()) as answer:
            assert answer.status == 503
            return str((await answer.json(content_type=None))["code"])

    await until(code, "unavailable")
    async with asyncio.timeout(30):
        while (await balanced.servers_up()) > 0:  # noqa: ASYNC110 - it can only be asked
            await asyncio.sleep(0.02)
    assert await code() == "unavailable"


async def test_a_limit_lets_through_what_the_policy_does(
    gateway: control.RunningStack, client: aiohttp.ClientSession
) -> None:
    behind = alone(gateway)
    headers, url = behind.token(sub="31"), f"{behind.url}{API}/users/1"
    # the possible states: the earliest and latest start of the window, and the number of requests admitted
    possible = {(-1e9, -1e9, 0)}
    began, passed_count, refused_count, received = time.monotonic(), 0, 0, 0.0
    while received - began < WINDOWS * LIMIT.per_seconds:
        sent = time.monotonic()
        async with client.get(url, headers=headers) as answer:
            passed = answer.status != 429  # admitted requests find no service
        received = time.monotonic()
        after = set()
        for earliest, latest, count in possible:
            if passed and window.begins(received + CLOCK_SECONDS, earliest, LIMIT.per_seconds):
                after.add((sent, received, 1))  # the first of a window
            same = not window.begins(sent - CLOCK_SECONDS, latest, LIMIT.per_seconds)
            if same and passed == window.passes(count, LIMIT.count):
                after.add((earliest, latest, count + passed))
        assert after, f"{'let through' if passed else 'refused'}, where it might be {possible} at {sent}"
        possible = after
        passed_count, refused_count = passed_count + passed, refused_count + (not passed)
    assert refused_count > 0
    assert passed_count > (WINDOWS - 2) * LIMIT.count
