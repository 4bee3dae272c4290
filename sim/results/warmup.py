"""The end of the warm-up: the truncation that makes the mean of the rest most certain (MSER-5).

K. P. White, *An effective truncation heuristic for bias reduction in simulation output*, Simulation 69 (1997); means of
five observations: S. C. Spratt 1998; K. P. White, M. J. Cobb and S. C. Spratt, *A comparison of five steady-state
truncation heuristics for simulation*, Winter Simulation Conference 2000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

#: Observations in one mean.
BATCH: Final = 5
#: The last means of the series, too few to estimate their spread, are not candidates (K. Hoad, S. Robinson and
#: R. Davies, *Automating warm-up length estimation*, 2010).
_TAIL: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """Number of observations to leave out at the beginning.

    ``too_short`` says that the best truncation is beyond half of the series: no steady state was observed, and
    ``drop_count`` is not a result but a reason to run longer.
    """

    drop_count: int
    too_short: bool


def mser(series: npt.ArrayLike, *, batch: int = BATCH) -> Warmup:
    """Truncation of ``series`` in the order of time (of one run, or the mean of several at each time).

    The least of Σ (Yᵢ − mean)² / n² over the means Yᵢ of ``batch`` that are left, n their number: the squared standard
    error of their mean if they were independent. A series of fewer than 4 × 5 means is always too short.
    """
    values = np.asarray(series, dtype=np.float64)
    count = len(values) // batch
    if count < 4 * _TAIL:
        return Warmup(drop_count=0, too_short=True)
    means = values[: count * batch].reshape(count, batch).mean(axis=1)
    means = means - means.mean()  # sums of squares of small numbers lose nothing
    left = np.arange(count, 0, -1)
    sums = np.cumsum(means[::-1])[::-1]
    squares = np.cumsum((means * means)[::-1])[::-1]
    errors = (squares - sums * sums / left) / left**2
    best = int(np.argmin(errors[: count - _TAIL]))
    return Warmup(drop_count=best * batch, too_short=2 * best > count)
