"""Requests are admitted by how long they have waited since they arrived at the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from core.names import ARRIVAL_HEADER, CONCURRENCY_LIMIT, LIMIT_HEADER, Component
from core.policies import admission
from core.settings import Member, ProcessSettings
from services.kit.answers import answer
from services.kit.app import application, register
from services.kit.routing import route
from tests.service.conftest import Running, System

WAITED_SECONDS = 4 * admission.TARGET_SECONDS


class Gate:
    """Holds requests until it is opened."""

    def __init__(self) -> None:
        self.open, self.arrived = asyncio.Event(), asyncio.Semaphore(0)


GATE = web.AppKey("GATE", Gate)


async def read(request: web.Request) -> web.Response:
    """Answer at once, or once the gate is open."""
    if request.query.get("cursor"):
        request.app[GATE].arrived.release()
        await request.app[GATE].open.wait()
    return answer({})


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """A component that reads and writes."""
    app = application(settings, member)
    app[GATE] = Gate()
    register(app, [route("feed.read", read), route("like.add", read)])
    return app


@pytest.fixture
async def system(running: Running) -> AsyncIterator[System]:
    async with running(Component.FEED, build_by=build) as system:
        yield system


async def ask(
    system: System, *, waited_seconds: float | None = None, method: str = "GET", query: str = ""
) -> tuple[int, str]:
    """Status and stated limit."""
    path = f"/api/v1/feed{query}" if method == "GET" else f"/api/v1/posts/1/like{query}"
    headers = {}
    if waited_seconds is not None:
        headers[ARRIVAL_HEADER] = str(round((time.time() - waited_seconds) * 1e6))
    async with system.session.request(method, system.urls["feed"] + path, headers=headers) as answered:
        await answered.read()
        return answered.status, answered.headers[LIMIT_HEADER]


async def brought_down(system: System) -> None:
    """Requests that all have waited, until the limit is at its lowest."""
    async with asyncio.timeout(10):
        while (await ask(system, waited_seconds=WAITED_SECONDS))[1] != str(admission.LIMIT_MIN):
            pass


async def test_every_answer_states_the_limit_and_so_do_the_metrics(system: System) -> None:
    assert await ask(system) == (200, "512")
    measures = await system.send("feed", "GET", "/metrics")
    assert f'{CONCURRENCY_LIMIT}{{component="feed"}} 512.0' in measures.body.decode()


async def test_a_standing_queue_lowers_the_limit_beyond_which_reads_and_then_writes_are_refused(
    system: System,
) -> None:
    gate = system.apps["feed"][GATE]
    await brought_down(system)

    held = [asyncio.ensure_future(ask(system, query="?cursor=x")) for _ in range(admission.LIMIT_MIN)]
    for _ in held:
        await gate.arrived.acquire()
    assert (await ask(system))[0] == 503
    held += [asyncio.ensure_future(ask(system, method="PUT", query="?cursor=x")) for _ in range(admission.LIMIT_MIN)]
    for _ in range(admission.LIMIT_MIN):
        await gate.arrived.acquire()
    assert (await ask(system, method="PUT"))[0] == 503

    gate.open.set()
    assert [status for status, _ in await asyncio.gather(*held)] == [200] * 2 * admission.LIMIT_MIN
    assert (await ask(system))[0] == 200


async def test_some_waiting_requests_among_others_are_not_a_standing_queue(system: System) -> None:
    for _ in range(3):
        until = time.monotonic() + 1.5 * admission.INTERVAL_SECONDS
        while time.monotonic() < until:
            await ask(system, waited_seconds=WAITED_SECONDS)
            await ask(system)
    assert (await ask(system))[1] == "512"


async def test_a_request_whose_client_has_given_up_is_not_begun(system: System) -> None:
    assert (await ask(system, waited_seconds=3600.0))[0] == 503
    assert (await ask(system, waited_seconds=-3600.0))[0] == 200  # a gateway whose clock is ahead


async def test_an_invalid_arrival_time_counts_as_now(system: System) -> None:
    headers = {ARRIVAL_HEADER: "yesterday"}
    async with system.session.get(system.urls["feed"] + "/api/v1/feed", headers=headers) as answered:
        assert answered.status == 200


async def test_without_admission_only_the_maximum_applies(running: Running, without_admission: Path) -> None:
    async with running(Component.FEED, build_by=build, scenario=without_admission) as system:
        headers = {ARRIVAL_HEADER: str(round((time.time() - WAITED_SECONDS) * 1e6))}
        for _ in range(50):
            async with system.session.get(system.urls["feed"] + "/api/v1/feed", headers=headers) as answered:
                assert answered.status == 200
                assert LIMIT_HEADER not in answered.headers
