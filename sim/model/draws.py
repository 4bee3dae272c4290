"""Random durations: each is a function of (seed, stream, entity, visit), so both engines draw the same numbers."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

from core import streams

_NORMAL: Final = NormalDist()
#: The 99 % quantile of the standard normal distribution.
_Z99: Final = _NORMAL.inv_cdf(0.99)


def lognormal_of(median_seconds: float, p99_seconds: float) -> tuple[float, float]:
    """(μ, σ) of the lognormal distribution with this median and 99 % quantile; σ = 0 where they are equal."""
    if median_seconds <= 0.0:
        return -math.inf, 0.0
    return math.log(median_seconds), max(0.0, math.log(max(p99_seconds, median_seconds) / median_seconds) / _Z99)


def spread_of(variation: float) -> float:
    """σ of a lognormal distribution with this coefficient of variation: sqrt(ln(1 + v²))."""
    return math.sqrt(math.log1p(variation * variation))


class Draws:
    """All random numbers of one run except those of the traffic schedule."""

    def __init__(self, seed: int):
        self._demand = streams.named(seed, "model.demand")
        self._wait = streams.named(seed, "model.wait")
        self._plain = streams.named(seed, "model.plain")

    def demand_factor(self, sigma: float, entity: int, visit: int) -> float:
        """Lognormal with mean 1: the CPU of one execution over the mean."""
        if not sigma:
            return 1.0
        z = _NORMAL.inv_cdf(self._demand.uniform(entity, visit))
        return math.exp(sigma * z - 0.5 * sigma * sigma)

    def wait_seconds(self, mu: float, sigma: float, entity: int, visit: int) -> float:
        """Lognormal with median exp(μ): time on a wire or in a server."""
        if not sigma:
            return math.exp(mu)
        return math.exp(mu + sigma * _NORMAL.inv_cdf(self._wait.uniform(entity, visit)))

    def uniform(self, entity: int, visit: int) -> float:
        """Uniform in (0, 1): jitter and back-off."""
        return self._plain.uniform(entity, visit)
