"""Laws that hold on every run whatever the scenario: conservation, Little, causality, work conservation.

A model that loses a customer or does work that nobody asked for gives plausible curves all the same; so each law is
checked from two independent accounts of one run, and a difference ends the run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

#: Two accounts of one quantity are sums of the same numbers in different order: they differ by rounding only.
_RELATIVE: Final = 1e-6
_ABSOLUTE: Final = 1e-6


class ModelError(Exception):
    """The model broke a law, which is a bug of the model; ``law`` names it."""

    def __init__(self, law: str, detail: str):
        super().__init__(f"{law}: {detail}")
        self.law = law


@dataclass(slots=True)
class VisitTally:
    """Who came to one place and who left it, with the area under the number inside.

    ``came`` and ``left`` are called at the clock's time. Two accounts are kept apart: the area is integrated at every
    change, the sojourns are summed customer by customer.
    """

    name: str
    started_seconds: float
    arrived: int = 0
    ended: int = 0
    inside: int = 0
    area: float = 0.0  # customers × seconds
    sojourn_seconds: float = 0.0  # of those who left
    entered_seconds: float = 0.0  # sum of the entry times of those inside
    changed_seconds: float = -math.inf

    def __post_init__(self) -> None:
        self.changed_seconds = max(self.changed_seconds, self.started_seconds)

    def came(self, now: float) -> None:
        """Count one in."""
        self._integrate(now)
        self.arrived += 1
        self.inside += 1
        self.entered_seconds += now

    def left(self, now: float, *, entered_seconds: float) -> None:
        """Count one out, who came at ``entered_seconds``."""
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
    """All who came have left or are inside, where ``found`` were counted one by one; raises ModelError."""
    inside = tally.inside if found is None else found
    if inside < 0 or tally.arrived != tally.ended + inside or inside != tally.inside:
        raise ModelError("conservation", f"{tally.name}: {tally.arrived} came, {tally.ended} left, {inside} are inside")


def check_little(tally: VisitTally, *, now: float) -> None:
    """L = λ W over the window (Little 1961), written without the division: the area under the number inside is the
    sum of the sojourns, those of customers still inside counted up to now. Raises ModelError."""
    expected = tally.sojourn_seconds + tally.inside * now - tally.entered_seconds
    # the entry times cancel in the sum: what is left of them is rounding of the size of the clock, not of the result
    slack = _ABSOLUTE + _RELATIVE * expected + 1e-12 * tally.arrived * max(abs(now), 1.0)
    if abs(tally.area - expected) > slack:
        raise ModelError("Little's law", f"{tally.name}: area {tally.area} s, sum of sojourns {expected} s")


def check_work(name: str, *, given_seconds: float, done_seconds: float, possible_seconds: float) -> None:
    """A host gives as much CPU as its jobs got, and is never idle while one of them wants it; raises ModelError.

    ``given_seconds`` is integrated over the host's time, ``done_seconds`` summed job by job, ``possible_seconds`` is
    the integral of min(jobs, cores) outside of stalls, counted by the stations.
    """
    for law, other in (("work conservation", done_seconds), ("work conservation (idle with work)", possible_seconds)):
        if abs(given_seconds - other) > _ABSOLUTE + _RELATIVE * max(given_seconds, other):
            raise ModelError(law, f"{name}: gave {given_seconds} s of CPU, {other} s accounted for")
