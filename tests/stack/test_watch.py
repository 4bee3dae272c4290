"""A frozen process is distinguished from a busy one, by its answers and its CPU use."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from stack import probe, watch
from stack.addresses import Address
from stack.watch import Watch, WatchResult

pytestmark = pytest.mark.alone

_ANSWERS = "while True:\n    wire, _ = server.accept(); wire.recv(9); wire.sendall(b'+PONG\\r\\n'); wire.close()"
_SLEEPS = "import time; time.sleep(600)"  # the kernel accepts connections in its place
_SPINS = "while True: pass"


@asynccontextmanager
async def _process(does: str, *, may_wait: bool = False) -> AsyncIterator[Watch]:
    """A process that listens and does ``does``, with a watch over it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address(host="127.0.0.1", port=server.getsockname()[1])
        program = f"import socket; server = socket.socket(fileno={server.fileno()}); print(1, flush=True)\n{does}"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, pass_fds=(server.fileno(),), stdout=asyncio.subprocess.PIPE
        )
    assert child.stdout is not None
    await child.stdout.readline()
    over = Watch(child.pid, replace(probe.redis(address), may_wait=may_wait))
    try:
        yield over
    finally:
        over.close()
        child.kill()
        await child.communicate()


async def _looks(over: Watch, until: Callable[[WatchResult], bool], *, looks_max: int = 150) -> list[WatchResult]:
    found: list[WatchResult] = []
    while len(found) < looks_max:
        found.append(over.look(time.monotonic()))
        if until(found[-1]):
            break
        await asyncio.sleep(watch.LOOK_SECONDS)
    return found


async def test_a_process_that_answers_is_healthy_and_one_stopped_by_a_signal_is_frozen_at_the_next_check() -> None:
    async with _process(_ANSWERS) as over:
        await _looks(over, lambda finding: over.asked_count >= 2)
        assert (await _looks(over, lambda finding: finding is WatchResult.WELL))[-1] is WatchResult.WELL
        os.kill(over.pid, signal.SIGSTOP)
        found = await _looks(over, lambda finding: finding is WatchResult.GONE)
        assert found[-1] is WatchResult.GONE
        assert len(found) >= watch.FROZEN_SECONDS / watch.LOOK_SECONDS
        os.kill(over.pid, signal.SIGCONT)
        assert (await _looks(over, lambda finding: finding is WatchResult.WELL))[-1] is WatchResult.WELL


async def test_a_process_that_neither_answers_nor_does_anything_is_frozen_and_in_the_end_to_be_restarted() -> None:
    async with _process(_SLEEPS) as over:
        found = await _looks(over, lambda finding: finding is WatchResult.GONE)
    assert WatchResult.FROZEN in found
    assert found[-1] is WatchResult.GONE


async def test_a_process_that_may_wait_for_others_is_not_frozen_when_it_does_nothing() -> None:
    async with _process(_SLEEPS, may_wait=True) as over:
        found = await _looks(
            over, lambda finding: finding is not WatchResult.BUSY and over.asked_count > 1, looks_max=15
        )
        assert WatchResult.FROZEN not in found
        os.kill(over.pid, signal.SIGSTOP)
        assert WatchResult.FROZEN in await _looks(over, lambda finding: finding is WatchResult.FROZEN)


async def test_a_process_that_works_and_does_not_answer_is_busy_and_not_frozen() -> None:
    async with _process(_SPINS) as over:
        found = await _looks(over, lambda finding: finding is WatchResult.SILENT)
    assert WatchResult.BUSY in found
    assert WatchResult.GONE not in found
    assert found[-1] is WatchResult.SILENT  # reported after ten seconds without an answer, and not restarted


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (probe.redis, b"-LOADING Redis is loading the dataset in memory\r\n"),
        (probe.clamd, b"PONG\0"),
        (probe.postgres, b"N"),
        (probe.kafka, b"\0\0\0\x0a\0\0\0\x01\0\0\0\0\0\0"),
        (lambda address: probe.http(address, "/healthz"), b"HTTP/1.1 503 Service Unavailable\r\n\r\n"),
    ],
)
async def test_any_answer_in_its_protocol_shows_that_a_process_works_and_no_other(
    ask: Callable[[Address], probe.Probe], says: bytes
) -> None:
    answers = [says, b"\x15\x03\x01"]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(200)
        writer.write(answers.pop(0))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = Address(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    assert await ask(address).answered()
    assert not await ask(address).answered()
    server.close()
    await server.wait_closed()
    assert not await ask(address).answered()  # nobody listens
