"""HTTP on raw gevent sockets with geventhttpclient's parser: bounded connections, and no hidden retries.

geventhttpclient's own client retries idempotent requests when a connection breaks, so that a request that a user has
lost would count as answered; so only its parser is used. A connection that has been idle nearly as long as a server's
keep-alive limit is closed by us first, and one that the server has closed is never used again.
"""

from __future__ import annotations

import select
import time
from dataclasses import dataclass
from typing import Any, Final

import gevent
from gevent import monkey, socket
from geventhttpclient.response import HTTPParseError, HTTPSocketResponse

from core.names import Outcome
from loadtest import address
from loadtest.acts import Answer, Request, outcome_of
from loadtest.address import HttpAddress

IDLE_MAX_SECONDS: Final = 4.0  # below the keep-alive limits of the servers that we talk to
_BLOCK_BYTES: Final = 65_536
#: Linux's IP_BIND_ADDRESS_NO_PORT: the port is chosen when the connection is made, so that one local port serves
#: several destinations; Python 3.11 has no name for it.
_BIND_ADDRESS_NO_PORT: Final = 24

# locust patches `select`; asking whether an idle socket has been closed must not wait for the event loop
_poll: Final = monkey.get_original("select", "poll") if monkey.is_module_patched("select") else select.poll


@dataclass(slots=True)
class _Idle:
    connection: Any
    since_seconds: float


class Connections:
    """Connections to one address; at most ``limit`` are open at once.

    They share a few source addresses of ``worker``'s; a request with a ``source`` has a new connection from that one.
    """

    def __init__(self, where: HttpAddress, *, limit: int, worker: int = 0) -> None:
        self._where = where
        self._worker = worker
        self._limit = limit
        self._idle: list[_Idle] = []  # last in, first out: the surplus of a burst stays idle
        self._busy = 0
        self.opened_count = 0

    @property
    def full(self) -> bool:
        """Whether one more request would exceed the limit of connections."""
        return self._busy >= self._limit

    def exchange(self, request: Request, *, timeout_seconds: float) -> Answer:
        """Send a request and read its answer to the last byte.

        Raises RuntimeError when all connections are in use: check `full` first.
        """
        if self.full:
            raise RuntimeError(f"all {self._limit} connections to {self._where} are in use")
        self._busy += 1
        connection: Any = None
        try:
            with gevent.Timeout(timeout_seconds):
                connection = self._connect(request.source)
                connection.sendall(_head(request, self._where) + request.body)
                response = _Response(connection, method=request.method, block_size=_BLOCK_BYTES)
                body = response.read()
            if not response.message_complete:
                return Answer(outcome=Outcome.LOST, status=0)
            status = response.get_code()
            if response.should_keep_alive() and not request.source:
                self._idle.append(_Idle(connection, time.perf_counter()))
                connection = None
            return Answer(outcome=outcome_of(status, response), status=status, body=body)
        except gevent.Timeout:
            return Answer(outcome=Outcome.TIMEOUT, status=0)
        except (OSError, HTTPParseError):
            return Answer(outcome=Outcome.LOST, status=0)
        finally:
            self._busy -= 1
            if connection is not None:
                connection.close()

    def close(self) -> None:
        """Close all idle connections."""
        while self._idle:
            self._idle.pop().connection.close()

    def _connect(self, source: str) -> Any:
        """A new connection from ``source``; with an empty ``source``, an idle or a new one."""
        now = time.perf_counter()
        while self._idle and not source:
            idle = self._idle.pop()
            if now - idle.since_seconds < IDLE_MAX_SECONDS and not _readable(idle.connection):
                return idle.connection
            idle.connection.close()
        family = socket.AF_INET6 if ":" in self._where.host else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if family == socket.AF_INET:
                connection.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
                connection.bind((source or address.of_connection(self._busy - 1, self._worker), 0))
            connection.connect((self._where.host, self._where.port))
        except BaseException:
            connection.close()
            raise
        self.opened_count += 1
        return connection


class _Response(HTTPSocketResponse):
    """Parses an answer; the caller closes or keeps the connection."""

    def release(self) -> None:
        """Do not close the connection, as the base class would."""

    def read(self, length: int | None = None) -> bytes:
        """The whole body; ``message_complete`` stays false when the connection ends before."""
        connection: Any = self._sock
        while not self.message_complete:
            data = connection.recv(self.block_size)
            self.feed(data)
            if not data:
                break
        return bytes(self._body_buffer)


def _head(request: Request, where: HttpAddress) -> bytes:
    lines = [f"{request.method} {request.path} HTTP/1.1", f"Host: {where}", "User-Agent: windtunnel-load"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() not in _OURS]
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(request.body)}")
    head = "\r\n".join(lines)
    if head.count("\r\n") != len(lines) - 1:
        raise ValueError(f"{request.operation}: a header holds a line break")
    return (head + "\r\n\r\n").encode("latin-1")


_OURS: Final = frozenset({"host", "content-length", "connection", "transfer-encoding"})


def _readable(connection: Any) -> bool:
    """Whether an idle connection is readable, which means that the server has closed it."""
    poll = _poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
