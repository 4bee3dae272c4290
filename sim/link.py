"""Links: the time on the wire, and what a toxic does to it while a fault acts.

Toxics are Toxiproxy's, on the way back to the caller, where it puts them by default: latency ± jitter (uniform) on
every answer, bandwidth, answers that stop (timeout), connections that are cut (reset) or refused (down). When a toxic
is taken away, what it holds back is let through at once.
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
                    assert fault.bandwidth_bytes is not None
                    total += min(answer_bytes / fault.bandwidth_bytes if fault.bandwidth_bytes else left, left)
                case FaultKind.TIMEOUT:
                    return math.inf
        return total

    def stopped_seconds(self, *, now: float) -> float:
        """Until when a call whose answer never comes is left hanging: the toxic closes it, or it is taken away."""
        waits = [
            min(fault.timeout_seconds or math.inf, max(0.0, fault.end_seconds - now))
            for fault in self.acting
            if fault.kind is FaultKind.TIMEOUT
        ]
        return min(waits, default=0.0)
