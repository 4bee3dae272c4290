"""The malware scanner: one photo per connection, streamed to clamd by its INSTREAM command (clamd(8)).

A scanner that is down or frozen is not the photo's fault: `Unavailable`. If it answered just before and then died,
failed or took too long, the photo is at fault: `ScannerLost`, `ScannerSlow`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from core import settings
from core.failures import Unavailable
from core.policies import photo

_CHUNK_BYTES: Final = 1 << 18
_ANSWER_SECONDS: Final = 2.0  # for a connection, and for the answer to PING
SECONDS_MAX: Final = photo.SCAN_SECONDS_MAX + 5.0  # its own time limit comes first
_REPLY_BYTES_MAX: Final = 1024
_PROBE: Final = b"is the scanner healthy?"
_OVER_ITS_LIMITS: Final = "Heuristics.Limits.Exceeded"
_log = structlog.get_logger("media")


class ScannerLost(Exception):  # noqa: N818 - seen and handled: the photo is tried again, alone
    """The scanner was healthy before this photo, and died or failed on it."""


class ScannerSlow(ScannerLost):
    """The scanner is healthy, but could not scan this photo within its limits."""


class Scanner:
    """One clamd, with at most `SCANS_AT_ONCE_MAX` photos at once."""

    def __init__(self, scanner_settings: settings.Clamd, *, seconds_max: float = SECONDS_MAX):
        self._scanner_settings, self._seconds_max = scanner_settings, seconds_max
        self._places = asyncio.Semaphore(photo.SCANS_AT_ONCE_MAX)
        self._emptying = asyncio.Lock()

    async def signature_in(self, data: bytes, *, alone: bool = False) -> str | None:
        """Name of the signature that matches, None for a clean photo; raises Unavailable, ScannerLost, ScannerSlow.

        A photo never passes because the scanner does not answer: the caller tries again. With ``alone`` no other photo
        is scanned meanwhile.
        """
        async with self._place(alone=alone):
            if not await self._answers():
                raise Unavailable("The scanner does not answer")
            try:
                reply = await self._scanned(data)
            except TimeoutError as error:
                if await self._healthy():
                    raise ScannerSlow("The scanner took too long") from error
                raise Unavailable("The scanner does not answer") from error
            except OSError as error:
                raise ScannerLost("The scanner went away") from error
            # "stream: OK", "stream: Eicar-Test FOUND", or an error, such as "INSTREAM size limit exceeded. ERROR"
            says = reply.removeprefix("stream: ")
            if says == "OK":
                return None
            if says.startswith(_OVER_ITS_LIMITS):
                raise ScannerSlow(reply[:200])
            if says.endswith(" FOUND"):
                return says.removesuffix(" FOUND")
            if says and not await self._healthy():  # such as a full disk
                raise Unavailable(f"The scanner answered {reply[:200]!r}")
            raise ScannerLost(f"The scanner answered {reply[:200]!r}")

    @asynccontextmanager
    async def _place(self, *, alone: bool) -> AsyncIterator[None]:
        wanted = photo.SCANS_AT_ONCE_MAX if alone else 1
        taken = 0
        try:
            async with self._emptying:  # one at a time, so that two that need all places cannot deadlock
                for _ in range(wanted):
                    await self._places.acquire()
                    taken += 1
            yield
        finally:
            for _ in range(taken):
                self._places.release()

    async def _answers(self) -> bool:
        """Whether it answers PING."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._asked([b"zPING\0"]) == "PONG"
        except (OSError, TimeoutError):
            return False

    async def _healthy(self) -> bool:
        """Whether it finds a few harmless bytes clean."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._asked(_stream(_PROBE)) == "stream: OK"
        except (OSError, TimeoutError):
            return False

    async def _scanned(self, data: bytes) -> str:
        async with asyncio.timeout(self._seconds_max):
            return await self._asked(_stream(data))

    async def _asked(self, parts: Iterable[bytes]) -> str:
        reader, writer = await asyncio.open_connection(self._scanner_settings.host, self._scanner_settings.port)
        try:
            try:
                for part in parts:
                    writer.write(part)
                    await writer.drain()
            except ConnectionError:  # it may have sent the reason before it closed
                _log.info("scanner_closed_early")
            return (await reader.read(_REPLY_BYTES_MAX)).decode(errors="replace").rstrip("\0\n")
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _stream(data: bytes) -> Iterator[bytes]:
    yield b"zINSTREAM\0"
    for start in range(0, len(data), _CHUNK_BYTES):
        chunk = data[start : start + _CHUNK_BYTES]
        yield len(chunk).to_bytes(4, "big") + chunk
    yield bytes(4)
