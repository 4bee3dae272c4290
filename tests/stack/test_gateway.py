"""The gateway verifies tokens, routes by operation, applies limits, and refuses with problem documents."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from multidict import CIMultiDict
from yarl import URL

from core.names import Component
from core.operations import API, OPERATIONS
from core.scenario.units import RateLimit
from stack.backing import gateway
from tests.stack.conftest import LIMIT, Behind, problem_of
from tests.waiting import SECONDS_MAX

_SUBJECTS = itertools.count(2_000)


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
            await problem_of(answer, 401, "unauthenticated")


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
    # each is a different user, so that no limit by user answers instead
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
            await problem_of(answer, 404, "not_found")
    async with client.delete(f"{behind.url}{API}/feed", headers=behind.token()) as answer:
        await problem_of(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "GET,HEAD,OPTIONS"


async def test_a_large_body_is_refused_by_its_announced_length(behind: Behind) -> None:
    host, _, port = behind.url.removeprefix("http://").partition(":")
    for size, status in ((2**20 + 1, b"413"), (5, b"200")):
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {API}/auth/signup HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\nhello"
        writer.write(head.encode())
        async with asyncio.timeout(SECONDS_MAX):
            answer = await reader.read()
        assert answer.split()[1] == status
        assert (b'"code":"too_large"' in answer) is (status == b"413")
        writer.close()
        await writer.wait_closed()


async def test_a_service_that_is_down_is_reported_at_once(behind: Behind, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{behind.url}{API}/posts/1", headers=behind.token()) as answer:
        assert answer.headers["Retry-After"] == "1"
        await problem_of(answer, 503, "unavailable")


async def test_a_users_limit_is_that_users_own_and_says_the_time_left(
    behind: Behind, client: aiohttp.ClientSession
) -> None:
    url = f"{behind.url}{API}/users/7"
    began = time.monotonic()
    seen = []
    for _ in range(LIMIT + 2):
        async with client.get(url, headers=behind.token(sub="1001")) as answer:
            assert answer.headers["X-RateLimit-Limit"] == str(LIMIT)
            assert answer.headers["RateLimit-Policy"] == f'"user.read";q={LIMIT};w=60'
            left, reset = answer.headers["X-RateLimit-Remaining"], answer.headers["X-RateLimit-Reset"]
            assert answer.headers["RateLimit"] == f'"user.read";r={left};t={reset}'
            seen.append((answer.status, int(left)))
            if answer.status == 429:
                assert answer.headers["Retry-After"] == reset
                assert f"try again in {reset} s" in (await problem_of(answer, 429, "rate_limited"))["detail"]
    assert seen == [(200, left) for left in reversed(range(LIMIT))] + [(429, 0)] * 2
    async with client.get(url, headers=behind.token(sub="1002")) as answer:
        assert answer.status == 200
        assert answer.headers["X-RateLimit-Remaining"] == str(LIMIT - 1)

    async def left_seconds() -> int:
        async with client.head(url, headers=behind.token(sub="1001")) as answer:
            assert answer.status == 429
            return int(answer.headers["Retry-After"])

    # the time left runs down with the clock: a window does not begin again with a refused request
    async with asyncio.timeout(20):
        while await left_seconds() > 58:  # noqa: ASYNC110 - what is waited for is the gateway's clock
            await asyncio.sleep(0.05)
    assert time.monotonic() - began > 1.0


async def test_a_limit_by_address_counts_all_who_come_from_it(behind: Behind, client: aiohttp.ClientSession) -> None:
    statuses = []
    for _ in range(LIMIT + 1):
        async with client.post(f"{behind.url}{API}/auth/login") as answer:
            statuses.append(answer.status)
    assert statuses == [200] * LIMIT + [429]


def test_every_operation_of_a_component_has_exactly_its_route() -> None:
    limits = {"feed.read": RateLimit(30, 1.0, "user"), "auth.signup": RateLimit(9, 3600.0, "ip")}
    lines = [line.split() for line in gateway.routes_map(tuple(Component), limits).splitlines()]
    routes = [(re.compile(expression), told.split("|")) for expression, told in lines]
    served = [operation for operation in OPERATIONS.values() if isinstance(operation.component, Component)]
    assert {operation.component for operation in served} <= set(Component)
    assert len(served) > 20
    for operation in served:
        said = {"feed.read": ["30", "1", "user"], "auth.signup": ["9", "3600", "ip"]}.get(operation.name, [])
        for method in (operation.method, *(("HEAD",) if operation.method == "GET" else ())):
            asked = f"{method}:{API}{re.sub('{.*?}', '12345', operation.path)}"
            first = next(told for expression, told in routes if expression.search(asked))
            assert first == [operation.name, operation.component, str(int(operation.signed_in)), *said]
