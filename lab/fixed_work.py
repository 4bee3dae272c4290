"""Does the fixed piece of work and measures its CPU time: JSON, Python calls, system calls and memory.

About a second, in rounds of a few milliseconds, so that a stall of the host spoils only some of the rounds. A kind of
work takes a sixth to a third of a round. CPU time of the thread is measured, because a profile's demands are CPU time.

Run as ``python -m lab.fixed_work CORE`` it prints its result as JSON: in a process of its own the work does not depend
on what the caller has loaded. Without CORE it is done on any.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from core.errors import UserError
from core.fixed_work import FixedWork, reading
from stack import cores

ROUNDS: Final = 140
#: Rounds that are not counted: memory is allocated, and the interpreter adapts its code.
WARM_UP_ROUNDS: Final = 5
#: A hundred times what the slowest machine should need.
SECONDS_MAX: Final = 120.0

_POSTS: Final = 20
_CAPTION: Final = "A long walk by the sea, and what the wind left on the sand. #wind #sea "
_WIDTHS: Final = (150, 320, 640, 1080)
_MESSAGE: Final = b"x" * 600
_MEMORY_BYTES: Final = 8 * 2**20
_COPY_BYTES: Final = 2**20
#: Longer than a page, so that no step is on the page of the one before.
_STRIDE_BYTES: Final = 4096 + 64


def measure(on: Sequence[int]) -> FixedWork:
    """Do the work on the first of the cores ``on`` that can be used, kept awake as the stack's are; raises UserError.

    Call this from the main thread, as `stack.cores.keep_awake`."""
    with cores.keep_awake(on) as usable:
        return _read(usable[:1])


def _read(core: tuple[int, ...]) -> FixedWork:
    """The result of a process that does the work on this core, or on any."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lab.fixed_work", *map(str, core)],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
            env={**os.environ, "PYTHONHASHSEED": "0"},  # the layout of dictionaries is part of the work
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"the fixed work took more than {SECONDS_MAX:.0f} s; is anything else running?") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise UserError(f"the fixed work failed: {said[-1] if said else f'exit code {done.returncode}'}")
    return msgspec.json.decode(done.stdout, type=FixedWork)


def rounds(count: int) -> list[dict[str, float]]:
    """CPU seconds by kind of work, of ``count`` rounds behind those that do not count."""
    found: list[dict[str, float]] = []
    with _kinds() as kinds, _no_collection():
        for _ in range(WARM_UP_ROUNDS + count):
            spent: dict[str, float] = {}
            for kind, work in kinds.items():
                before = time.thread_time()
                work()
                spent[kind] = time.thread_time() - before
            found.append(spent)
    return found[WARM_UP_ROUNDS:]


@contextlib.contextmanager
def _kinds() -> Iterator[Mapping[str, Callable[[], int]]]:
    """The kinds of work. Each returns a number that depends on all of it, and is always the same."""
    page = feed_page()
    memory, target = bytearray(_MEMORY_BYTES), bytearray(_COPY_BYTES)
    with _connection() as (ours, theirs), select.epoll() as waiting:
        waiting.register(theirs, select.EPOLLIN)
        yield {
            "json": lambda: encode_and_decode(page),
            "calls": rank,
            "system_calls": lambda: exchange(ours, theirs, waiting),
            "memory": lambda: copy_and_walk(memory, target),
        }


def feed_page() -> dict[str, Any]:
    """An answer of ``feed.read``: twenty posts with their authors and photos."""
    return {
        "posts": [
            {
                "id": str(10**17 + 7919 * number),
                "author": {"id": str(10**16 + 104729 * number), "username": f"person_{number}", "name": "A Person"},
                "caption": _CAPTION * 2,
                "media": [
                    {"url": f"http://127.0.0.1/media/{number:016x}/{width}.jpg", "width": width, "height": width}
                    for width in _WIDTHS
                ],
                "like_count": 37 * number,
                "comment_count": 3 * number,
                "liked": number % 3 == 0,
                "created_at": "2026-01-01T00:00:00Z",
            }
            for number in range(_POSTS)
        ],
        "next_cursor": "eyJhIjoxfQ" * 4,
    }


def encode_and_decode(page: Mapping[str, Any]) -> int:
    """Write and read a page; returns the number of characters."""
    size = 0
    for _ in range(12):
        text = json.dumps(page)
        size += len(text) + len(json.loads(text))
    return size


class _Candidate:
    __slots__ = ("key", "score")

    def __init__(self, key: str, score: float) -> None:
        self.key = key
        self.score = score

    def weighted(self, weights: Mapping[str, float]) -> float:
        return self.score * weights.get(self.key[-1], 1.0)


def rank() -> int:
    """Make objects, rank them by a method and group them by key; returns the number of posts that they show."""
    shown = 0
    for _ in range(4):
        weights = {str(digit): 1.0 + digit / 10 for digit in range(10)}
        made = [_Candidate(f"post:{7919 * number % 500}", 31 * number % 97 / 97) for number in range(600)]
        groups: dict[str, list[float]] = {}
        for each in sorted(made, key=lambda candidate: candidate.weighted(weights)):
            groups.setdefault(each.key, []).append(each.score)
        shown += sum(max(scores) > 0.5 for scores in groups.values())
    return shown


def exchange(ours: socket.socket, theirs: socket.socket, waiting: select.epoll) -> int:
    """Send messages both ways over loopback, as between two servers; returns the number of bytes received."""
    received = 0
    for _ in range(150):
        ours.sendall(_MESSAGE)
        waiting.poll()
        received += len(theirs.recv(4096))
        theirs.sendall(_MESSAGE)
        received += len(ours.recv(4096))
    return received


def copy_and_walk(memory: bytearray, target: bytearray) -> int:
    """Copy memory, and read a byte of many pages; returns the number of bytes touched."""
    whole, into = memoryview(memory), memoryview(target)
    touched = 0
    for number in range(16):
        at = number * len(target) % len(memory)
        into[:] = whole[at : at + len(target)]
        touched += len(target)
        for line in range(3):
            touched += len(memory[64 * (3 * number + line) :: _STRIDE_BYTES])
    return touched


@contextlib.contextmanager
def _connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection over loopback."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as ours,
        server.accept()[0] as theirs,
    ):
        for end in (ours, theirs):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield ours, theirs


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Without the garbage collector, which would run at times that depend on the heap."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def main(arguments: Sequence[str]) -> None:
    """Do the work on the named core, and print the reading."""
    if arguments:
        os.sched_setaffinity(0, {int(arguments[0])})
    print(msgspec.json.encode(reading(rounds(ROUNDS))).decode())  # noqa: T201 - its result


if __name__ == "__main__":
    main(sys.argv[1:])
