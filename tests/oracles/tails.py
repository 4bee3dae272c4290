"""Distributions of the wait and the time in an M/G/1, from the Laplace transform of its service time.

The transform of the wait is Pollaczek and Khinchine's (HB 26); it is inverted numerically by the Euler algorithm of
J. Abate and W. Whitt, *Numerical inversion of Laplace transforms of probability distributions*, ORSA Journal on
Computing 7 (1995). The error is about 1e-7 where the density is smooth, and up to 1e-3 near a step, as constant
services have (for those, `queues.md1_wait_beyond` is exact). So a tail below 1e-6 is not to be trusted.

A transform maps an array of complex s, Re s > 0, to E e^(−sX).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tests.oracles.queues import quantile_of
from tests.oracles.stability import utilisation

Complexes = npt.NDArray[np.complex128]
Transform: TypeAlias = Callable[[Complexes], Complexes]

#: Euler's algorithm: a discretisation error of e^(−18.4) = 1e-8, plain terms, and terms averaged with binomial weights.
_A: Final = 18.4
_PLAIN: Final = 38
_AVERAGED: Final = 11
#: Points and reach, in standard deviations, of the lognormal quadrature.
_POINTS: Final = 1_001
_REACH: Final = 9.0


def exponential(mean_seconds: float) -> Transform:
    """Transform of the exponential distribution."""
    return lambda s: 1.0 / (1.0 + s * mean_seconds)


def constant(seconds: float) -> Transform:
    """Transform of a constant."""
    return lambda s: np.exp(-s * seconds)


def gamma(mean_seconds: float, variation: float) -> Transform:
    """Transform of the gamma distribution with this coefficient of variation, (1 + s m v²)^(−1/v²); v = 1 is
    exponential."""
    scv = variation * variation
    return lambda s: np.power(1.0 + s * mean_seconds * scv, -1.0 / scv)


def lognormal(mean_seconds: float, variation: float) -> Transform:
    """Transform of the lognormal distribution, which is what the model's CPU demands have; no closed form, so by the
    trapezoid rule over the standard normal density, which converges fast: to 1e-6 up to a variation of 5."""
    sigma = math.sqrt(math.log1p(variation * variation))
    z = np.linspace(-_REACH, _REACH, _POINTS)
    weights = np.exp(-0.5 * z * z)
    weights /= weights.sum()
    values = mean_seconds * np.exp(sigma * z - 0.5 * sigma * sigma)
    return lambda s: np.asarray(np.exp(-np.multiply.outer(s, values)) @ weights, dtype=np.complex128)


def mg1_wait_beyond(
    arrivals_per_second: float, mean_service_seconds: float, transform: Transform, seconds: float
) -> float:
    """P(wait in an M/G/1 > ``seconds``), first come first served; ``transform`` is the service time's."""
    rho = utilisation(arrivals_per_second, mean_service_seconds)
    if seconds < 0.0:
        return 1.0
    if seconds == 0.0:
        return rho
    return _clip(invert(lambda s: _beyond(arrivals_per_second, rho, transform, s), seconds))


def mg1_beyond(arrivals_per_second: float, mean_service_seconds: float, transform: Transform, seconds: float) -> float:
    """P(time in an M/G/1 > ``seconds``), first come first served; ``transform`` is the service time's."""
    rho = utilisation(arrivals_per_second, mean_service_seconds)
    if seconds <= 0.0:
        return 1.0

    def both(s: Complexes) -> Complexes:
        service = transform(s)
        return _beyond(arrivals_per_second, rho, transform, s) * service + (1.0 - service) / s

    return _clip(invert(both, seconds))


def mg1_wait_quantile_seconds(
    arrivals_per_second: float, mean_service_seconds: float, transform: Transform, q: float
) -> float:
    """The q-quantile of the wait in an M/G/1; 0 up to the level 1 − ρ of those who need not wait."""
    return quantile_of(
        lambda seconds: mg1_wait_beyond(arrivals_per_second, mean_service_seconds, transform, seconds),
        mean_service_seconds,
        q,
    )


def mg1_quantile_seconds(
    arrivals_per_second: float, mean_service_seconds: float, transform: Transform, q: float
) -> float:
    """The q-quantile of the time in an M/G/1."""
    return quantile_of(
        lambda seconds: mg1_beyond(arrivals_per_second, mean_service_seconds, transform, seconds),
        mean_service_seconds,
        q,
    )


def invert(transform: Transform, seconds: float) -> float:
    """The function of time with this transform, at ``seconds`` > 0."""
    k = np.arange(_PLAIN + _AVERAGED + 1)
    at = np.asarray((_A + 2j * math.pi * k) / (2.0 * seconds), dtype=np.complex128)
    terms = transform(at).real * np.where(k % 2, -1.0, 1.0)
    terms[0] *= 0.5
    sums = np.cumsum(terms)[_PLAIN:]
    weights = np.array([math.comb(_AVERAGED, j) for j in range(_AVERAGED + 1)]) / 2.0**_AVERAGED
    return math.exp(_A / 2.0) / seconds * float(sums @ weights)


def _beyond(arrivals_per_second: float, rho: float, transform: Transform, s: Complexes) -> Complexes:
    """Transform of P(W > t): (1 − ŵ(s)) / s with ŵ(s) = (1 − ρ) s / (s − λ (1 − b(s)))."""
    busy = arrivals_per_second * (1.0 - transform(s))
    return (rho * s - busy) / (s * (s - busy))


def _clip(probability: float) -> float:
    return min(1.0, max(0.0, probability))
