"""Probes: one question in a process's own protocol, whose answer shows that it still works."""

from __future__ import annotations

import asyncio
import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from stack.addresses import Address

_ANSWER_BYTES: Final = 64
_API_VERSIONS: Final = struct.pack(">hhih", 18, 0, 1, 5) + b"probe"  # key, version, correlation id, client id
_SSL_REQUEST: Final = struct.pack(">ii", 8, 80_877_103)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What to send where, and how every answer begins. Any answer will do: an error is one, too."""

    address: Address
    sends: bytes
    expects: re.Pattern[bytes]

    async def answered(self) -> bool:
        """Ask over a new connection; returns whether it answered, however late. Cancel it to ask no longer."""
        try:
            reader, writer = await asyncio.open_connection(self.address.host, self.address.port)
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
                writer.transport.abort()  # no farewell: nobody waits for one


def http(address: Address, path: str) -> Probe:
    """Ask an HTTP server for ``path``."""
    sends = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode()
    return Probe(address=address, sends=sends, expects=re.compile(rb"HTTP/1\.\d \d\d\d"))


def redis(address: Address) -> Probe:
    """Ask Redis for PONG; an error, such as that it is loading, is an answer."""
    return Probe(address=address, sends=b"PING\r\n", expects=re.compile(rb"[+-]"))


def postgres(address: Address) -> Probe:
    """Ask PostgreSQL whether it speaks TLS: the cheapest question that takes a new backend to answer."""
    return Probe(address=address, sends=_SSL_REQUEST, expects=re.compile(rb"[NSE]"))


def kafka(address: Address) -> Probe:
    """Ask Kafka which requests it knows (ApiVersions)."""
    sends = struct.pack(">i", len(_API_VERSIONS)) + _API_VERSIONS
    return Probe(address=address, sends=sends, expects=re.compile(rb".{4}\x00\x00\x00\x01", re.DOTALL))


def clamd(address: Address) -> Probe:
    """Ask clamd for PONG."""
    return Probe(address=address, sends=b"zPING\0", expects=re.compile(rb"PONG|UNKNOWN"))
