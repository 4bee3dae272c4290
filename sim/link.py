"""Links: the time on the wire, and what a toxic does to it while a fault acts.

Toxics are Toxiproxy's, as `chaos.orders` puts them: on the way back to the caller latency ± jitter (uniform) on every
answer, answers that stop (timeout), connections that are cut (reset) or refused (down); bandwidth both ways. When a
toxic is taken away, what it holds back is let through at once.

Several on one link are a chain in the order in which they were put on. Delays add up. Of narrow links the narrowest
decides how long all bytes take, and each of the others adds one piece. A delay counts from when the piece came to the
proxy or left the delay before: what it waited in a narrow link in between is a part of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from core import faults
from core.names import FaultKind
from core.scenario import Fault

#: What Toxiproxy reads and passes on at once, and the time for which a narrow link sends before it passes on.
PIECE_BYTES_MAX: Final = 32_768.0
PIECE_SECONDS: Final = 0.1


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
        passed, stamp = 0.0, 0.0  # of one round trip, since its answer came
        carried, narrowest, apart, piece = 0.0, 0.0, 0.0, min(float(answer_bytes), PIECE_BYTES_MAX)
        for fault in self.acting:
            left = max(0.0, fault.end_seconds - now) / trips
            match fault.kind:
                case FaultKind.LATENCY:
                    assert fault.latency_seconds is not None
                    delay = fault.latency_seconds + fault.jitter_seconds * (2.0 * uniform - 1.0)
                    uniform = independent(uniform)
                    wait = delay - (passed - stamp)
                    stamp += wait
                    passed = max(passed, min(passed + wait, left))
                case FaultKind.BANDWIDTH:
                    rate = float(faults.carried_bytes(fault))
                    apart += apart_seconds(answer_bytes, piece, rate, narrowest)
                    narrowest = min(rate, narrowest) if narrowest else rate
                    piece = min(piece, rate * PIECE_SECONDS)
                    wait = (answer_bytes / narrowest + apart - carried) / trips
                    carried = answer_bytes / narrowest + apart
                    passed = max(passed, min(passed + wait, left))
                case FaultKind.TIMEOUT:
                    return math.inf
        return passed * trips

    def narrow_seconds(self, *, now: float, sent_bytes: int) -> float:
        """How long narrow links take to carry what a caller sends: they are narrow both ways."""
        passed = 0.0
        carried, narrowest, apart, piece = 0.0, 0.0, 0.0, min(float(sent_bytes), PIECE_BYTES_MAX)
        for fault in self.acting:
            if fault.kind is FaultKind.BANDWIDTH:
                rate = float(faults.carried_bytes(fault))
                apart += apart_seconds(sent_bytes, piece, rate, narrowest)
                narrowest = min(rate, narrowest) if narrowest else rate
                piece = min(piece, rate * PIECE_SECONDS)
                wait = sent_bytes / narrowest + apart - carried
                carried = sent_bytes / narrowest + apart
                passed = max(passed, min(passed + wait, max(0.0, fault.end_seconds - now)))
        return passed

    def stopped_seconds(self, *, now: float) -> float:
        """Until when a call whose answer never comes is left hanging: the toxic closes it, or it is taken away."""
        waits = [
            min(fault.timeout_seconds or math.inf, max(0.0, fault.end_seconds - now))
            for fault in self.acting
            if fault.kind is FaultKind.TIMEOUT
        ]
        return min(waits, default=0.0)


def apart_seconds(count: int, piece: float, rate: float, narrowest: float) -> float:
    """What another narrow link of ``rate`` adds to the time of the narrowest so far, that of ``count`` bytes in pieces
    of ``piece``: a wider one behind it the last piece, one before a narrower one the first."""
    if narrowest == 0.0 or piece == 0.0:
        return 0.0
    if rate < narrowest:
        return piece / narrowest
    return (count - piece * math.floor((count - 1) / piece)) / rate


def independent(uniform: float) -> float:
    """A uniform number of what the leading bits of another do not say: for the next of several delays."""
    shifted = uniform * 1024.0
    return shifted - math.floor(shifted)
