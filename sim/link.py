"""Links: the time on the wire, and what a toxic does to it while a fault acts.

Toxics are Toxiproxy's, as `chaos.orders` puts them: on the way back to the caller latency ± jitter (uniform) on every
answer, answers that stop (timeout), connections that are cut (reset) or refused (down); bandwidth both ways. When a
toxic is taken away, what it holds back is let through at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from core.names import FaultKind
from core.scenario import Fault


@dataclass(slots=True)
class Link:
    """One way from a caller to what it calls. ``mu`` and ``sigma`` are those of the wire time of one round trip."""

    name: str
    mu: float = -math.inf
    sigma: float = 0.0
    proxied: bool = False
    acting: list[Fault] = field(default_factory=list)

    def cut(self) -> bool:
        """Whether a call now finds the connection refused or cut."""
        return any(fault.kind in (FaultKind.DOWN, FaultKind.RESET) for fault in self.acting)

    def held_back_seconds(self, *, now: float, trips: float, answer_bytes: int, uniform: float) -> float:
        """How long acting toxics keep the answers of ``trips`` round trips; infinite where they never come."""
        total = 0.0
        for fault in self.acting:
            left = max(0.0, fault.end_seconds - now)
            match fault.kind:
                case FaultKind.LATENCY:
                    assert fault.latency_seconds is not None
                    one = max(0.0, fault.latency_seconds + fault.jitter_seconds * (2.0 * uniform - 1.0))
                    total += min(one * trips, left)
                case FaultKind.BANDWIDTH:
                    total += _carried_seconds(fault, answer_bytes, now)
                case FaultKind.TIMEOUT:
                    return math.inf
        return total

    def narrow_seconds(self, *, now: float, sent_bytes: int) -> float:
        """How long a narrow link takes to carry what a caller sends: it is narrow both ways."""
        return sum(
            _carried_seconds(fault, sent_bytes, now) for fault in self.acting if fault.kind is FaultKind.BANDWIDTH
        )

    def stopped_seconds(self, *, now: float) -> float:
        """Until when a call whose answer never comes is left hanging: the toxic closes it, or it is taken away."""
        waits = [
            min(fault.timeout_seconds or math.inf, max(0.0, fault.end_seconds - now))
            for fault in self.acting
            if fault.kind is FaultKind.TIMEOUT
        ]
        return min(waits, default=0.0)


def _carried_seconds(fault: Fault, count: int, now: float) -> float:
    left = max(0.0, fault.end_seconds - now)
    return min(count / fault.bandwidth_bytes, left) if fault.bandwidth_bytes else left
