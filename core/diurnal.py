"""The diurnal cycle: a region's rate over its mean by the hour, as a sinusoid in the exponent.

w(h) = exp(κ cos(2π (h − busiest) / 24 h)) / I₀(κ) has mean 1 over a day, is never negative, and its ratio of peak to
mean, exp(κ) / I₀(κ), can be any factor from 1 on; that of a plain sinusoid is at most 2. κ is found by bisection.
"""

from __future__ import annotations

import functools
import math
from typing import Final

import numpy as np
import numpy.typing as npt

from core.scenario.model import Scenario

Floats = npt.NDArray[np.float64]

DAY_SECONDS: Final = 86_400.0
_KAPPA_MAX: Final = 400.0  # a factor of 50


@functools.cache
def kappa(factor: float) -> float:
    """κ of a day whose peak is ``factor`` × its mean."""
    low, high = 0.0, _KAPPA_MAX
    for _ in range(100):
        middle = (low + high) / 2.0
        if 1.0 / _scaled_i0(middle) < factor:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def weights(scenario: Scenario, at_seconds: Floats) -> Floats:
    """Rate over the mean rate at times from t0, one row for each region; the rows add up to the total rate over its
    mean. A day lasts as long as the judged traffic, and t0 is midnight, UTC."""
    load, regions = scenario.traffic, scenario.system.regions.values()
    if load.arrivals != "diurnal":
        return np.array([np.full(len(at_seconds), region.people_ratio) for region in regions])
    day = load.diurnal
    spread = kappa(day.factor)
    hours = np.asarray(at_seconds) / load.duration_seconds * DAY_SECONDS
    return np.array(
        [
            region.people_ratio
            * np.exp(
                spread
                * (np.cos(2.0 * np.pi * (hours + region.utc_offset_seconds - day.busiest_seconds) / DAY_SECONDS) - 1.0)
            )
            / _scaled_i0(spread)
            for region in regions
        ]
    )


def _scaled_i0(value: float) -> float:
    """exp(−x) I₀(x): the modified Bessel function, scaled so that a large x does not overflow."""
    if value < 700.0:
        return float(np.i0(value)) * math.exp(-value)
    return 1.0 / math.sqrt(2.0 * math.pi * value)
