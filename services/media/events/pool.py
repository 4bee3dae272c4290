"""A pool of worker processes that decode and render photos: one photo at a time each, replaced when they die."""

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
from services.media.events.worker import LENGTH_BYTES
from services.media.rules.checks import Checked
from services.media.rules.work import RENDER_SECONDS_MAX, RenderResult

_WORKER: Final = "services.media.events.worker"
_REAP_SECONDS: Final = 5.0
_DYING_SECONDS: Final = 1.0  # between the end of a worker's output and its exit
_log = structlog.get_logger("media")
_DECODE: Final = msgspec.msgpack.Decoder(RenderResult).decode


class WorkerLost(Exception):  # noqa: N818 - seen and handled: the photo is tried again
    """The worker died while it rendered a photo."""


class WorkerSlow(WorkerLost):
    """The worker took too long for a photo and was killed."""


class WorkerPool:
    """Renders at most ``workers`` photos of one lane at once; a worker is started for its first photo.

    ``nicer`` is how much nicer than this process the workers are.
    """

    def __init__(
        self,
        *,
        workers: int,
        lane: Lane = Lane.LIGHT,
        nicer: int = 0,
        seconds_max: float | None = None,
        cpu_seconds_max: int | None = None,
    ):
        self._cpu_seconds_max = CPU_SECONDS_MAX[lane] if cpu_seconds_max is None else cpu_seconds_max
        self._lane, self._seconds_max = lane, RENDER_SECONDS_MAX[lane] if seconds_max is None else seconds_max
        self._nicer = nicer
        self._free: list[asyncio.subprocess.Process] = []
        self._working: set[asyncio.subprocess.Process] = set()
        self._places = asyncio.Semaphore(workers)

    async def render(self, photo: Checked) -> RenderResult:
        """Render one photo, waiting for a free worker; raises WorkerLost."""
        data = msgspec.msgpack.encode(photo)
        async with self._places:
            worker = self._free.pop() if self._free else await self._started()
            self._working.add(worker)
            try:
                async with asyncio.timeout(self._seconds_max):
                    outcome = await _exchange(worker, data)
            except (OSError, EOFError, TimeoutError, msgspec.DecodeError) as error:
                # a worker that exceeded its CPU limit exits by itself
                await _end(worker, reap_first=not isinstance(error, TimeoutError))
                slow = isinstance(error, TimeoutError) or worker.returncode == -signal.SIGXCPU
                kind = WorkerSlow if slow else WorkerLost
                raise kind(f"{type(error).__name__}, exit code {worker.returncode}") from error
            except BaseException:  # cancelled during a photo: the next one must not get its result
                await _end(worker)
                raise
            finally:
                self._working.discard(worker)
            self._free.append(worker)
            return outcome

    async def close(self) -> None:
        """End every worker."""
        workers, self._free = [*self._free, *self._working], []
        await asyncio.gather(*(_end(worker) for worker in workers))

    async def _started(self) -> asyncio.subprocess.Process:
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            _WORKER,
            self._lane,
            str(self._cpu_seconds_max),
            str(os.getpid()),
            str(self._nicer),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # one thread per photo: concurrent photos use the cores better than threads of one photo
            env={**os.environ, "VIPS_CONCURRENCY": "1"},
        )
        _log.info("render_worker_started", pid=worker.pid)
        return worker


async def _exchange(worker: asyncio.subprocess.Process, data: bytes) -> RenderResult:
    photos, results = worker.stdin, worker.stdout
    if photos is None or results is None:
        raise EOFError("no pipes")
    photos.write(len(data).to_bytes(LENGTH_BYTES, "big"))
    photos.write(data)
    await photos.drain()
    length = int.from_bytes(await results.readexactly(LENGTH_BYTES), "big")
    return _DECODE(await results.readexactly(length))


async def _end(worker: asyncio.subprocess.Process, *, reap_first: bool = False) -> None:
    if reap_first:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DYING_SECONDS):
                await worker.wait()
    with suppress(ProcessLookupError):
        worker.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(_REAP_SECONDS):
            await worker.wait()
