"""The search for the smallest amount after which something does not come back: a scan, then bisection.

An amount is the height of a burst, the length of a fault, or the load that remains. Whether a system comes back need
not be monotone in it: a higher burst may be refused or time out so fast that less of it is left to do. So a scan tries
amounts over the whole range first, and bisection only refines between the lowest that did not come back and the one
below it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: Ratio of two amounts that are next to each other in the scan, at most.
SCAN_RATIO: Final = 1.35
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """Where the boundary lies: ``high`` did not come back, ``low`` did."""

    low: float
    high: float


def scan(least: float, most: float) -> tuple[float, ...]:
    """Amounts above ``least`` up to ``most`` in equal ratios of at most `SCAN_RATIO`."""
    if most <= least:
        return ()
    count = math.ceil(math.log(most / least) / math.log(SCAN_RATIO) - 1e-9)
    return tuple(rounded(least * (most / least) ** (index / count)) for index in range(1, count + 1))


def bracket(came_back: Mapping[float, bool], *, start: float) -> Bracket | None:
    """Around the lowest amount that did not come back; None if every amount did. ``start``, which was not tried, stands
    for no disturbance."""
    down = [amount for amount, back in came_back.items() if not back]
    if not down:
        return None
    high = min(down)
    return Bracket(low=max((amount for amount in came_back if amount < high), default=start), high=high)


def middle(found: Bracket, *, resolution_ratio: float) -> float | None:
    """The amount to try next; None if the bracket is narrow enough."""
    if found.high <= found.low * (1.0 + resolution_ratio):
        return None
    amount = rounded(math.sqrt(found.low * found.high))
    return amount if found.low < amount < found.high else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """The boundary of every replication: its smallest amount that did not come back; None where all did."""

    edges: tuple[float | None, ...]

    @property
    def value(self) -> float | None:
        """The smallest amount from which most replications do not come back; None if most have no such amount."""
        return _sorted(self.edges)[len(self.edges) // 2] if self.edges else None

    @property
    def low(self) -> float | None:
        """The lowest of all replications; None if none has one."""
        return _sorted(self.edges)[0] if self.edges else None

    @property
    def high(self) -> float | None:
        """The highest of all replications; None if one has none."""
        return _sorted(self.edges)[-1] if self.edges else None

    @property
    def none_count(self) -> int:
        """How many replications came back from every amount."""
        return sum(edge is None for edge in self.edges)


def _sorted(edges: Sequence[float | None]) -> list[float | None]:
    return sorted(edges, key=lambda edge: math.inf if edge is None else edge)


def rounded(amount: float) -> float:
    """An amount in as many digits as are shown and simulated."""
    return float(f"{amount:.{_DIGITS}g}")
