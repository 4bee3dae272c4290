"""The object store's front: what a client sees of the store, on raw sockets where a library would hide it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.config
import pytest

from core import scenario
from core.names import ADDRESS_CONNECTIONS_MAX, Component, Server
from core.policies import photo
from services.kit import failures_page
from stack import control, ports
from tests.conftest import SCENARIO

_ORIGIN = "https://app.example"
_BUCKET = "uploads"
_SIZES = (3, 60_000, 500_000, 5_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An answer, and whether all of the request could be sent."""

    status: int
    fields: Mapping[str, str]
    body: bytes
    sent_all: bool


class Store:
    """Addresses of a stack's object store, and requests to them on connections of their own."""

    def __init__(self, running: control.RunningStack):
        told = running.stores(Component.UPLOAD).objects
        assert told is not None
        self.running = running
        self.host = urlsplit(told.public_endpoint).netloc
        self._signer = boto3.client(
            "s3",
            endpoint_url=told.public_endpoint,
            region_name=told.region,
            aws_access_key_id=told.access_key,
            aws_secret_access_key=told.secret_key,
            config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def put_target(self, key: str, size: int, *, seconds: int = 900) -> str:
        """Path and query of an address that takes one PUT of ``size`` bytes."""
        return self.target(
            "put_object", seconds, Key=key, ContentLength=size, ContentType="image/jpeg", IfNoneMatch="*"
        )

    def target(self, operation: str, seconds: int = 900, **parameters: Any) -> str:
        url = self._signer.generate_presigned_url(
            operation, Params={"Bucket": _BUCKET, **parameters}, ExpiresIn=seconds
        )
        return url.removeprefix(f"http://{self.host}")

    def head(self, method: str, target: str, *fields: str) -> bytes:
        return "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {self.host}", *fields, "", "")).encode("latin-1")

    def put_head(self, target: str, size: int, *fields: str) -> bytes:
        signed = ("Content-Type: image/jpeg", f"Content-Length: {size}", "If-None-Match: *")
        return self.head("PUT", target, *signed, *fields)

    async def ask(self, *sent: bytes, source: str = "127.0.0.1", bodiless: bool = False) -> Seen:
        """Send everything before anything is read, as the simplest of clients do."""
        host, _, port = self.host.partition(":")
        async with asyncio.timeout(60):
            reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
            sent_all = True
            try:
                for part in sent:
                    writer.write(part)
                    await writer.drain()
            except ConnectionError:
                sent_all = False
            try:
                return await _answer(reader, bodiless=bodiless, sent_all=sent_all)
            finally:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()

    async def put(self, target: str, size: int, *fields: str) -> Seen:
        return await self.ask(self.put_head(target, size, *fields), b"x" * size)

    def refused(self, seen: Seen, status: int, code: str) -> dict[str, Any]:
        """The document of a refusal, when it is the right one and leads to the docs."""
        assert (seen.status, seen.fields["content-type"]) == (status, "application/problem+json"), seen
        said: dict[str, Any] = json.loads(seen.body)
        page = f"{self.running.gateway_url}/api/v1/docs/errors#{code}"
        assert (said["status"], said["code"], said["type"]) == (status, code, page)
        assert said["trace_id"] == seen.fields["x-request-id"]
        assert seen.fields["cache-control"] == "no-store"
        assert f'id="{code}"' in failures_page.page()
        assert b"<" not in seen.body
        return said


async def _answer(reader: asyncio.StreamReader, *, bodiless: bool, sent_all: bool) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
    body = b"" if bodiless else await reader.readexactly(int(fields.get("content-length", 0)))
    return Seen(status=int(head.split()[1]), fields=fields, body=body, sent_all=sent_all)


def _up(folder: Path, name: str, *servers: Server, **asked: Any) -> control.RunningStack:
    path = folder / f"{name}.yaml"
    read = scenario.read(SCENARIO)
    system = replace(read.system, gateway=replace(read.system.gateway, origins=(_ORIGIN,)))
    path.write_text(scenario.explain(replace(read, system=system)), encoding="utf-8")
    return control.up(path, folder / name, attached=True, services=False, servers=servers, **asked)


@pytest.fixture(scope="module")
def store(data_folder: Path) -> Iterator[Store]:
    """A store and its front."""
    running = _up(data_folder, "fronted", Server.OBJECTS, Server.FRONT)
    yield Store(running)
    running.stop(wipe=True)


@pytest.mark.parametrize("size", _SIZES)
async def test_an_address_takes_one_put_and_every_other_one_is_answered(store: Store, size: int) -> None:
    target = store.put_target(f"once/{size}", size)
    first = await store.put(target, size)
    assert (first.status, first.body) == (200, b"")
    assert first.fields["etag"]
    got = await store.ask(store.head("GET", store.target("get_object", Key=f"once/{size}")))
    assert (got.status, got.body) == (200, b"x" * size)
    for _ in range(10):
        again = await store.put(target, size)
        store.refused(again, 412, "address_used")
        assert again.sent_all


@pytest.mark.parametrize("size", _SIZES)
async def test_a_refused_put_is_read_to_its_end_and_answered(store: Store, size: int) -> None:
    wrong = store.put_target(f"wrong/{size}", size).replace("X-Amz-Signature=", "X-Amz-Signature=0")
    for _ in range(10):
        seen = await store.put(wrong, size)
        store.refused(seen, 403, "address_refused")
        assert seen.sent_all


async def test_many_at_once_get_their_own_answers(store: Store) -> None:
    size = 500_000
    good = [store.put_target(f"many/{number}", size) for number in range(12)]
    wrong = [each.replace("X-Amz-Signature=", "X-Amz-Signature=0") for each in good]
    seen = await asyncio.gather(*(store.put(each, size) for pair in zip(good, wrong, strict=True) for each in pair))
    assert [each.status for each in seen] == [200, 403] * 12


async def test_an_address_expires(store: Store) -> None:
    target = store.put_target("expires", 3, seconds=1)
    async with asyncio.timeout(30):
        seen = await store.put(target, 3)
        while seen.status in (200, 412):
            seen = await store.put(target, 3)
    store.refused(seen, 403, "address_expired")


def _signed(change: Callable[[str], str]) -> Callable[[Store], tuple[bytes, ...]]:
    def made(store: Store) -> tuple[bytes, ...]:
        return (change(store.put_head(store.put_target("never", 3), 3).decode()).encode("latin-1"), b"xxx")

    return made


def _plain(method: str, path: str, *fields: str, body: bytes = b"") -> Callable[[Store], tuple[bytes, ...]]:
    return lambda store: (store.head(method, path, *fields), body)


_LARGE = photo.BYTES_MAX + 1


@pytest.mark.parametrize(
    ("made", "status", "code"),
    [
        (_signed(lambda head: head.replace("image/jpeg", "image/png")), 403, "address_refused"),
        (_signed(lambda head: head.replace("If-None-Match: *\r\n", "")), 403, "address_refused"),
        (_signed(lambda head: head.replace("never", "other")), 403, "address_refused"),
        (_signed(lambda head: head.replace("127.0.0.1", "localhost")), 403, "address_refused"),
        (_signed(lambda head: head.replace("Length: 3", "Length: 2")), 403, "address_refused"),
        (_plain("PUT", "/uploads/anybody", "Content-Length: 3", body=b"xxx"), 403, "address_refused"),
        (_plain("PUT", "/uploads/x", body=b""), 411, "length_required"),
        (
            _plain("PUT", "/uploads/x", "Transfer-Encoding: chunked", body=b"3\r\nxxx\r\n0\r\n\r\n"),
            411,
            "length_required",
        ),
        (_plain("PUT", "/uploads/x", f"Content-Length: {_LARGE}", body=b"x" * _LARGE), 413, "too_large"),
        (_plain("POST", "/uploads/x", "Content-Length: 500000", body=b"x" * 500_000), 405, "method_not_allowed"),
        (_plain("DELETE", "/uploads/x"), 405, "method_not_allowed"),
        (_plain("PUT", "/x", "Expect: miracles", "Content-Length: 3", body=b"xxx"), 417, "expectation_failed"),
        (_plain("GET", "/media/none/such.jpg"), 404, "not_found"),
        (_plain("GET", "/uploads/x"), 403, "address_refused"),
        (_plain("GET", "/"), 403, "address_refused"),
        (_plain("GET", "/media/x", "Content-Length: 3", body=b"xxx"), 400, "invalid"),
        (_plain("GET", "/uploads/\xe9"), 400, "invalid"),
        (_plain("GET", "/uploads/x", "X Y: z"), 400, "invalid"),
        (_plain("GET", "/uploads/x?a=" + "a" * 8_200), 414, "uri_too_long"),
        (_plain("PUT", "/x", "Content-Length: 60000", "X-Y: " + "a" * 17_000, body=b"x" * 60_000), 431,
         "headers_too_large"),
    ],
)  # fmt: skip
async def test_what_a_client_may_not_do_is_a_document_whose_type_is_in_the_docs(
    store: Store, made: Callable[[Store], tuple[bytes, ...]], status: int, code: str
) -> None:
    seen = await store.ask(*made(store))
    store.refused(seen, status, code)
    assert seen.sent_all
    assert len(seen.body) < 600
    assert seen.fields.get("allow") == ("get,head,options,put" if status == 405 else None)


async def test_a_head_has_the_fields_of_what_can_be_got_and_of_what_cannot(store: Store) -> None:
    assert (await store.put(store.put_target("head", 3), 3)).status == 200
    found = await store.ask(store.head("HEAD", store.target("head_object", Key="head")), bodiless=True)
    assert (found.status, found.fields["content-length"], found.fields["content-type"]) == (200, "3", "image/jpeg")
    missing = await store.ask(store.head("HEAD", "/media/none.jpg"), bodiless=True)
    assert (missing.status, missing.fields["content-type"]) == (404, "application/problem+json")


async def test_a_connection_is_kept_over_answers_of_every_kind(store: Store) -> None:
    size = 60_000
    good = store.put_target("kept", size)
    host, _, port = store.host.partition(":")
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(host, int(port))
        statuses = []
        for target in (good, good, good.replace("kept", "else"), "/media/none.jpg"):
            head = store.head("GET", target) if target.startswith("/media") else store.put_head(target, size)
            writer.write(head + (b"" if target.startswith("/media") else b"x" * size))
            statuses.append((await _answer(reader, bodiless=False, sent_all=True)).status)
        writer.close()
        await writer.wait_closed()
    assert statuses == [200, 412, 403, 404]


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked_and_then_answered(store: Store) -> None:
    host, _, port = store.host.partition(":")
    good, seen = store.put_target("asked", 3), []
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(2):
            writer.write(store.put_head(good, 3, "Expect: 100-continue"))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
            writer.write(b"xxx")
            seen.append(await _answer(reader, bodiless=False, sent_all=True))
        writer.close()
        await writer.wait_closed()
    assert seen[0].status == 200
    store.refused(seen[1], 412, "address_used")


async def test_a_body_that_does_not_begin_is_told_so(store: Store) -> None:
    seen = await store.ask(store.put_head(store.put_target("never", 3), 3))
    assert "10 s" in store.refused(seen, 408, "request_timeout")["detail"]


async def test_pages_of_the_origins_in_the_scenario_may_upload_and_no_others(store: Store) -> None:
    target = store.put_target("page", 3)
    asks = ("Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: content-type, if-none-match")
    for origin, allowed in ((_ORIGIN, _ORIGIN), ("https://else.example", None)):
        field = f"Origin: {origin}"
        preflight = await store.ask(store.head("OPTIONS", target, field, *asks))
        assert (preflight.status, preflight.fields.get("access-control-allow-origin")) == (204, allowed)
        if allowed:
            assert "put" in preflight.fields["access-control-allow-methods"]
            assert {"content-type", "if-none-match"} <= set(
                preflight.fields["access-control-allow-headers"].split(", ")
            )
        # the page sees why it is refused, too; each field stands there once
        host, _, port = store.host.partition(":")
        async with asyncio.timeout(60):
            reader, writer = await asyncio.open_connection(host, int(port))
            for status in (200, 412) if allowed else (412, 412):
                writer.write(store.put_head(target, 3, field) + b"xxx")
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                assert head.startswith(f"http/1.1 {status}")
                assert head.count("access-control-allow-origin") == int(allowed is not None)
                length = next(line for line in head.split("\r\n") if line.startswith("content-length"))
                await reader.readexactly(int(length.split(": ")[1]))
            writer.close()
            await writer.wait_closed()


async def test_connections_of_one_address_are_limited(store: Store) -> None:
    host, _, port = store.host.partition(":")
    source, held = "127.0.0.79", list[asyncio.StreamWriter]()
    async with asyncio.timeout(60):
        try:
            for _ in range(ADDRESS_CONNECTIONS_MAX):
                _, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
                held.append(writer)
            sent = store.put_head(store.put_target("limited", 3), 3) + b"xxx"
            store.refused(await store.ask(sent, source=source), 429, "too_many_connections")
            assert (await store.ask(sent)).status == 200
        finally:
            for writer in held:
                writer.close()


async def test_it_is_asked_how_it_is_and_is_measured(store: Store) -> None:
    assert (await store.ask(store.head("GET", "/healthz"))).body == b"ok"
    config = (store.running.data / "front" / "haproxy.cfg").read_text()
    frontend = config[config.index("frontend operators") :]
    address = next(line.split()[-1] for line in frontend.splitlines() if "bind" in line)
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert b'haproxy_frontend_http_requests_total{proxy="store"}' in await reader.read()
    writer.close()
    await writer.wait_closed()


_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
_SIZE = 500_000


@pytest.fixture(scope="module")
def lost(data_folder: Path) -> Iterator[tuple[Store, int]]:
    """A front whose store is gone, and the port where that would be."""
    port = ports.choose(("objects",), {})["objects"]
    running = _up(data_folder, "lost", Server.FRONT, ports={"objects": port})
    yield Store(running), port
    running.stop(wipe=True)


async def _put_and_get(store: Store) -> tuple[Seen, Seen]:
    return await store.put("/uploads/x", _SIZE), await store.ask(store.head("GET", "/media/x.jpg"))


async def test_a_store_that_is_down_is_unavailable(lost: tuple[Store, int]) -> None:
    for seen in await _put_and_get(lost[0]):
        lost[0].refused(seen, 503, "unavailable")
        assert seen.fields["retry-after"] == "1"
        assert seen.sent_all


def _saying(status: str, code: str) -> _Serve:
    """Answers by the first bytes, and closes with the rest unread: the client's system gets a reset."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        said = f"<Error><Code>{code}</Code></Error>"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(said)}\r\n\r\n{said}".encode())
        await writer.drain()
        writer.close()

    return serve


async def _dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


@pytest.mark.parametrize(
    ("serve", "put", "get"),
    [
        (_saying("507 Insufficient Storage", "InsufficientStorage"), (503, "storage_full"), (502, "bad_gateway")),
        (_saying("403 Forbidden", "QuotaExceeded"), (503, "storage_full"), (403, "address_refused")),
        (_saying("503 Slow Down", "SlowDown"), (503, "overloaded"), (503, "overloaded")),
        (_saying("500 Internal Server Error", "InternalError"), (502, "bad_gateway"), (502, "bad_gateway")),
        (_saying("400 Bad Request", "EntityTooLarge"), (413, "too_large"), (400, "invalid")),
        (_saying("400 Bad Request", "BadDigest"), (400, "invalid"), (400, "invalid")),
        (_saying("416 Range Not Satisfiable", "InvalidRange"), (400, "invalid"), (400, "invalid")),
        (_dying, (502, "bad_gateway"), (502, "bad_gateway")),
    ],
)
async def test_whatever_ails_the_store_is_said_in_our_words(
    lost: tuple[Store, int], serve: _Serve, put: tuple[int, str], get: tuple[int, str]
) -> None:
    store, port = lost
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        for seen, (status, code) in zip(await _put_and_get(store), (put, get), strict=True):
            store.refused(seen, status, code)
            assert seen.sent_all
            assert ("retry-after" in seen.fields) is (status >= 500)


async def test_a_store_that_does_not_answer_is_waited_for_so_long(lost: tuple[Store, int]) -> None:
    store, port = lost
    over = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await asyncio.wait((asyncio.ensure_future(reader.read()), asyncio.ensure_future(over.wait())))
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", port)
    async with server:
        seen = await asyncio.gather(store.put("/uploads/x", 3), store.ask(store.head("GET", "/media/x.jpg")))
        over.set()
    for each in seen:
        store.refused(each, 504, "deadline_exceeded")


if os.geteuid() == 0:  # only root can mount

    @pytest.fixture
    def small_disk(data_folder: Path) -> Iterator[Path]:
        folder = data_folder / "small"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", str(folder)], check=True)
        yield folder
        subprocess.run(["umount", str(folder)], check=True)

    async def test_a_full_disk_is_told_with_when_to_come_back(small_disk: Path) -> None:
        running = _up(small_disk, "full", Server.OBJECTS, Server.FRONT, free_bytes_min=1)
        try:
            store, size = Store(running), 10_000_000
            seen = [await store.put(store.put_target(f"full/{number}", size), size) for number in range(3)]
            assert [each.status for each in seen] == [200, 200, 503]
            store.refused(seen[-1], 503, "storage_full")
            assert seen[-1].fields["retry-after"] == "10"
            assert seen[-1].sent_all
            assert (await store.put(store.put_target("full/small", 3), 3)).status == 200
        finally:
            running.stop(wipe=True)
