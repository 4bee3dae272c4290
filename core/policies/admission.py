"""Admission: how many requests one instance of a component handles at once, so that it answers them in time.

The signal is how long requests wait until a component begins them, counted from their arrival at the gateway. That
grows when processor time is short. It does not grow when a store is slow, where a limit on latency would refuse
requests while the processor is idle. As in CoDel (Nichols and Jacobson, ACM Queue 2012) the shortest wait of an
interval counts: a burst makes some requests wait, only a standing queue makes all of them wait. The limit then follows
additive increase and multiplicative decrease (Chiu and Jain 1989). Everything is plain numbers, so that numba can
compile the same lines for the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

INTERVAL_SECONDS: Final = 0.1
REQUESTS_MIN: Final = 5  # begun in an interval; with fewer, it lasts longer
TARGET_SECONDS: Final = 0.01  # a shortest wait above this is a standing queue
LIMIT_MIN: Final = 8
_DECREASE_RATIO: Final = 0.8
_INCREASE_RATIO: Final = 0.05
_URGENT_FACTOR: Final = 2


def admits(under_way: int, limit: int, urgent: bool) -> bool:
    """Whether one more request may begin. Urgent ones, which write, have a higher limit."""
    return under_way < (_URGENT_FACTOR * limit if urgent else limit)


def is_over(now_seconds: float, until_seconds: float, begun: int) -> bool:
    """Whether an interval in which ``begun`` requests have begun is over."""
    return now_seconds >= until_seconds and begun >= REQUESTS_MIN


def limit_after(limit: float, shortest_wait_seconds: float, most_under_way: int, limit_max: int) -> float:
    """The limit for the next interval, by the shortest wait of the last one and the most requests in flight in it."""
    if shortest_wait_seconds > TARGET_SECONDS:
        return max(float(LIMIT_MIN), _DECREASE_RATIO * min(limit, float(most_under_way)))
    if most_under_way >= int(limit):  # it was reached without a standing queue: allow more
        return min(float(limit_max), limit + max(1.0, _INCREASE_RATIO * limit))
    return limit


@dataclass(slots=True, kw_only=True)
class AdaptiveLimit:
    """The limit of one instance, and the observations of the current interval; time is an argument."""

    limit_max: int
    until_seconds: float  # when the interval may end
    limit: float = 0.0  # how many requests may be in flight; ``limit_max`` at first
    shortest_seconds: float = math.inf
    begun: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        self.limit = self.limit or float(self.limit_max)

    def began(self, *, waited_seconds: float, under_way: int, now_seconds: float) -> None:
        """Record a request that begins after this wait, as one of ``under_way``."""
        self.shortest_seconds = min(self.shortest_seconds, waited_seconds)
        self.begun += 1
        self.most = max(self.most, under_way)
        if is_over(now_seconds, self.until_seconds, self.begun):
            self.limit = limit_after(self.limit, self.shortest_seconds, self.most, self.limit_max)
            self.until_seconds = now_seconds + INTERVAL_SECONDS
            self.shortest_seconds, self.begun, self.most = math.inf, 0, under_way
