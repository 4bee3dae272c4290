"""The malware scanner: one photo per connection, streamed to clamd by its INSTREAM command (clamd(8))."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from core import settings
from core.failures import DeadlineExceeded, Unavailable

_CHUNK_BYTES: Final = 1 << 18
_CONNECT_SECONDS: Final = 2.0
_SCAN_SECONDS: Final = 20.0
_REPLY_BYTES_MAX: Final = 1024


class Scanner:
    """One clamd."""

    def __init__(self, told: settings.Clamd):
        self._told = told

    async def signature_in(self, data: bytes) -> str | None:
        """Name of the signature that matches, None for a clean photo; raises Unavailable or DeadlineExceeded.

        A scanner that does not answer never passes a photo: the caller tries again.
        """
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(self._told.host, self._told.port)
        except (OSError, TimeoutError) as error:
            raise Unavailable("The scanner cannot be reached") from error
        try:
            async with asyncio.timeout(_SCAN_SECONDS):
                reply = await _stream(reader, writer, data)
        except TimeoutError as error:
            raise DeadlineExceeded("The scanner took too long") from error
        except OSError as error:
            raise Unavailable("The scanner went away") from error
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        return _verdict(reply)


async def _stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> str:
    writer.write(b"zINSTREAM\0")
    for start in range(0, len(data), _CHUNK_BYTES):
        chunk = data[start : start + _CHUNK_BYTES]
        writer.write(len(chunk).to_bytes(4, "big") + chunk)
        await writer.drain()
    writer.write(bytes(4))
    await writer.drain()
    return (await reader.read(_REPLY_BYTES_MAX)).decode(errors="replace").rstrip("\0\n")


def _verdict(reply: str) -> str | None:
    # "stream: OK", "stream: Eicar-Test FOUND", or anything else, such as "INSTREAM size limit exceeded. ERROR"
    says = reply.removeprefix("stream: ")
    if says == "OK":
        return None
    if says.endswith(" FOUND"):
        return says.removesuffix(" FOUND")
    raise Unavailable(f"The scanner answered {reply[:200]!r}")
