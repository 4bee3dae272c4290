"""Proof on the wire: asks the store behind a link one small question through the proxy, and times the answer.

A toxic that Toxiproxy shows is only an intention. What counts is that an own connection through the same proxy is slow,
silent, closed or refused now, and was not a moment before.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chaos.orders import LinkOrder
from core.names import FaultKind

#: A probe waits no longer than this for an answer that a fault may swallow.
SILENCE_SECONDS: Final = 1.0
#: A narrow link is proved by a question that needs so long to go through, and by half of that.
BANDWIDTH_SECONDS: Final = 0.3
_BANDWIDTH_SECONDS_MIN: Final = 0.02
_TRIES: Final = 3

ANSWER, CLOSED, REFUSED, SILENT = "answer", "closed", "refused", "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one probe saw: how it ended (ANSWER, CLOSED, REFUSED, SILENT) and after how many seconds."""

    end: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.end} after {self.seconds * 1000:.1f} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whether a fault was seen to act, in words with figures."""

    acted: bool
    says: str
    before_seconds: float | None = None
    seen_seconds: float | None = None
    needed_seconds: float | None = None


async def ask(host: str, port: int, question: bytes, *, timeout_seconds: float) -> Seen:
    """Connect, send ``question`` and wait for the first byte of the answer, all within ``timeout_seconds``."""
    begin = time.perf_counter()
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(question)
            await writer.drain()
            end = ANSWER if await reader.read(1) else CLOSED
    except ConnectionRefusedError:
        end = REFUSED
    except OSError as error:
        end = SILENT if isinstance(error, TimeoutError) else CLOSED
    finally:
        if writer is not None:
            writer.close()
    return Seen(end=end, seconds=time.perf_counter() - begin)


def question(speaks: str, size_bytes: int = 0) -> bytes:
    """A request that every server of this protocol answers without credentials, padded towards ``size_bytes`` as far
    as the protocol lets it."""
    return _QUESTIONS[speaks](size_bytes)


async def before(order: LinkOrder, address: tuple[str, int]) -> Seen:
    """The link while it is well: the quickest of a few tries."""
    asked = _asked(order)
    tries = [await ask(*address, asked, timeout_seconds=SILENCE_SECONDS) for _ in range(_TRIES)]
    return min(tries, key=lambda seen: (seen.end != ANSWER, seen.seconds))


async def prove(order: LinkOrder, address: tuple[str, int], well: Seen) -> Proof:
    """Probe the link while the fault acts, a few times if need be, and judge what is seen."""
    needed = needed_seconds(order)
    wait_seconds = max(SILENCE_SECONDS, 4 * (order.latency_seconds + order.jitter_seconds), 4 * needed)
    proof = Proof(acted=False, says="not probed")
    for _ in range(_TRIES):
        seen = await ask(*address, _asked(order), timeout_seconds=wait_seconds)
        proof = judge(order, well, seen)
        if proof.acted:
            break
    return proof


def judge(order: LinkOrder, well: Seen, seen: Seen) -> Proof:
    """Compare a probe during the fault with one before it. Pure."""
    needed = needed_seconds(order)
    if well.end != ANSWER:
        return Proof(acted=False, says=f"no proof: {order.target} did not answer before the fault ({well})")
    if order.kind is FaultKind.DOWN:
        acted = seen.end == REFUSED
    elif order.kind is FaultKind.RESET:
        acted = seen.end in (CLOSED, REFUSED)
    elif order.kind is FaultKind.TIMEOUT:
        acted = seen.end in (SILENT, CLOSED)
    elif needed <= 0:
        return Proof(acted=False, says=f"no proof: this {order.kind} is too mild to be told from none")
    else:
        # silence is slower than slow; a closed connection proves another fault than this one
        acted = seen.end in (ANSWER, SILENT) and seen.seconds >= needed > well.seconds
    says = f"{well} before, {seen} while it acts"
    if needed > 0:
        says += f", at least {needed * 1000:.0f} ms needed"
    return Proof(
        acted=acted,
        says=says if acted else f"no proof: {says}",
        before_seconds=well.seconds,
        seen_seconds=seen.seconds,
        needed_seconds=needed or None,
    )


def needed_seconds(order: LinkOrder) -> float:
    """How long the answer must take to prove it: latency less its jitter, or half of what the question's bytes take;
    0 where time is not the proof, or too little of it."""
    if order.kind is FaultKind.LATENCY:
        # Toxiproxy draws from latency ± jitter in whole milliseconds
        return max(order.latency_seconds / 2, order.latency_seconds - order.jitter_seconds) - 0.001
    if order.kind is FaultKind.BANDWIDTH:
        half = len(_asked(order)) / order.bandwidth_bytes / 2
        return half if half >= _BANDWIDTH_SECONDS_MIN else 0.0
    return 0.0


def _asked(order: LinkOrder) -> bytes:
    if order.kind is FaultKind.BANDWIDTH:
        return question(order.speaks, round(order.bandwidth_bytes * BANDWIDTH_SECONDS))
    return question(order.speaks)


def _redis(size_bytes: int) -> bytes:
    if not size_bytes:
        return b"*1\r\n$4\r\nPING\r\n"
    size = min(size_bytes, 512 * 1024)
    return b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (size, b"x" * size)


def _postgres(size_bytes: int) -> bytes:
    if not size_bytes:
        return struct.pack("!ii", 8, 80877103)  # SSLRequest: answered by one letter before any login
    pad = b"x" * min(size_bytes, 9_000)  # MAX_STARTUP_PACKET_LENGTH is 10,000
    body = struct.pack("!i", 196608) + b"user\0probe\0application_name\0" + pad + b"\0\0"
    return struct.pack("!i", len(body) + 4) + body


def _kafka(size_bytes: int) -> bytes:
    client = b"probe" + b"x" * min(size_bytes, 30_000)
    body = struct.pack("!hhih", 18, 0, 1, len(client)) + client  # ApiVersions v0
    return struct.pack("!i", len(body)) + body


def _clamd(size_bytes: int) -> bytes:
    if not size_bytes:
        return b"zPING\0"
    pad = b"x" * min(size_bytes, 256 * 1024)
    return b"zINSTREAM\0" + struct.pack("!i", len(pad)) + pad + struct.pack("!i", 0)


def _http(size_bytes: int) -> bytes:
    pad = b"X-Padding: %b\r\n" % (b"x" * min(size_bytes, 6_000)) if size_bytes else b""
    return b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n%bConnection: close\r\n\r\n" % pad


_QUESTIONS: Final[dict[str, Callable[[int], bytes]]] = {
    "redis": _redis,
    "postgres": _postgres,
    "kafka": _kafka,
    "clamd": _clamd,
    "http": _http,
}
