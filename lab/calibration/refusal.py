"""What a request costs the gateway that it refuses because its component has no room (`core.policies.admission`).

A gateway of its own, with the scenario's rules, stands before a peer that states a limit of one request and never ends
its first answer. So every further request is refused, as under an overload, but nothing else uses the core.
"""

from __future__ import annotations

import asyncio
import dataclasses
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from core.errors import UserError
from core.names import LIMIT_HEADER, Component, Server
from core.operations import API, OPERATIONS, POST_READ
from core.scenario import Scenario, explain
from lab.calibration import idle
from lab.calibration.point import MeasuredStack
from lab.calibration.series import REFUSED, Series
from stack import addresses, control, ports
from stack.control import RunningStack

#: A public page of the component whose requests are refused.
_PAGE: Final = f"{API}/docs"
#: Many at once, as under an overload: with fewer, each one wakes the gateway up, which costs more than the refusal.
_RATE_PER_SECOND: Final = 1_500.0
SECONDS: Final = 4.0
_READY_SECONDS_MAX: Final = 20.0


def measure(scenario: Scenario, stack: RunningStack, work: Path, *, seconds: float = SECONDS) -> float:
    """CPU seconds of the gateway for a refusal; the stack of ``scenario`` is up, seeded and idle. Raises UserError."""
    series = Series(
        operation=POST_READ, rates_per_second=(_RATE_PER_SECOND,), seconds=seconds, warm_up_seconds=0.5, kind=REFUSED
    )
    alone = dataclasses.replace(
        scenario,
        system=dataclasses.replace(
            scenario.system, admission=True, gateway=dataclasses.replace(scenario.system.gateway, instances=1)
        ),
        faults=(),  # and so no proxies
        expect={},
        drill=None,
    )
    instances = addresses.instances_of(alone)
    chosen = ports.choose([name for names in instances.values() for name in names], {})
    asked = OPERATIONS[series.operation].component
    assert isinstance(asked, Component)
    with _gateway(alone, chosen, work) as gateway, _peer(tuple(chosen.values())), _held(gateway, len(instances[asked])):
        state = msgspec.structs.replace(gateway.state, media_url=stack.media_url)
        measured = MeasuredStack(
            scenario=scenario,
            path=work / "scenario.yaml",
            stack=dataclasses.replace(gateway, state=state),
            work=work,
            idle=idle.measure(gateway, seconds=seconds),
        )
        point = measured.measure(series, _RATE_PER_SECOND, seed=scenario.seed)
    return point.cpu_seconds[Server.GATEWAY]


@contextmanager
def _gateway(alone: Scenario, chosen: Mapping[str, int], work: Path) -> Iterator[RunningStack]:
    """A gateway without services, which expects them on these ports."""
    path, data = work / "gateway.yaml", work / "gateway"
    path.write_text(explain(alone), encoding="utf-8")
    try:
        gateway = control.up(
            path, data, attached=True, services=False, servers=(Server.GATEWAY,), ports=chosen, wipe=True
        )
    except control.StackFailure as failure:
        raise UserError(f"calibration of refusals: {failure}") from failure
    try:
        yield gateway
    finally:
        with control.undisturbed():
            gateway.stop(wipe=True)


@contextmanager
def _peer(listening: Sequence[int]) -> Iterator[None]:
    """A server in place of all services: it is healthy, and never ends an answer."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_serve, args=(listening,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()  # it needs no orderly shutdown
        process.join(timeout=5.0)


def _serve(listening: Sequence[int]) -> None:
    async def serve() -> None:
        for port in listening:
            await asyncio.start_server(_answer, "127.0.0.1", port)
        await asyncio.Event().wait()

    asyncio.run(serve())


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        if b" /healthz " in head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        else:
            writer.write(f"HTTP/1.1 200 OK\r\n{LIMIT_HEADER}: 1\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            while not reader.at_eof():
                writer.write(b"1\r\n \r\n")  # the gateway's time limit for a silent server is a few seconds
                await writer.drain()
                await asyncio.sleep(1.0)
    writer.close()


@contextmanager
def _held(gateway: RunningStack, count: int) -> Iterator[None]:
    """Hold as many requests as find room; all others are refused."""
    address, deadline = urlsplit(gateway.gateway_url).netloc, time.monotonic() + _READY_SECONDS_MAX
    with ExitStack() as open_connections:
        while count:
            connection = HTTPConnection(address, timeout=5.0)
            with suppress(OSError, HTTPException):
                connection.request("GET", _PAGE)
                if connection.getresponse().status == HTTPStatus.OK:
                    open_connections.callback(connection.close)
                    count -= 1
                    continue
            connection.close()
            if time.monotonic() > deadline:
                raise UserError("calibration of refusals: the gateway does not find its peer")
            time.sleep(0.05)
        yield
