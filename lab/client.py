"""Measures the client's share of a request: the load generator, from the intended start to the last byte.

The generator is driven as in any run, against a peer that answers at once with the stack's answer to the first request.
The peer's time is subtracted; the rest is the generator and the way to its server and back, with both wake-ups. The
model adds this time where a call crosses a client's link (`core.profile.LinkDelay`). It depends on the generator's
rate, whatever it sends: one that is seldom woken up takes longer.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import selectors
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from core.errors import UserError
from core.names import Outcome, Server, link
from core.operations import FEED_READ, IMAGE_READ
from core.profile import LinkDelay
from core.scenario import Scenario
from lab import load
from loadtest import address
from loadtest.address import HttpAddress
from records import run
from stack.control import RunningStack

SECONDS: Final = 8.0
RATES_PER_SECOND: Final = (30.0, 100.0, 300.0)
#: By link: what is read over it.
READS: Final = {link("client", Server.GATEWAY): FEED_READ, link("client", Server.EDGE): IMAGE_READ}
_START_SECONDS_MAX: Final = 20.0
_ANSWERED_RATIO_MIN: Final = 0.9
_BLOCK_BYTES: Final = 65_536
_ANSWER_SECONDS_MAX: Final = 5.0
_P95, _P99 = 1.6448536269514722, 2.3263478740408408  # of the standard normal distribution
_END: Final = b"\r\n\r\n"


def wires(
    scenario: Scenario, path: Path, stack: RunningStack, work: Path, *, seconds: float = SECONDS
) -> tuple[LinkDelay, ...]:
    """Delay of each link in `READS` at all `RATES_PER_SECOND`; the stack must be up and seeded. Raises UserError."""
    return tuple(_wire(name, rate, scenario, path, stack, work, seconds) for name in READS for rate in RATES_PER_SECOND)


def _wire(
    name: str, rate_per_second: float, scenario: Scenario, path: Path, stack: RunningStack, work: Path, seconds: float
) -> LinkDelay:
    out = work / "client"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    real = {link("client", Server.GATEWAY): stack.gateway_url, link("client", Server.EDGE): stack.media_url}[name]
    with answering(address.parse(real), stack.cores) as peer:
        state = msgspec.structs.replace(stack.state, gateway_url=peer.url, media_url=peer.url)
        load.drive(
            path,
            replace(stack, state=state),
            work / "seeded",
            out,
            duration_seconds=_START_SECONDS_MAX + seconds,
            cores=scenario.system.placement.cores.load,
            steady=load.Steady(
                operation=READS[name], rate_per_second=rate_per_second, seconds=seconds, seed=scenario.seed
            ),
        )
        taken = peer.taken_seconds()
    samples = run.read_samples(out / "samples.parquet").judged()
    found = samples.latency_seconds[samples.outcome == Outcome.OK.value]
    if len(found) < _ANSWERED_RATIO_MIN * len(samples) or not len(samples):
        raise UserError(f"calibration of {name}: {len(found)} of {len(samples)} requests were answered by the peer")
    return _fitted(name, rate_per_second, np.maximum(found - taken, 0.0))


def _fitted(name: str, rate_per_second: float, seconds: npt.NDArray[np.float64]) -> LinkDelay:
    """A lognormal delay with this median and p95; longer delays are caused by stalls and idle work, which the model has
    separately."""
    median, p95 = np.quantile(seconds, (0.5, 0.95))
    p99 = median * (p95 / median) ** (_P99 / _P95) if median > 0 else p95
    return LinkDelay(link=name, rate_per_second=rate_per_second, median_seconds=float(median), p99_seconds=float(p99))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A server that repeats the first answer of the real one."""

    url: str
    _control: Connection

    def taken_seconds(self) -> float:
        """Stop it and return its mean time for a request, from reading it to having sent the answer."""
        self._control.send(None)
        if not self._control.poll(_ANSWER_SECONDS_MAX):
            raise UserError("calibration: the load generator's peer does not answer")
        taken: float = self._control.recv()
        return taken


@contextlib.contextmanager
def answering(real: HttpAddress, cores: Sequence[int]) -> Iterator[Peer]:
    """A `Peer` of ``real`` on a free port of this machine's loopback, on ``cores``."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = context.Process(target=_answer, args=(listener, theirs, real, tuple(cores)), daemon=True)
        process.start()
        try:
            yield Peer(url=f"http://127.0.0.1:{listener.getsockname()[1]}", _control=ours)
        finally:
            process.kill()
            process.join(timeout=5.0)
            ours.close()
            theirs.close()


def _answer(listener: socket.socket, control: Connection, real: HttpAddress, cores: tuple[int, ...]) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores) & before or before)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    waiting.register(control, selectors.EVENT_READ)
    asked: dict[socket.socket, bytes] = {}
    answer, taken, count = b"", 0.0, 0
    while True:
        for key, _ in waiting.select():
            if key.fileobj is control:
                control.send(taken / count if count else 0.0)
                return
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                waiting.register(connection, selectors.EVENT_READ)
                asked[connection] = b""
                continue
            connection = key.fileobj  # type: ignore[assignment]  # all others are
            began = time.perf_counter()
            data = connection.recv(_BLOCK_BYTES)
            asked[connection] += data
            if not data:
                waiting.unregister(connection)
                asked.pop(connection)
                connection.close()
            elif asked[connection].endswith(_END):
                first = not answer
                answer = answer or _forward(real, asked[connection])
                connection.sendall(answer)
                asked[connection] = b""
                if not first:
                    taken, count = taken + time.perf_counter() - began, count + 1


def _forward(real: HttpAddress, request: bytes) -> bytes:
    """The real answer, byte for byte."""
    with socket.create_connection((real.host, real.port), timeout=_ANSWER_SECONDS_MAX) as connection:
        connection.sendall(request)
        answer = b""
        while _END not in answer or len(answer) < _whole_bytes(answer):
            data = connection.recv(_BLOCK_BYTES)
            if not data:
                break
            answer += data
    return answer


def _whole_bytes(answer: bytes) -> int:
    head, _, _ = answer.partition(_END)
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return len(head) + len(_END) + int(value)
    raise ValueError(f"an answer without Content-Length: {head[:200]!r}")
