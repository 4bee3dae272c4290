"""An interval from one long run: the means of its stretches, taken as independent (batch means).

It holds where a stretch is long against the time over which the system remembers; where that is in doubt, run
independent replications instead. A. M. Law, *Simulation Modeling and Analysis* (2015), 9.5.3.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from core import stats

#: Few and long batches err less than many and short ones (B. Schmeiser 1982: 10 to 30).
BATCHES: Final = 20


def batch_means(series: npt.ArrayLike, *, batches: int = BATCHES) -> stats.Estimate:
    """Mean of a steady series, in the order of time, with its 95 % t-interval from ``batches`` stretches of one length.

    The observations that are over after the division are left out at the beginning. Raises ValueError where there are
    fewer than one for each.
    """
    values = np.asarray(series, dtype=np.float64)
    size = len(values) // batches
    if batches < 2 or not size:
        raise ValueError(
            f"{len(values)} observations in {batches} batches: expected one at least in each of two or more"
        )
    return stats.mean_interval(values[len(values) - size * batches :].reshape(batches, size).mean(axis=1))
