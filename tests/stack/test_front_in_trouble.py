"""The object store's front while the store is down, silent, in trouble or full."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core.names import Server
from stack import ports
from tests.stack.fronted import Seen, Store, up

_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
_SIZE = 500_000


@pytest.fixture(scope="module")
def lost(data_folder: Path) -> Iterator[tuple[Store, int]]:
    """A front whose store is down, and the store's port."""
    port = ports.choose(("objects",), {})["objects"]
    running = up(data_folder, "lost", Server.FRONT, ports={"objects": port})
    yield Store(running), port
    running.stop(wipe=True)


async def _put_and_get(store: Store) -> tuple[Seen, Seen]:
    return await store.put("/uploads/x", _SIZE), await store.ask(store.head("GET", "/media/x.jpg"))


async def test_a_store_that_is_down_is_unavailable(lost: tuple[Store, int]) -> None:
    put, get = await _put_and_get(lost[0])
    lost[0].refused(put, 503, "unavailable")
    lost[0].refused(get, 503, "unavailable")
    assert put.fields["retry-after"] == get.fields["retry-after"] == "1"
    assert put.sent_all


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
async def test_any_failure_of_the_store_becomes_a_problem_document(
    lost: tuple[Store, int], serve: _Serve, put: tuple[int, str], get: tuple[int, str]
) -> None:
    store, port = lost
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        seen = await _put_and_get(store)
    for each, (status, code) in zip(seen, (put, get), strict=True):
        store.refused(each, status, code)
        assert ("retry-after" in each.fields) is (status >= 500)
    assert all(each.sent_all for each in seen)


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
    assert [each.status for each in seen] == [504, 504]


if os.geteuid() == 0:  # only root can mount

    @pytest.fixture
    def small_disk(data_folder: Path) -> Iterator[Path]:
        folder = data_folder / "small"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", str(folder)], check=True)
        yield folder
        subprocess.run(["umount", str(folder)], check=True)

    async def test_a_full_disk_is_reported_with_retry_after(small_disk: Path) -> None:
        running = up(small_disk, "full", Server.OBJECTS, Server.FRONT, free_bytes_min=1)
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
