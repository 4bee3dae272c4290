"""A gateway by itself, in front of the tests' own servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

from core import scenario
from core.names import Server
from core.operations import API
from core.scenario.units import RateLimit
from records import scenarios
from stack import control, ports
from tests.conftest import SCENARIO
from tests.waiting import SECONDS_MAX

LIMIT = 5
ORIGIN = "https://app.example"


@dataclass(frozen=True, slots=True)
class Behind:
    """A gateway whose feed and auth are this test's own servers, so that it sees what arrives."""

    url: str
    private_key: str

    def token(self, key: str = "", algorithm: str = "ES256", **claims: Any) -> dict[str, str]:
        """Authorization header with a token that differs from a good one in ``claims``."""
        said = {"sub": "42", "iss": "windtunnel", "iat": int(time.time()), "exp": int(time.time()) + 600, **claims}
        left = {name: value for name, value in said.items() if value is not None}
        return {"Authorization": "Bearer " + jwt.encode(left, key or self.private_key, algorithm=algorithm)}


@pytest.fixture(scope="package")
def gateway_alone(data_folder: Path) -> Iterator[control.RunningStack]:
    """HAProxy alone; feed's port is known, so that a server of ours can take it."""
    path = data_folder / "gateway.yaml"
    read = scenarios.read(SCENARIO)
    limits = {"user.read": RateLimit(LIMIT, 60.0, "user"), "auth.login": RateLimit(LIMIT, 60.0, "ip")}
    system = replace(read.system, gateway=replace(read.system.gateway, limits=limits, origins=(ORIGIN,)))
    path.write_text(scenario.explain(replace(read, system=system)), encoding="utf-8")
    chosen = ports.choose(("feed", "auth", "graph", "posts"), {})
    running = control.up(
        path, data_folder / "gateway", attached=True, services=False, servers=(Server.GATEWAY,), ports=chosen
    )
    yield running
    running.stop(wipe=True)


def _private_key(running: control.RunningStack) -> str:
    return Path(running.keys.jwt_private_key).read_text()


@pytest.fixture(scope="package")
async def behind(gateway_alone: control.RunningStack) -> AsyncIterator[Behind]:
    """The servers behind it, once the gateway has seen them."""

    async def echo(request: web.Request) -> web.Response:
        if request.path == "/healthz":
            return web.Response()
        await request.read()
        if request.path.endswith("/plain"):
            return web.Response(text="out of order", status=int(request.query["status"]))
        headers = {name.lower(): value for name, value in request.headers.items()}
        return web.json_response({"path": request.path, "headers": headers})

    app = web.Application(client_max_size=2**22)
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    config = (gateway_alone.data / "gateway" / "haproxy.cfg").read_text()
    for component in ("feed", "auth", "graph"):
        line = next(line for line in config.splitlines() if f"server {component}-1" in line)
        host, _, port = line.split()[-1].partition(":")
        await web.TCPSite(runner, host, int(port)).start()
    ready = Behind(gateway_alone.gateway_url, _private_key(gateway_alone))
    async with aiohttp.ClientSession() as session, asyncio.timeout(SECONDS_MAX):
        for path in ("/auth/signup", "/feed", "/users/1"):
            method = "POST" if path == "/auth/signup" else "GET"
            while True:
                async with session.request(method, ready.url + API + path, headers=ready.token(sub="1")) as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(0.02)
    yield ready
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def problem_of(answer: aiohttp.ClientResponse, status: int, code: str) -> dict[str, Any]:
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = await answer.json(content_type=None)
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/api/v1/docs/errors#{code}")
    assert body["trace_id"] == answer.headers["X-Request-Id"]
    return body
