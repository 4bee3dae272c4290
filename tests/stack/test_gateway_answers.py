"""What the gateway itself answers: refusals, heads, other origins, connections."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import aiohttp
import pytest

from core.names import ADDRESS_CONNECTIONS_MAX
from core.operations import API
from services.kit import failures_page
from tests.stack.conftest import ORIGIN, Behind, problem_of


async def _raw(behind: Behind, sent: bytes, *, source: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
    """Status, fields and body of the answer to ``sent`` on a connection of its own."""
    host, _, port = behind.url.removeprefix("http://").partition(":")
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
        writer.write(sent)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(fields.get("content-length", 0)))
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), fields, body


_GET = b"GET /api/v1/users/1 HTTP/1.1\r\nHost: x\r\n"
_POST = b"POST /api/v1/auth/signup HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET /api/v1/users/\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid"),
        (b"GET /api/v1/search/users?q=\xe9 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid"),
        (_GET + b"X Y: z\r\n\r\n", 400, "invalid"),
        (_GET + b"Content-Length : 5\r\n\r\n", 400, "invalid"),
        (_GET + b"X-Y: a\x00b\r\n\r\n", 400, "invalid"),
        (_GET + b"X-Y: a\x7fb\r\n\r\n", 400, "invalid"),
        (b"GET /api/v1/search/users?q=" + b"a" * 8_200 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
        (_GET + b"X-Y: " + b"a" * 17_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (_GET + b"X-Y: " + b"a" * 30_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (_GET + b"X-Y: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 400 + b"\r\n", 431, "headers_too_large"),
        (_POST + b"Expect: miracles\r\nContent-Length: 2\r\n\r\n{}", 417, "expectation_failed"),
        (_POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415, "unsupported_media_type"),
        (_POST + b"Content-Encoding: identity, br\r\nContent-Length: 2\r\n\r\n{}", 415, "unsupported_media_type"),
        (_POST + b"Content-Length: 9\r\n\r\n{", 408, "request_timeout"),
        (_GET.replace(b"users/1", b"nowhere") + b"\r\n", 404, "not_found"),
        (_GET.replace(b"GET", b"TRACE") + b"\r\n", 405, "method_not_allowed"),
        (_GET + b"\r\n", 401, "unauthenticated"),
    ],
)
async def test_what_the_gateway_refuses_is_a_document_whose_type_is_in_the_docs(
    behind: Behind, sent: bytes, status: int, code: str
) -> None:
    seen, fields, body = await _raw(behind, sent)
    assert (seen, fields["content-type"]) == (status, "application/problem+json"), body
    said = json.loads(body)
    assert (said["status"], said["code"], said["type"]) == (status, code, f"/api/v1/docs/errors#{code}")
    assert said["trace_id"] == fields["x-request-id"]
    assert fields["cache-control"] == "no-store"
    assert len(body) < 600
    assert f'id="{code}"' in failures_page.page()
    assert fields.get("accept-encoding") == ("identity" if status == 415 else None)


async def test_a_head_of_nearly_16_kb_and_a_path_of_8_kb_go_through(behind: Behind) -> None:
    token = f"Authorization: {behind.token(sub='900')['Authorization']}\r\n".encode()
    path = b"/api/v1/feed?cursor=" + b"a" * 8_000
    sent = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nX-Y: " + b"a" * 15_000 + b"\r\n" + token + b"\r\n"
    # this test's own server behind it accepts less, and answers in plain text
    seen, fields, body = await _raw(behind, sent)
    assert (seen, fields["content-type"], json.loads(body)["code"]) == (400, "application/problem+json", "invalid")
    assert json.loads(body)["detail"] == "The request is not one that the service understands"


@pytest.mark.parametrize(("status", "seen", "code"), [(400, 400, "invalid"), (500, 502, "bad_gateway")])
async def test_an_error_of_a_service_that_is_no_document_becomes_one(
    behind: Behind, client: aiohttp.ClientSession, status: int, seen: int, code: str
) -> None:
    url = f"{behind.url}{API}/users/plain?status={status}"
    async with client.get(url, headers=behind.token(sub=f"80{status}")) as answer:
        await problem_of(answer, seen, code)


async def test_a_client_that_expects_100_continue_gets_it(behind: Behind, client: aiohttp.ClientSession) -> None:
    async with client.post(f"{behind.url}{API}/auth/signup", data=b"{}", expect100=True) as answer:
        assert answer.status == 200
        assert "expect" not in (await answer.json())["headers"]


async def test_every_read_supports_head_and_options(behind: Behind, client: aiohttp.ClientSession) -> None:
    url = f"{behind.url}{API}/feed"
    async with client.get(url, headers=behind.token(sub="901")) as whole:
        length = whole.headers["Content-Type"]
    async with client.head(url, headers=behind.token(sub="901")) as head:
        assert (head.status, head.headers["Content-Type"], await head.read()) == (200, length, b"")
    async with client.options(url) as options:
        assert (options.status, options.headers["Allow"]) == (204, "GET,HEAD,OPTIONS")


async def test_pages_of_the_origins_in_the_scenario_may_use_the_api_and_no_others(
    behind: Behind, client: aiohttp.ClientSession
) -> None:
    url = f"{behind.url}{API}/feed"
    ask = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    async with client.options(url, headers=ask) as asked:
        assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
        assert "GET" in asked.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
        assert "Idempotency-Key" in asked.headers["Access-Control-Allow-Headers"]
    for headers, status in ((behind.token(sub="902"), 200), ({}, 401)):
        async with client.get(url, headers={"Origin": ORIGIN, **headers}) as answer:
            assert answer.status == status
            assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
            exposed = {each.strip() for each in answer.headers["Access-Control-Expose-Headers"].split(",")}
            assert exposed >= {"Retry-After", "Idempotency-Replayed", "X-RateLimit-Limit", "X-RateLimit-Remaining"}
            assert "Origin" in answer.headers.getall("Vary")
    async with client.get(url, headers={"Origin": "https://else.example", **behind.token(sub="902")}) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_idle_connections_of_one_address_are_limited_and_others_do_not_wait(behind: Behind) -> None:
    host, _, port = behind.url.removeprefix("http://").partition(":")
    healthy = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    asked = _GET + b"\r\n"
    idle: list[socket.socket] = []
    try:
        for _ in range(ADDRESS_CONNECTIONS_MAX):
            one = socket.socket()
            idle.append(one)
            one.bind(("127.0.0.77", 0))
            one.connect((host, int(port)))
        one_too_many, fields, body = await _raw(behind, asked, source="127.0.0.77")
        assert (one_too_many, fields["connection"]) == (429, "close")
        assert json.loads(body)["code"] == "too_many_connections"
        for source in ("127.0.0.1", "127.0.0.78"):
            began = time.monotonic()
            assert (await _raw(behind, healthy, source=source))[0] == 200
            assert (await _raw(behind, asked, source=source))[0] == 401
            assert time.monotonic() - began < 5
    finally:
        for one in idle:
            one.close()
