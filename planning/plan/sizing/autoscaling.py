"""Autoscaling: services' machines that follow the load of a mean day, some time behind it.

The day is the sinusoid in the exponent of `core.diurnal`, with the demand's peak factor. What is there at a time was
ordered by the load a lag before, times the largest growth of the load within a lag, so that it is always enough; never
more than the plan has for the peak. Spares, stores and reserved machines stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from core.diurnal import DAY_SECONDS, kappa
from planning.plan.queueing.distributions import Floats
from planning.plan.sizing.size import RegionPlan

#: Terms at which machines may be given back.
_BY_THE_HOUR: Final = ("on_demand", "spot")
_STEP_SECONDS: Final = 60.0


def needed_ratio(peak_factor: float, lag_seconds: float) -> Floats:
    """Machines that are there in each minute of a day, over those for the peak."""
    spread = kappa(peak_factor) if peak_factor > 1.0 else 0.0
    at = np.arange(0.0, DAY_SECONDS, _STEP_SECONDS)

    def load(seconds: Floats) -> Floats:
        return np.asarray(np.exp(spread * (np.cos(2.0 * np.pi * seconds / DAY_SECONDS) - 1.0)), dtype=np.float64)

    before = load(at - lag_seconds)
    headroom = float((load(at) / before).max())
    return np.asarray(np.minimum(1.0, before * headroom), dtype=np.float64)


class FollowedLoad(NamedTuple):
    """Machines of services that may be given back, beside the spares."""

    working: int  # in the worst hour
    mean: float  # over a mean day
    saved_dollars_month: float


def followed(regions: Iterable[RegionPlan], *, peak_factor: float, lag_seconds: float) -> FollowedLoad:
    """Machines that follow the load, whole ones, of all regions."""
    ratio, working, mean, saved = needed_ratio(peak_factor, lag_seconds), 0, 0.0, 0.0
    for pool in (pool for region in regions for pool in region.pools if pool.term in _BY_THE_HOUR):
        there = float(np.maximum(1.0, np.ceil(pool.working * ratio - 1e-9)).mean())
        working, mean = working + pool.working, mean + there
        saved += (pool.working - there) * pool.shape.dollars_month
    return FollowedLoad(working, mean, saved)
