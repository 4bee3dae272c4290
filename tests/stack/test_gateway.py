"""The gateway verifies who asks, routes by operation, limits, and answers every refusal as a problem document."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from multidict import CIMultiDict
from yarl import URL

from core import scenario
from core.names import Component, Server
from core.operations import API, OPERATIONS
from core.scenario.units import RateLimit
from stack import control, ports
from stack.backing import gateway
from tests.conftest import SCENARIO

_LIMIT = 5
_SUBJECTS = itertools.count(2_000)


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


@pytest.fixture(scope="module")
def running(data_folder: Path) -> Iterator[control.RunningStack]:
    """HAProxy alone; feed's port is known, so that a server of ours can take it."""
    path = data_folder / "gateway.yaml"
    read = scenario.read(SCENARIO)
    limits = {"feed.read": RateLimit(_LIMIT, 1.0, "user"), "auth.login": RateLimit(_LIMIT, 60.0, "ip")}
    system = replace(read.system, gateway=replace(read.system.gateway, limits=limits))
    path.write_text(scenario.explain(replace(read, system=system)), encoding="utf-8")
    chosen = ports.choose(("feed", "auth", "posts"), {})
    running = control.up(
        path, data_folder / "gateway", attached=True, services=False, servers=(Server.GATEWAY,), ports=chosen
    )
    yield running
    running.stop(wipe=True)


def _private_key(running: control.RunningStack) -> str:
    return Path(running.keys.jwt_private_key).read_text()


@pytest.fixture(scope="module")
async def behind(running: control.RunningStack) -> AsyncIterator[Behind]:
    """The servers behind it, once the gateway has seen them."""

    async def echo(request: web.Request) -> web.Response:
        if request.path == "/healthz":
            return web.Response()
        headers = {name.lower(): value for name, value in request.headers.items()}
        return web.json_response({"path": request.path, "headers": headers})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    config = (running.data / "gateway" / "haproxy.cfg").read_text()
    for component in ("feed", "auth"):
        line = next(line for line in config.splitlines() if f"server {component}-1" in line)
        host, _, port = line.split()[-1].partition(":")
        await web.TCPSite(runner, host, int(port)).start()
    ready = Behind(running.gateway_url, _private_key(running))
    async with aiohttp.ClientSession() as session, asyncio.timeout(10):
        for path in ("/auth/signup", "/feed"):
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


async def _problem(answer: aiohttp.ClientResponse, status: int, code: str) -> dict[str, Any]:
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = await answer.json(content_type=None)
    assert (body["status"], body["code"], body["type"]) == (status, code, f"about:blank#{code}")
    assert body["trace_id"] == answer.headers["X-Request-Id"]
    return body


async def test_a_good_token_becomes_the_user_header_and_a_forged_one_never_does(
    behind: Behind, client: aiohttp.ClientSession
) -> None:
    headers = {**behind.token(sub="42"), "X-User-Id": "7", "X-Request-Id": "request-0001"}
    async with client.get(f"{behind.url}{API}/feed?limit=3", headers=headers) as answer:
        seen = await answer.json()
        assert seen["headers"]["x-user-id"] == "42"
        assert seen["headers"]["x-request-id"] == answer.headers["X-Request-Id"] == "request-0001"
    async with client.post(f"{behind.url}{API}/auth/signup", headers={"X-User-Id": "7"}) as answer:
        seen = await answer.json()
        assert "x-user-id" not in seen["headers"]
        assert len(seen["headers"]["x-request-id"]) == 36


async def test_every_bad_token_is_refused(behind: Behind, client: aiohttp.ClientSession) -> None:
    stranger = (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )
    good = behind.token()["Authorization"]
    bad = {
        "none": {},
        "not a token": {"Authorization": "Bearer nonsense"},
        "another scheme": {"Authorization": good.replace("Bearer", "Basic")},
        "another key": behind.token(key=stranger),
        "expired": behind.token(exp=int(time.time()) - 1),
        "never expires": behind.token(exp=None),
        "of another issuer": behind.token(iss="elsewhere"),
        "no subject": behind.token(sub=None),
        "a subject that is no id": behind.token(sub="1 or 1=1"),
        "altered": {"Authorization": good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")},
        "no algorithm": {"Authorization": "Bearer " + jwt.encode({"sub": "42"}, "", algorithm="none")},
    }
    for why, headers in bad.items():
        async with client.get(f"{behind.url}{API}/feed", headers=headers) as answer:
            assert answer.status == 401, why
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            await _problem(answer, 401, "unauthenticated")


ODD = ("as text", "with a fraction", "negative", "nothing", "huge", "false", "a list", "milliseconds")


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("how", ODD)
async def test_a_token_whose_times_are_not_whole_seconds_of_today_is_refused(
    behind: Behind, client: aiohttp.ClientSession, claim: str, how: str
) -> None:
    now = int(time.time())
    right = now + 600 if claim == "exp" else now
    odd = dict(zip(ODD, (str(right), right + 0.5, -right, 0, 10**30, False, [right], right * 1000), strict=True))[how]
    assert await _status(client, behind, {claim: right}) == 200
    assert await _status(client, behind, {claim: odd}) == 401


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("issued tomorrow", {"iat": 86_400, "exp": 86_400 + 600}),
        ("begins tomorrow", {"nbf": 86_400}),
        ("never issued", {"iat": None}),
        ("lasts for longer than any token of ours", {"exp": 3_601}),
        ("begins today, issued long ago", {"iat": -86_400}),
    ],
)
async def test_a_token_of_another_time_is_refused(
    behind: Behind, client: aiohttp.ClientSession, why: str, said: dict[str, int | None]
) -> None:
    now = int(time.time())
    claims = {name: None if offset is None else now + offset for name, offset in said.items()}
    assert await _status(client, behind, claims) == 401, why


async def test_a_token_may_say_more_and_a_clock_may_be_a_little_ahead(
    behind: Behind, client: aiohttp.ClientSession
) -> None:
    now = int(time.time())
    assert await _status(client, behind, {"iat": now + 30, "nbf": now + 30, "jti": '"exp":1,', "scope": "all"}) == 200


async def test_a_token_with_a_claim_twice_or_a_subject_that_is_a_number_is_refused(
    behind: Behind, client: aiohttp.ClientSession
) -> None:
    now = int(time.time())
    plain = f'{{"iss":"windtunnel","sub":"42","iat":{now},"exp":{now + 600}}}'
    spaced = plain.replace(":", " : ").replace(",", " , ").replace("}", " }")
    for payload, status in (
        (plain, 200),
        (spaced, 200),
        (plain.replace('"exp"', f'"exp":{now + 500},"exp"'), 401),
        (plain.replace('"exp"', f'"more":{{"exp":{now + 9000}}},"exp"'), 401),
        (plain.replace('"42"', "42"), 401),
    ):
        token = jwt.PyJWS().encode(payload.encode(), behind.private_key, algorithm="ES256")
        async with client.get(f"{behind.url}{API}/feed", headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == status, payload


async def _status(client: aiohttp.ClientSession, behind: Behind, claims: dict[str, Any]) -> int:
    # each is somebody else, so that no limit by user answers instead
    subject = str(next(_SUBJECTS))
    async with client.get(f"{behind.url}{API}/feed", headers=behind.token(**{"sub": subject, **claims})) as answer:
        return answer.status


async def test_a_service_is_given_the_address_of_the_connection_whatever_the_client_claims(
    behind: Behind, client: aiohttp.ClientSession
) -> None:
    claimed = [("X-Client-Address", "8.8.8.8"), ("x-client-address", "9.9.9.9"), ("X-Forwarded-For", "7.7.7.7")]
    headers = CIMultiDict([*claimed, *behind.token(sub=str(next(_SUBJECTS))).items()])
    async with client.get(f"{behind.url}{API}/feed", headers=headers) as answer:
        seen = (await answer.json())["headers"]
    assert seen["x-client-address"] == "127.0.0.1"


async def test_unknown_paths_and_methods_end_at_the_gateway(behind: Behind, client: aiohttp.ClientSession) -> None:
    for path in ("/", "/api/v1", f"{API}/feed/", f"{API}/feedx", f"{API}/%66eed", "/metrics", f"{API}/users/1/x"):
        async with client.get(URL(behind.url + path, encoded=True), headers=behind.token()) as answer:
            await _problem(answer, 404, "not_found")
    async with client.delete(f"{behind.url}{API}/feed", headers=behind.token()) as answer:
        await _problem(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "GET"


async def test_a_large_body_is_refused_by_its_announced_length(behind: Behind) -> None:
    host, _, port = behind.url.removeprefix("http://").partition(":")
    for size, status in ((2**20 + 1, b"413"), (5, b"200")):
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {API}/auth/signup HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\nhello"
        writer.write(head.encode())
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert answer.split()[1] == status
        assert (b'"code":"too_large"' in answer) is (status == b"413")
        writer.close()
        await writer.wait_closed()


async def test_a_service_that_is_down_is_told_at_once(behind: Behind, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{behind.url}{API}/posts/1", headers=behind.token()) as answer:
        assert answer.headers["Retry-After"] == "1"
        await _problem(answer, 503, "unavailable")


async def test_a_users_limit_is_that_users_own(behind: Behind, client: aiohttp.ClientSession) -> None:
    url = f"{behind.url}{API}/feed"
    statuses = []
    for _ in range(_LIMIT + 3):
        async with client.get(url, headers=behind.token(sub="1001")) as answer:
            statuses.append(answer.status)
            assert answer.headers["X-RateLimit-Limit"] == str(_LIMIT)
            assert answer.headers["RateLimit-Policy"] == f'"feed.read";q={_LIMIT};w=1'
            if answer.status == 429:
                assert (answer.headers["Retry-After"], answer.headers["X-RateLimit-Remaining"]) == ("1", "0")
                await _problem(answer, 429, "rate_limited")
    assert statuses[:_LIMIT] == [200] * _LIMIT
    assert 429 in statuses
    async with client.get(url, headers=behind.token(sub="1002")) as answer:
        assert answer.status == 200
        assert answer.headers["X-RateLimit-Remaining"] == str(_LIMIT - 1)


async def test_a_limit_by_address_counts_all_who_come_from_it(behind: Behind, client: aiohttp.ClientSession) -> None:
    statuses = []
    for _ in range(_LIMIT + 1):
        async with client.post(f"{behind.url}{API}/auth/login") as answer:
            statuses.append(answer.status)
    assert statuses == [200] * _LIMIT + [429]


def test_every_operation_of_a_component_has_exactly_its_route() -> None:
    lines = [line.split() for line in gateway.routes_map(tuple(Component)).splitlines()]
    routes = [(re.compile(expression), told.split("|")) for expression, told in lines]
    for operation in OPERATIONS.values():
        if not isinstance(operation.component, Component):
            continue
        asked = f"{operation.method}:{API}{re.sub('{.*?}', '12345', operation.path)}"
        first = next(told for expression, told in routes if expression.search(asked))
        assert first == [operation.name, operation.component, str(int(operation.signed_in))]
