"""The object store's front: what a client sees of the store, on raw sockets if a library would hide it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.names import ADDRESS_CONNECTIONS_MAX, Server
from core.policies import photo
from tests.stack.conftest import ORIGIN
from tests.stack.fronted import Store, answer_of, up

_SIZES = (3, 60_000, 500_000, 5_000_000)


@pytest.fixture(scope="module")
def store(data_folder: Path) -> Iterator[Store]:
    """A store and its front."""
    running = up(data_folder, "fronted", Server.OBJECTS, Server.FRONT)
    yield Store(running)
    running.stop(wipe=True)


@pytest.mark.parametrize("size", _SIZES)
async def test_an_address_accepts_one_put_and_every_other_one_is_answered(store: Store, size: int) -> None:
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
            statuses.append((await answer_of(reader, bodiless=False, sent_all=True)).status)
        writer.close()
        await writer.wait_closed()
    assert statuses == [200, 412, 403, 404]


async def test_a_client_that_expects_100_continue_gets_it_and_then_an_answer(store: Store) -> None:
    host, _, port = store.host.partition(":")
    good, seen = store.put_target("asked", 3), []
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(2):
            writer.write(store.put_head(good, 3, "Expect: 100-continue"))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
            writer.write(b"xxx")
            seen.append(await answer_of(reader, bodiless=False, sent_all=True))
        writer.close()
        await writer.wait_closed()
    assert seen[0].status == 200
    store.refused(seen[1], 412, "address_used")


async def test_a_body_that_does_not_begin_is_refused(store: Store) -> None:
    seen = await store.ask(store.put_head(store.put_target("never", 3), 3))
    assert "10 s" in store.refused(seen, 408, "request_timeout")["detail"]


async def test_pages_of_the_origins_in_the_scenario_may_upload_and_no_others(store: Store) -> None:
    target = store.put_target("page", 3)
    asks = ("Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: content-type, if-none-match")
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://else.example", None)):
        field = f"Origin: {origin}"
        preflight = await store.ask(store.head("OPTIONS", target, field, *asks))
        assert (preflight.status, preflight.fields.get("access-control-allow-origin")) == (204, allowed)
        if allowed:
            assert "put" in preflight.fields["access-control-allow-methods"]
            assert {"content-type", "if-none-match"} <= set(
                preflight.fields["access-control-allow-headers"].split(", ")
            )
        # the page can read why it is refused, too; each field occurs once
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


async def test_it_has_health_and_metrics(store: Store) -> None:
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
