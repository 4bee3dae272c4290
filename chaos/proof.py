"""Proves that a fault acts: sends the store behind a link one small request through the proxy, and times the answer.

A toxic that Toxiproxy lists proves nothing. What counts is that our own connection through the same proxy is slow,
silent, closed or refused now, and was not just before.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chaos.orders import LinkOrder
from core import faults
from core.faults import QUESTION_BYTES_MAX, Effect

#: A probe waits no longer than this for an answer that a fault may swallow.
SILENCE_SECONDS: Final = 1.0
#: Probes of a period in which nothing changes; more if the result of one depends on jitter.
TRIES: Final = 3
TRIES_AMONG_JITTER: Final = 12

_HTTP_PADDING_BYTES: Final = 6_000  # of one request's header
_READ_BYTES: Final = 65_536

ANSWER, CLOSED, REFUSED, SILENT = "answer", "closed", "refused", "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The result of one probe: how it ended (ANSWER, CLOSED, REFUSED or SILENT), after how many seconds, and how many
    bytes of an answer it read."""

    end: str
    seconds: float
    answer_bytes: int = 0

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


async def ask(host: str, port: int, question: bytes, *, timeout_seconds: float, whole: bool = False) -> ProbeResult:
    """Connect, send ``question`` and wait for the first byte of the answer, or for all of it, within
    ``timeout_seconds``."""
    begin, count = time.perf_counter(), 0
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(question)
            await writer.drain()
            count = len(await reader.read(1))
            end = ANSWER if count else CLOSED
            while whole and (piece := await reader.read(_READ_BYTES)):
                count += len(piece)
    except ConnectionRefusedError:
        end = REFUSED
    except OSError as error:
        end = SILENT if isinstance(error, TimeoutError) else CLOSED
    finally:
        if writer is not None:
            writer.close()
    return ProbeResult(end=end, seconds=time.perf_counter() - begin, answer_bytes=count)


def question(speaks: str, size_bytes: int = 0, *, closes: bool = False) -> bytes:
    """A request that every server of this protocol answers without credentials, padded to ``size_bytes`` as far as the
    protocol allows; with ``closes`` the server closes the connection after its answer."""
    return _LAST_QUESTIONS.get(speaks, _QUESTIONS[speaks](0)) if closes else _QUESTIONS[speaks](size_bytes)


async def before(order: LinkOrder, address: tuple[str, int]) -> ProbeResult:
    """Probe the healthy link: the fastest of a few tries."""
    tries = [await _asked(order, address, SILENCE_SECONDS) for _ in range(TRIES)]
    return min(tries, key=lambda seen: (seen.end != ANSWER, seen.seconds))


async def probe(
    order: LinkOrder, address: tuple[str, int], behind: tuple[str, int], others: Sequence[LinkOrder] = ()
) -> tuple[ProbeResult, ProbeResult]:
    """Probe through the link and, at the same time, past it: a fault of the server itself is no proof of the link's."""
    longest = faults.longest_seconds(_effects((order, *others)), faults.question(order.effect, order.speaks))
    closed = sum(each.effect.lingers_seconds for each in (order, *others))
    wait_seconds = max(SILENCE_SECONDS, 4 * longest) + closed
    return await asyncio.gather(_asked(order, address, wait_seconds), _asked(order, behind, wait_seconds))


def tries(order: LinkOrder, others: Sequence[LinkOrder] = ()) -> int:
    """How often to probe for a fault in a period in which nothing changes."""
    own = order.effect
    varies = any(other.effect.jitter_seconds for other in others) or 2 * own.jitter_seconds > own.delay_seconds
    return TRIES_AMONG_JITTER if varies else TRIES


def judge(
    order: LinkOrder, well: ProbeResult, seen: ProbeResult, beside: ProbeResult, others: Sequence[LinkOrder] = ()
) -> Proof:
    """Compare a probe during the fault with one before it and one past the link, while ``others`` act on it. Pure."""
    effect, needed = order.effect, needed_seconds(order, others)
    own = faults.own_seconds(effect, _effects(others), order.speaks)
    if well.end != ANSWER:
        return Proof(acted=False, says=f"no proof: {order.target} did not answer before the fault ({well})")
    if beside.end != ANSWER:
        return Proof(acted=False, says=f"no proof: what is behind {order.target} does not answer either ({beside})")
    if faults.is_hidden(effect, _effects(others), order.speaks):
        return Proof(acted=False, says=f"no proof: another fault on {order.target} hides it")
    if effect.refuses:
        acted = seen.end == REFUSED
    elif effect.resets:
        acted = seen.end in (CLOSED, REFUSED)
    elif effect.silent:
        acted = seen.end in (SILENT, CLOSED)
    elif effect.carries_bytes:
        acted = seen.end in (ANSWER, CLOSED) and seen.answer_bytes < beside.answer_bytes
    elif own < faults.PROVABLE_SECONDS:
        return Proof(acted=False, says=f"no proof: this {order.kind} is too mild to be distinguished from none")
    else:
        # silence counts as slow; a closed connection proves a different fault
        acted = seen.end in (ANSWER, SILENT) and seen.seconds >= needed and max(well.seconds, beside.seconds) < own
    says = f"{well} before, {seen} while it acts"
    if needed > 0:
        beside_it = f" beside {len(others)} more" if others else ""
        says += f", at least {needed * 1000:.0f} ms needed{beside_it}"
    return Proof(
        acted=acted,
        says=says if acted else f"no proof: {says}",
        before_seconds=well.seconds,
        seen_seconds=seen.seconds,
        needed_seconds=needed or None,
    )


def needed_seconds(order: LinkOrder, others: Sequence[LinkOrder] = ()) -> float:
    """How long the answer must take to prove the fault: its own delay more than ``others`` can add; 0 if time is not
    the proof."""
    if not faults.is_timed(order.effect):
        return 0.0
    longest = faults.longest_seconds(_effects(others), faults.question(order.effect, order.speaks))
    return longest + faults.own_seconds(order.effect, _effects(others), order.speaks)


def _effects(orders: Sequence[LinkOrder]) -> list[Effect]:
    return [order.effect for order in orders]


async def _asked(order: LinkOrder, address: tuple[str, int], timeout_seconds: float) -> ProbeResult:
    asked = faults.question(order.effect, order.speaks)
    # a server answers the first of many HTTP requests while the others are still being sent
    whole = asked.closes or (asked.size_bytes > 0 and order.speaks == "http")
    sent = question(order.speaks, asked.size_bytes, closes=asked.closes)
    return await ask(*address, sent, timeout_seconds=timeout_seconds, whole=whole)


def _redis(size_bytes: int) -> bytes:
    if not size_bytes:
        return b"*1\r\n$4\r\nPING\r\n"
    size = min(size_bytes, QUESTION_BYTES_MAX["redis"])
    return b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (size, b"x" * size)


def _postgres(size_bytes: int) -> bytes:
    if not size_bytes:
        return struct.pack("!ii", 8, 80877103)  # SSLRequest: answered by one letter before any login
    pad = b"x" * min(size_bytes, QUESTION_BYTES_MAX["postgres"])
    body = struct.pack("!i", 196608) + b"user\0probe\0application_name\0" + pad + b"\0\0"
    return struct.pack("!i", len(body) + 4) + body


def _kafka(size_bytes: int) -> bytes:
    client = b"probe" + b"x" * min(size_bytes, QUESTION_BYTES_MAX["kafka"])
    body = struct.pack("!hhih", 18, 0, 1, len(client)) + client  # ApiVersions v0
    return struct.pack("!i", len(body)) + body


def _clamd(size_bytes: int) -> bytes:
    if not size_bytes:
        return b"zPING\0"
    pad = b"x" * min(size_bytes, QUESTION_BYTES_MAX["clamd"])
    return b"zINSTREAM\0" + struct.pack("!i", len(pad)) + pad + struct.pack("!i", 0)


def _http(size_bytes: int) -> bytes:
    last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n%bConnection: close\r\n\r\n"
    if not size_bytes:
        return last % b""
    pad = b"X-Padding: %b\r\n" % (b"x" * min(size_bytes, _HTTP_PADDING_BYTES))
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % pad
    count = min(size_bytes, QUESTION_BYTES_MAX["http"]) // _HTTP_PADDING_BYTES
    return one * max(0, count - 1) + last % pad


_QUESTIONS: Final[dict[str, Callable[[int], bytes]]] = {
    "redis": _redis,
    "postgres": _postgres,
    "kafka": _kafka,
    "clamd": _clamd,
    "http": _http,
}
#: Questions after whose answers the server closes, for protocols in which the usual short one does not do so.
_LAST_QUESTIONS: Final = {
    "redis": b"*1\r\n$4\r\nQUIT\r\n",
    "postgres": struct.pack("!ii", 8, 1 << 16),  # the first version of the protocol, which servers refuse
    "kafka": _kafka(0) + struct.pack("!ihhih", 10, 999, 0, 2, -1),  # the second has an unknown API key
}
