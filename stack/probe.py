"""Health checks: one request in a process's own protocol, whose answer shows that it still works."""

from __future__ import annotations

import asyncio
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.addresses import Address

_ANSWER_BYTES: Final = 64
_API_VERSIONS: Final = struct.pack(">hhih", 18, 0, 1, 5) + b"probe"  # key, version, correlation id, client id
_SSL_REQUEST: Final = struct.pack(">ii", 8, 80_877_103)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What to send where, and how every answer begins. Any answer counts, even an error."""

    address: Address | Path  # or a socket in the file system
    sends: bytes
    expects: re.Pattern[bytes]
    may_wait: bool = False  # for other servers before it answers: being idle meanwhile proves nothing

    async def answered(self) -> bool:
        """Send the request over a new connection; returns whether it was answered, however late. Can be cancelled."""
        try:
            reader, writer = await self._connect()
        except OSError:
            return False
        try:
            writer.write(self.sends)
            found = b""
            while not self.expects.match(found):
                more = await reader.read(_ANSWER_BYTES)
                if not more or len(found) >= _ANSWER_BYTES:
                    return False
                found += more
            return True
        except OSError:
            return False
        finally:
            with suppress(OSError):
                writer.transport.abort()  # no orderly close: nobody waits for it

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.address, Address):
            return await asyncio.open_connection(self.address.host, self.address.port)
        with short(self.address) as path:
            return await asyncio.open_unix_connection(path)


@contextmanager
def short(socket: Path) -> Iterator[str]:
    """A short path of a socket, by its open folder: a socket's path is limited to about a hundred bytes."""
    held = os.open(socket.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{held}/{socket.name}"
    finally:
        os.close(held)


def http(address: Address, path: str, *, may_wait: bool = False) -> Probe:
    """Ask an HTTP server for ``path``."""
    sends = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode()
    return Probe(address=address, sends=sends, expects=re.compile(rb"HTTP/1\.\d \d\d\d"), may_wait=may_wait)


def haproxy(socket: Path) -> Probe:
    """Ask HAProxy for its version on its admin socket, which clients' connections cannot exhaust."""
    return Probe(address=socket, sends=b"show version\n", expects=re.compile(rb"\d"))


def redis(address: Address) -> Probe:
    """Ask Redis for PONG; an error, such as that it is loading, is an answer."""
    return Probe(address=address, sends=b"PING\r\n", expects=re.compile(rb"[+-]"))


def postgres(address: Address) -> Probe:
    """Ask PostgreSQL whether it supports TLS: the cheapest request that needs a new backend."""
    return Probe(address=address, sends=_SSL_REQUEST, expects=re.compile(rb"[NSE]"))


def kafka(address: Address) -> Probe:
    """Ask Kafka which requests it knows (ApiVersions)."""
    sends = struct.pack(">i", len(_API_VERSIONS)) + _API_VERSIONS
    return Probe(address=address, sends=sends, expects=re.compile(rb".{4}\x00\x00\x00\x01", re.DOTALL))


def clamd(address: Address) -> Probe:
    """Ask clamd for PONG."""
    return Probe(address=address, sends=b"zPING\0", expects=re.compile(rb"PONG|UNKNOWN"))
