"""An open load on one asyncio loop, cheap enough to offer several times the capacity of a stack on one core.

It sends the acts of a scenario's schedule, as `loadtest` does, without Locust: some 4,000 requests a second from one
core. Latencies count from the intended start.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from typing import Any, Final

from core import population, traffic
from core.names import Outcome
from core.scenario import Scenario
from loadtest import address
from loadtest.acts import Act, Acts, Answer, Request, Target, outcome_of
from loadtest.address import HttpAddress
from loadtest.seeded import Seeded

_IDLE_SECONDS_MAX: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One request as its client saw it; times in seconds, ``at`` from the start of the schedule."""

    operation: str
    at: float
    latency: float
    outcome: Outcome
    status: int
    retry_after: bool = False


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection: one exchange at a time."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.idle_since = 0.0
        self.closed = False
        self._buffer = bytearray()
        self._wanted = -1
        self._head: tuple[int, dict[str, str]] = (0, {})
        self._waiter: asyncio.Future[tuple[int, dict[str, str], bytes]] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._wanted < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            lines = self._buffer[:end].decode("latin-1").split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            self._head = int(lines[0].split(" ", 2)[1]), fields
            self._wanted = int(fields.get("content-length", "0"))
            del self._buffer[: end + 4]
        if len(self._buffer) >= self._wanted and self._waiter is not None and not self._waiter.done():
            body = bytes(self._buffer)
            self._buffer.clear()
            self._wanted = -1
            self._waiter.set_result((*self._head, body))

    async def exchange(self, head: bytes, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request; returns status, fields and body."""
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(head + body)
        return await self._waiter


@dataclass(slots=True, kw_only=True)
class OpenLoad:
    """The load of one stack."""

    scenario: Scenario
    seeded: Seeded
    gateway: HttpAddress
    media: HttpAddress
    timeout_seconds: float = 5.0
    samples: list[Sample] = field(default_factory=list)
    worst_delay_seconds: float = 0.0  # of the generator itself
    _idle: dict[str, deque[_Connection]] = field(default_factory=lambda: defaultdict(deque))
    _open: int = 0

    async def send(self, mix: dict[str, float], rates: list[tuple[float, float]], *, seed: int) -> list[Sample]:
        """Send ``mix`` at each of ``rates`` (requests a second, seconds) in turn; returns the samples."""
        self.samples, self.worst_delay_seconds = [], 0.0
        began, start, tasks = time.perf_counter() + 0.2, 0.0, []
        for step, (rate, seconds) in enumerate(rates):
            load = replace(
                self.scenario.traffic,
                mix_ratio=mix,
                rate_per_second=rate,
                duration_seconds=seconds,
                warm_up_seconds=0.0,
                viral=None,
            )
            scenario = replace(self.scenario, traffic=load, faults=(), expect={}, seed=seed + step)
            people = population.draw_population(self.scenario)
            schedule = traffic.draw_schedule(scenario)
            acts = Acts(
                scenario=scenario,
                schedule=schedule,
                people=people,
                seeded=self.seeded,
                nonce=f"{time.time_ns() // 1_000_000:x}",
            )
            for number in range(len(schedule)):
                at = start + float(schedule.at_seconds[number])
                ahead = began + at - time.perf_counter()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                self.worst_delay_seconds = max(self.worst_delay_seconds, time.perf_counter() - began - at)
                tasks.append(asyncio.create_task(self._act(acts.of(number), began + at, at)))
            start += seconds
        await asyncio.gather(*tasks)
        return self.samples

    async def _act(self, act: Act, due: float, at: float) -> None:
        try:
            request = next(act)
            while True:
                answer, retry_after = await self._ask(request)
                now = time.perf_counter()
                self.samples.append(
                    Sample(
                        operation=request.operation,
                        at=at,
                        latency=now - due,
                        outcome=answer.outcome,
                        status=answer.status,
                        retry_after=retry_after,
                    )
                )
                due = now
                request = act.send(answer)
        except StopIteration:
            return

    async def _ask(self, request: Request) -> tuple[Answer, bool]:
        where = request.at or (self.media if request.target is Target.MEDIA else self.gateway)
        lines = [f"{request.method} {request.path} HTTP/1.1", f"Host: {where}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        if request.body or request.method in ("POST", "PUT"):
            lines.append(f"Content-Length: {len(request.body)}")
        head = "\r\n".join((*lines, "", "")).encode("latin-1")
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(self.timeout_seconds):
                connection = await self._connection(where)
                status, fields, body = await connection.exchange(head, request.body)
        except TimeoutError:
            self._drop(connection)
            return Answer(outcome=Outcome.TIMEOUT, status=0), False
        except OSError:
            self._drop(connection)
            return Answer(outcome=Outcome.LOST, status=0), False
        if fields.get("connection", "").lower() == "close":
            self._drop(connection)
        else:
            connection.idle_since = time.perf_counter()
            self._idle[str(where)].append(connection)
        return Answer(outcome=outcome_of(status, fields), status=status, body=body), "retry-after" in fields

    async def _connection(self, where: HttpAddress) -> _Connection:
        idle, now = self._idle[str(where)], time.perf_counter()
        while idle:
            connection = idle.pop()
            if not connection.closed and now - connection.idle_since < _IDLE_SECONDS_MAX:
                return connection
            self._drop(connection)
        self._open += 1
        source = address.of_connection(self._open)
        _, made = await asyncio.get_running_loop().create_connection(
            _Connection, where.host, where.port, local_addr=(source, 0)
        )
        return made

    def _drop(self, connection: _Connection | None) -> None:
        if connection is not None and not connection.closed:
            connection.closed = True
            connection.transport.close()

    def close(self) -> None:
        """Close every idle connection."""
        for connections in self._idle.values():
            for connection in connections:
                self._drop(connection)
