"""Laws that hold for every run of every scenario: conservation, Little's law, causality, work conservation.

A model that loses a customer or does work that nobody requested still gives plausible curves. So each law is checked
with two independent accounts of one run, and a difference ends the run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

#: Two accounts of one quantity are sums of the same numbers in different order, so they differ by rounding only.
_RELATIVE: Final = 1e-6
_ABSOLUTE: Final = 1e-6


class ModelError(Exception):
    """The model broke the law named ``law``, which is a bug of the model."""

    def __init__(self, law: str, detail: str):
        super().__init__(f"{law}: {detail}")
        self.law = law


@dataclass(slots=True)
class VisitTally:
    """Arrivals and departures of one station, pool or log, with the area under the number inside.

    ``came`` and ``left`` are called at the clock's time. There are two separate accounts: the area is integrated at
    every change, the sojourns are summed customer by customer.
    """

    name: str
    started_seconds: float
    arrived: int = 0
    ended: int = 0
    inside: int = 0
    area: float = 0.0  # customers × seconds
    sojourn_seconds: float = 0.0  # of those who left
    entered_seconds: float = 0.0  # sum of the entry times of those who are inside
    changed_seconds: float = -math.inf

    def __post_init__(self) -> None:
        self.changed_seconds = max(self.changed_seconds, self.started_seconds)

    def came(self, now: float) -> None:
        """Count an arrival."""
        self._integrate(now)
        self.arrived += 1
        self.inside += 1
        self.entered_seconds += now

    def left(self, now: float, *, entered_seconds: float) -> None:
        """Count the departure of a customer who arrived at ``entered_seconds``."""
        if now < entered_seconds:
            raise ModelError("causality", f"{self.name}: left at {now} s, entered at {entered_seconds} s")
        self._integrate(now)
        self.ended += 1
        self.inside -= 1
        self.entered_seconds -= entered_seconds
        self.sojourn_seconds += now - entered_seconds

    def close(self, now: float) -> None:
        """End the window of observation."""
        self._integrate(now)

    def mean_number(self) -> float:
        """Time average of the number inside, over the window."""
        span = self.changed_seconds - self.started_seconds
        return self.area / span if span > 0 else 0.0

    def _integrate(self, now: float) -> None:
        if now < self.changed_seconds:
            raise ModelError("causality", f"{self.name}: the clock went from {self.changed_seconds} s to {now} s")
        self.area += self.inside * (now - self.changed_seconds)
        self.changed_seconds = now


def check_conservation(tally: VisitTally, *, found: int | None = None) -> None:
    """Check that all who came have left or are among the ``found`` counted inside one by one; raises ModelError."""
    inside = tally.inside if found is None else found
    if inside < 0 or tally.arrived != tally.ended + inside or inside != tally.inside:
        raise ModelError("conservation", f"{tally.name}: {tally.arrived} came, {tally.ended} left, {inside} are inside")


def check_little(tally: VisitTally, *, now: float) -> None:
    """Check L = λ W over the window (Little 1961), without the division: the area under the number inside is the sum of
    the sojourns, those of customers still inside counted up to now. Raises ModelError."""
    expected = tally.sojourn_seconds + tally.inside * now - tally.entered_seconds
    # the entry times cancel out, which leaves a rounding error in proportion to the clock and not to the result
    slack = _ABSOLUTE + _RELATIVE * expected + 1e-12 * tally.arrived * max(abs(now), 1.0)
    if abs(tally.area - expected) > slack:
        raise ModelError("Little's law", f"{tally.name}: area {tally.area} s, sum of sojourns {expected} s")


def check_work(name: str, *, given_seconds: float, done_seconds: float, possible_seconds: float) -> None:
    """Check that a host gives as much CPU as its jobs get, and is never idle while one waits; raises ModelError.

    ``given_seconds`` is integrated over the host's time, ``done_seconds`` summed job by job; ``possible_seconds`` is
    the integral of min(jobs, cores) outside stalls, counted by the stations.
    """
    for law, other in (("work conservation", done_seconds), ("work conservation (idle with work)", possible_seconds)):
        if abs(given_seconds - other) > _ABSOLUTE + _RELATIVE * max(given_seconds, other):
            raise ModelError(law, f"{name}: gave {given_seconds} s of CPU, {other} s accounted for")
