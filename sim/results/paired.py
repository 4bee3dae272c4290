"""Two scenarios under common random numbers: their difference, replication by replication.

Both have the same arrivals and the same demands (`core.streams`), so common variation cancels, and the interval of the
difference is narrower than the intervals of the two suggest. A. M. Law, *Simulation Modeling and Analysis* (2015),
10.2.1 and 11.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core import stats


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """Second minus first, with its 95 % interval. ``variance_ratio`` is the factor of replications that independent
    runs would have needed for the same interval, NaN where there is no spread."""

    mean: float
    low: float
    high: float
    distinguishable: bool  # the interval does not hold 0
    variance_ratio: float


def paired_difference(first: npt.ArrayLike, second: npt.ArrayLike) -> PairedDifference:
    """Compare one figure of two scenarios: a number for each replication, in the same order of seeds.

    With fewer than two pairs nothing is distinguishable.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"{a.size} and {b.size} replications: expected pairs")
    apart = b - a
    estimate = stats.mean_interval(apart)
    spread = float(apart.var(ddof=1)) if len(apart) > 1 else 0.0
    return PairedDifference(
        mean=estimate.value,
        low=estimate.low,
        high=estimate.high,
        distinguishable=estimate.low > 0.0 or estimate.high < 0.0,
        variance_ratio=float(a.var(ddof=1) + b.var(ddof=1)) / spread if spread else float("nan"),
    )
