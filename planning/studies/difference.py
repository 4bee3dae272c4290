"""Differences of two settings from paired replications, with intervals and significance.

Under common random numbers the noise that both settings share cancels in each pair, so that the interval is that of the
differences (paired t; Law, Simulation Modeling and Analysis, §10.2.1). Of fifty figures without any difference two or
three would look different at 95 %, so what counts as distinguishable is decided over all figures together by Holm's
step-down method (Holm 1979): the chance of even one false finding is at most 5 %, whatever their dependence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from core import stats
from sim.results.paired import paired_difference

#: Chance of one false finding in the whole comparison.
ALPHA: Final = 0.05
#: Fewer pairs say nothing about their spread.
PAIRS_MIN: Final = 3
#: Replications beyond which no number of them is proposed.
PAIRS_MOST: Final = 1_000
#: Two values that differ by less than this ratio are equal: sums in another order differ by rounding.
ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureDifference:
    """One figure of two settings; ``difference`` is second − first with its own 95 % interval, and ``saved_ratio`` is
    how many times as many independent replications would have been needed (NaN without spread)."""

    figure: str
    first: float
    second: float
    difference: stats.Estimate
    saved_ratio: float
    pairs: int
    chance: float  # p of this figure alone: of a difference as large if there is none
    together: float = 1.0  # the same for all figures together (Holm's adjusted p)

    @property
    def distinguishable(self) -> bool:
        """Whether the two settings differ significantly in this figure."""
        return self.together < ALPHA

    @property
    def same(self) -> bool:
        """Equal in every pair up to rounding."""
        return self.difference.low == self.difference.high == 0.0

    @property
    def ratio(self) -> float | None:
        """Difference over the first's; None where that is zero."""
        return self.difference.value / self.first if self.first else None


def compare(
    first: Sequence[Mapping[str, float]], second: Sequence[Mapping[str, float]], *, figures: Iterable[str] | None = None
) -> tuple[FigureDifference, ...]:
    """Compare the figures of two settings, replication by replication; the r-th of both has one seed.

    A figure that fewer than `PAIRS_MIN` pairs have is left out. One that is equal in every pair but for rounding (see
    `ROUNDING`) is equal for certain and takes no part in Holm's family.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} replications cannot be paired")
    names = list(dict.fromkeys(name for side in (*first, *second) for name in side)) if figures is None else figures
    found = []
    for name in names:
        pairs = [(a[name], b[name]) for a, b in zip(first, second, strict=True) if name in a and name in b]
        if len(pairs) >= PAIRS_MIN:
            found.append(_paired(name, pairs))
    return held_together(found)


def held_together(found: Sequence[FigureDifference]) -> tuple[FigureDifference, ...]:
    """The differences of one family, with Holm's adjusted p of each; those that are equal for certain are not in it."""
    family = sorted((index for index, each in enumerate(found) if not each.same), key=lambda index: found[index].chance)
    adjusted: dict[int, float] = {}
    worst = 0.0
    for rank, index in enumerate(family):
        worst = max(worst, min(1.0, found[index].chance * (len(family) - rank)))
        adjusted[index] = worst
    return tuple(replace(each, together=adjusted.get(index, 1.0)) for index, each in enumerate(found))


def pairs_needed(found: FigureDifference, *, comparisons: int = 1) -> int | None:
    """Pairs with which this difference, if its mean and spread stay as they are, would be distinguishable among so many
    comparisons; None if more than `PAIRS_MOST` would be needed, or nothing differs."""
    from scipy.special import stdtrit  # Student's distribution

    if found.same or found.pairs < 2 or not found.difference.value:
        return None
    half = (found.difference.high - found.difference.low) / 2.0
    spread = half / float(stdtrit(found.pairs - 1, 0.975)) * math.sqrt(found.pairs)
    for pairs in range(PAIRS_MIN, PAIRS_MOST + 1):
        reach = float(stdtrit(pairs - 1, 1.0 - ALPHA / comparisons / 2.0)) * spread / math.sqrt(pairs)
        if abs(found.difference.value) > reach:
            return pairs
    return None


def narrow_enough(differences: Iterable[FigureDifference], relative: float) -> bool:
    """Whether the interval of each is at most ± ``relative`` of the first setting's figure wide."""
    return all((each.difference.high - each.difference.low) / 2 <= relative * abs(each.first) for each in differences)


def _paired(name: str, pairs: Sequence[tuple[float, float]]) -> FigureDifference:
    values = np.asarray(pairs, dtype=np.float64)
    first, second = values[:, 0], values[:, 1]
    if bool((np.abs(second - first) <= ROUNDING * np.maximum(np.abs(first), np.abs(second))).all()):
        second = first
    found = paired_difference(first, second)
    return FigureDifference(
        figure=name,
        first=float(first.mean()),
        second=float(second.mean()),
        difference=stats.Estimate(value=found.mean, low=found.low, high=found.high),
        saved_ratio=found.variance_ratio,
        pairs=len(pairs),
        chance=_chance(second - first),
    )


def _chance(differences: stats.Floats) -> float:
    """Two-sided p of a mean of zero; 0 or 1 if all differences are the same."""
    from scipy.special import stdtr  # Student's distribution

    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    # what rounding leaves of equal differences is no spread
    if spread <= 1e-12 * max(abs(mean), math.ulp(1.0)):
        return 1.0 if mean == 0.0 else 0.0
    return float(2.0 * stdtr(len(differences) - 1, -abs(mean) / (spread / math.sqrt(len(differences)))))
