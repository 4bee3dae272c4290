"""The delay of work that no client waits for: from the request to its end, weighted by the people it is for.

A fan-out counts once for each of its readers, so that its figures are the age at which readers see a post: nothing for
a post that is pulled, the time until its timelines are written for one that is pushed. What is not done by the end of
the run counts with its age then, and lies beyond every quantile: a backlog never looks fresh.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

#: Classes of delay: below 1 ms, then twenty to a decade up to 1,000 s, then above.
LOWEST_SECONDS: Final = 1e-3
PER_DECADE: Final = 20
_DECADES: Final = 6
CLASSES: Final = PER_DECADE * _DECADES + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDelay:
    """One kind of work over a run, counted from t0 on by when it was asked for."""

    job: str
    count: int  # asked for
    weight: float  # the same, each weighted
    undone_weight: float  # not done by the end
    weighted_seconds: float  # sum of weight × delay
    classes: tuple[float, ...]  # weight done by class of delay, see `class_of`

    @property
    def mean_seconds(self) -> float | None:
        """Weighted mean; None where nobody was waiting."""
        return self.weighted_seconds / self.weight if self.weight > 0 else None

    @property
    def undone_ratio(self) -> float | None:
        """Share of the weight that was not done by the end."""
        return self.undone_weight / self.weight if self.weight > 0 else None

    def quantile_seconds(self, q: float) -> float | None:
        """The delay within which a share ``q`` of the weight was done, to 12 %: the upper bound of its class; infinite
        where less than that was done. None where nobody was waiting."""
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
    """Upper bound of a class; the first one's is 0, for it holds what was there at once."""
    if index == 0:
        return 0.0
    return math.inf if index == CLASSES - 1 else LOWEST_SECONDS * 10 ** (index / PER_DECADE)


@dataclass(slots=True)
class JobTally:
    """Counts one kind of work during a run; the caller leaves out what was asked for before t0."""

    job: str
    count: int = 0
    weight: float = 0.0
    done_seconds: float = 0.0  # sum of weight × delay of what is done
    inside_weight: float = 0.0
    inside_asked_seconds: float = 0.0  # sum of weight × time of asking of what is not
    classes: list[float] = field(default_factory=lambda: [0.0] * CLASSES)

    def asked(self, now: float, *, weight: float) -> None:
        """Somebody asks for it."""
        self.count += 1
        self.weight += weight
        self.inside_weight += weight
        self.inside_asked_seconds += weight * now

    def done(self, now: float, *, asked_seconds: float, weight: float) -> None:
        """What was asked for at ``asked_seconds`` is done."""
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
