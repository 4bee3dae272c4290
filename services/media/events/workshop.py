"""The benches that photos are worked on: a few processes, each with one photo at a time, replaced when they die."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from core.policies.photo import CPU_SECONDS_MAX, Lane
from services.media.events.bench import LENGTH_BYTES
from services.media.rules.gate import Checked
from services.media.rules.work import RENDER_SECONDS_MAX, Outcome

_BENCH: Final = "services.media.events.bench"
_REAP_SECONDS: Final = 5.0
_DYING_SECONDS: Final = 1.0  # between the end of its output and its own
_log = structlog.get_logger("media")
_DECODE: Final = msgspec.msgpack.Decoder(Outcome).decode


class BenchLost(Exception):  # noqa: N818 - seen and handled: the photo is tried again
    """The process that worked on a photo died."""


class BenchSlow(BenchLost):
    """It took too long, and was ended."""


class Workshop:
    """At most ``benches`` photos of one lane at once; a bench starts with its first photo."""

    def __init__(
        self,
        *,
        benches: int,
        lane: Lane = Lane.LIGHT,
        seconds_max: float | None = None,
        cpu_seconds_max: int | None = None,
    ):
        self._cpu_seconds_max = CPU_SECONDS_MAX[lane] if cpu_seconds_max is None else cpu_seconds_max
        self._lane, self._seconds_max = lane, RENDER_SECONDS_MAX[lane] if seconds_max is None else seconds_max
        self._free: list[asyncio.subprocess.Process] = []
        self._working: set[asyncio.subprocess.Process] = set()
        self._places = asyncio.Semaphore(benches)

    async def render(self, photo: Checked) -> Outcome:
        """Work on one photo, waiting for a free bench; raises BenchLost."""
        data = msgspec.msgpack.encode(photo)
        async with self._places:
            bench = self._free.pop() if self._free else await self._started()
            self._working.add(bench)
            try:
                async with asyncio.timeout(self._seconds_max):
                    outcome = await _exchange(bench, data)
            except (OSError, EOFError, TimeoutError, msgspec.DecodeError) as error:
                # one that its limit ended has ended by itself
                await _end(bench, reap_first=not isinstance(error, TimeoutError))
                slow = isinstance(error, TimeoutError) or bench.returncode == -signal.SIGXCPU
                kind = BenchSlow if slow else BenchLost
                raise kind(f"{type(error).__name__}, exit code {bench.returncode}") from error
            except BaseException:  # cancelled in the middle of a photo: the next one must not get its answer
                await _end(bench)
                raise
            finally:
                self._working.discard(bench)
            self._free.append(bench)
            return outcome

    async def close(self) -> None:
        """End every bench."""
        benches, self._free = [*self._free, *self._working], []
        await asyncio.gather(*(_end(bench) for bench in benches))

    async def _started(self) -> asyncio.subprocess.Process:
        bench = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            _BENCH,
            self._lane,
            str(self._cpu_seconds_max),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # one thread per photo: photos side by side use the cores better than threads of one photo
            env={**os.environ, "VIPS_CONCURRENCY": "1"},
        )
        _log.info("bench_started", pid=bench.pid)
        return bench


async def _exchange(bench: asyncio.subprocess.Process, data: bytes) -> Outcome:
    photos, results = bench.stdin, bench.stdout
    if photos is None or results is None:
        raise EOFError("no pipes")
    photos.write(len(data).to_bytes(LENGTH_BYTES, "big"))
    photos.write(data)
    await photos.drain()
    length = int.from_bytes(await results.readexactly(LENGTH_BYTES), "big")
    return _DECODE(await results.readexactly(length))


async def _end(bench: asyncio.subprocess.Process, *, reap_first: bool = False) -> None:
    if reap_first:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DYING_SECONDS):
                await bench.wait()
    with suppress(ProcessLookupError):
        bench.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(_REAP_SECONDS):
            await bench.wait()
