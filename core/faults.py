"""What faults do to one link together, and whether one of them can be seen to act beside the others. Pure.

Both sides are held to it: the warden proves a fault by the change that it makes, and a scenario whose fault makes no
change of its own is refused before either side runs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from core.names import FaultKind

#: A change smaller than this cannot be told from the noise of a shared machine.
PROVABLE_SECONDS: Final = 0.01
#: A narrow link is proved by a question that needs so long to go through.
BANDWIDTH_SECONDS: Final = 0.3
#: Bytes that a question to each kind of server can be padded to.
QUESTION_BYTES_MAX: Final = {
    "redis": 512 * 1024,
    "postgres": 9_000,  # MAX_STARTUP_PACKET_LENGTH is 10,000
    "kafka": 30_000,
    "clamd": 256 * 1024,
    "http": 512 * 1024,
}
#: The longest question and answer of a probe that is not padded.
_SMALL_BYTES: Final = 1_000


class LinkFault(Protocol):
    """A fault on a link, as a scenario or a warden's order has it."""

    @property
    def kind(self) -> FaultKind: ...
    @property
    def latency_seconds(self) -> float | None: ...
    @property
    def jitter_seconds(self) -> float: ...
    @property
    def bandwidth_bytes(self) -> int | None: ...


def protocol(link: str) -> str:
    """What is spoken over a link: redis, postgres, kafka, clamd or http."""
    caller, _, callee = link.partition("_")
    return callee if callee in ("redis", "postgres", "kafka", "clamd") and caller != "gateway" else "http"


def carried_bytes(fault: LinkFault) -> int:
    """What a narrow link carries in a second: Toxiproxy takes whole thousands of bytes."""
    return max(1, round((fault.bandwidth_bytes or 0) / 1000)) * 1000


def is_hidden(fault: LinkFault, others: Iterable[LinkFault]) -> bool:
    """Whether one of ``others`` cuts or silences the link so that ``fault`` changes nothing that anybody could see."""
    kinds = {other.kind for other in others}
    if FaultKind.DOWN in kinds:
        return True
    # a link that is switched off refuses, which one that resets or is silent does not
    return fault.kind is not FaultKind.DOWN and bool(kinds & {FaultKind.RESET, FaultKind.TIMEOUT})


def question_bytes(fault: LinkFault, speaks: str) -> int:
    """Bytes of the padded question that proves a narrow link; 0 for other kinds."""
    if fault.kind is not FaultKind.BANDWIDTH:
        return 0
    return min(round(carried_bytes(fault) * BANDWIDTH_SECONDS), QUESTION_BYTES_MAX[speaks])


def longest_seconds(others: Iterable[LinkFault], asked_bytes: int) -> float:
    """The most that ``others`` add to an answer to a question of ``asked_bytes``, which may come back whole."""
    total = 0.0
    for other in others:
        if other.kind is FaultKind.LATENCY:
            total += (other.latency_seconds or 0.0) + other.jitter_seconds
        elif other.kind is FaultKind.BANDWIDTH:
            total += (2 * asked_bytes + _SMALL_BYTES) / carried_bytes(other)
    return total


def own_seconds(fault: LinkFault, others: Iterable[LinkFault], speaks: str) -> float:
    """How much longer than `longest_seconds` an answer takes because of ``fault``: its latency less its jitter, or half
    of what the padded question takes, less what ``others`` may vary by. Time proves only these two kinds."""
    varies, asked = 0.0, question_bytes(fault, speaks)
    for other in others:
        if other.kind is FaultKind.LATENCY:
            varies += 2 * other.jitter_seconds
        elif other.kind is FaultKind.BANDWIDTH:
            varies += (2 * asked + _SMALL_BYTES) / carried_bytes(other)
    if fault.kind is FaultKind.LATENCY:
        # Toxiproxy draws from latency ± jitter in whole milliseconds
        latency = fault.latency_seconds or 0.0
        return max(latency / 2, latency - fault.jitter_seconds) - 0.001 - varies
    return asked / carried_bytes(fault) / 2 - varies


def is_provable(fault: LinkFault, others: Iterable[LinkFault], speaks: str) -> bool:
    """Whether ``fault`` makes a change that a probe can see while ``others`` act on the same link."""
    others = tuple(others)
    if is_hidden(fault, others):
        return False
    if fault.kind not in (FaultKind.LATENCY, FaultKind.BANDWIDTH):
        return True
    return own_seconds(fault, others, speaks) >= PROVABLE_SECONDS


def probe_seconds(fault: LinkFault, others: Iterable[LinkFault], speaks: str) -> float:
    """How long a stretch without a change must be so that a probe surely fits in."""
    return 0.3 + longest_seconds((fault, *others), question_bytes(fault, speaks))
