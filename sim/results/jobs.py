"""The delay of work that no client waits for: from the request to its end, weighted by the people it is for.

A fan-out counts once for each of its readers, so that its figures are the age at which readers see a post: 0 for a post
that is pulled, the time until its timelines are written for one that is pushed. Work that is not done by the end of the
run counts with its age at that time, and is beyond every quantile, so that a backlog never looks fresh.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

#: Classes of delay: below 1 ms, then 20 per decade up to 1,000 s, then above.
LOWEST_SECONDS: Final = 1e-3
PER_DECADE: Final = 20
_DECADES: Final = 6
CLASSES: Final = PER_DECADE * _DECADES + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDelay:
    """One kind of work over a run: what was requested from t0 on."""

    job: str
    count: int  # requested
    weight: float  # sum of the weights of these
    undone_weight: float  # not done by the end
    weighted_seconds: float  # sum of weight × delay
    classes: tuple[float, ...]  # weight done by class of delay, see `class_of`

    @property
    def mean_seconds(self) -> float | None:
        """Weighted mean; None where nothing was requested."""
        return self.weighted_seconds / self.weight if self.weight > 0 else None

    @property
    def undone_ratio(self) -> float | None:
        """Share of the weight that was not done by the end."""
        return self.undone_weight / self.weight if self.weight > 0 else None

    def quantile_seconds(self, q: float) -> float | None:
        """The delay within which a share ``q`` of the weight was done: the upper bound of its class, which is at most
        12 % too high; infinite where less than that was done. None where nothing was requested."""
        if self.weight <= 0:
            return None
        below = 0.0
        for index, weight in enumerate(self.classes):
            below += weight
            if below >= q * self.weight * (1 - 1e-12) and below > 0:
                return upper_seconds(index)
        return math.inf


def class_of(delay_seconds: float) -> int:
    """Index of the class of a delay."""
    if delay_seconds < LOWEST_SECONDS:
        return 0
    return min(1 + int(PER_DECADE * math.log10(delay_seconds / LOWEST_SECONDS)), CLASSES - 1)


def upper_seconds(index: int) -> float:
    """Upper bound of a class; that of the first is 0, because it holds what was done at once."""
    if index == 0:
        return 0.0
    return math.inf if index == CLASSES - 1 else LOWEST_SECONDS * 10 ** (index / PER_DECADE)


@dataclass(slots=True)
class JobTally:
    """Counts one kind of work during a run; the caller leaves out what was requested before t0."""

    job: str
    count: int = 0
    weight: float = 0.0
    done_seconds: float = 0.0  # sum of weight × delay of work that is done
    inside_weight: float = 0.0
    inside_asked_seconds: float = 0.0  # sum of weight × time of the request of work that is not
    classes: list[float] = field(default_factory=lambda: [0.0] * CLASSES)

    def asked(self, now: float, *, weight: float) -> None:
        """Count a request."""
        self.count += 1
        self.weight += weight
        self.inside_weight += weight
        self.inside_asked_seconds += weight * now

    def done(self, now: float, *, asked_seconds: float, weight: float) -> None:
        """Count work as done that was requested at ``asked_seconds``."""
        self.inside_weight -= weight
        self.inside_asked_seconds -= weight * asked_seconds
        self.done_seconds += weight * (now - asked_seconds)
        self.classes[class_of(now - asked_seconds)] += weight

    def delay(self, now: float) -> JobDelay:
        """The figures at the end of the run."""
        waiting = self.inside_weight * now - self.inside_asked_seconds
        return JobDelay(
            job=self.job,
            count=self.count,
            weight=self.weight,
            undone_weight=self.inside_weight,
            weighted_seconds=self.done_seconds + waiting,
            classes=tuple(self.classes),
        )
