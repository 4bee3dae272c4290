"""The supervisor's metrics for Prometheus: processes that are up, deaths by cause, unresponsive ones, free space."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from core import names

#: Name of its port; containers have no supervisor, and so no such port.
PORT: Final = "supervisor_metrics"
_REQUEST_SECONDS: Final = 5.0


class Exporter:
    """The metrics, and a server that exposes them."""

    def __init__(self, processes: Iterable[str]):
        self._registry = CollectorRegistry()
        self._up = Gauge(names.PROCESS_UP, "1 while the process is ready.", ("process",), registry=self._registry)
        self._deaths = Counter(
            names.PROCESS_DEATHS_TOTAL, "Unexpected ends of a process.", ("process", "how"), registry=self._registry
        )
        self._unresponsive = Counter(
            names.PROCESS_UNRESPONSIVE_TOTAL,
            "Times that the process did not answer.",
            ("process",),
            registry=self._registry,
        )
        self._free = Gauge(names.DISK_FREE_BYTES, "Free space on the disk of the data folder.", registry=self._registry)
        for name in processes:
            self._up.labels(name)
            self._unresponsive.labels(name)

    def up(self, process: str, *, is_up: bool) -> None:
        """Show whether the process is ready."""
        self._up.labels(process).set(1 if is_up else 0)

    def died(self, process: str, how: str) -> None:
        """Count an end."""
        self._deaths.labels(process, how).inc()

    def unresponsive(self, process: str) -> None:
        """Count that it does not answer."""
        self._unresponsive.labels(process).inc()

    def free(self, count: int) -> None:
        """Show the free bytes of the disk."""
        self._free.set(count)

    async def serve(self, host: str, port: int) -> None:
        """Answer every request with all metrics, until cancelled."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                async with asyncio.timeout(_REQUEST_SECONDS):
                    await reader.readuntil(b"\r\n\r\n")
                    page = generate_latest(self._registry)
                    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(page)}\r\nConnection: close\r\n"
                    writer.write(head.encode() + b"Content-Type: text/plain; version=0.0.4\r\n\r\n" + page)
                    await writer.drain()
            except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass  # the client has gone, or sent no request
            finally:
                writer.close()

        async with await asyncio.start_server(answer, host, port) as server:
            await server.serve_forever()
