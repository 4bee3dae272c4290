"""Fork and join: a customer has one task at each of n stations and leaves when the last of them is done.

Each station is an M/M/1 of its own; all see the same arrivals, so their waits are dependent, and the exact mean is
known for two only. s is the mean service of one task, λ the rate of customers, μ = 1/s, H_n the n-th harmonic number.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from tests.oracles.queues import mm1_mean_seconds
from tests.oracles.stability import utilisation
from tests.oracles.tandem import departures

Floats = npt.NDArray[np.float64]

#: Up to so many branches the approximation was compared with simulations.
BRANCHES_MAX: Final = 32


def pair_mean_seconds(arrivals_per_second: float, mean_service_seconds: float) -> float:
    """Exact mean of two branches: (12 − ρ) / 8 times that of the M/M/1 (L. Flatto and S. Hahn, *Two parallel queues
    created by arrivals with two demands*, 1984; R. Nelson and A. Tantawi 1988)."""
    rho = utilisation(arrivals_per_second, mean_service_seconds)
    return (12.0 - rho) / 8.0 * mm1_mean_seconds(arrivals_per_second, mean_service_seconds)


def mean_seconds(arrivals_per_second: float, mean_service_seconds: float, branches: int) -> float:
    """Mean of 2 to 32 branches, approximate (error below 5 %), exact for two: R₂ (H_n/H₂ + 4ρ/11 (1 − H_n/H₂)).

    R. Nelson and A. N. Tantawi, *Approximate analysis of fork/join synchronization in parallel queues*, IEEE
    Transactions on Computers 37 (1988).
    """
    if not 2 <= branches <= BRANCHES_MAX:
        raise ValueError(
            f"{branches} branches: the approximation is for 2 to {BRANCHES_MAX}; beyond, see bounds_seconds"
        )
    rho = utilisation(arrivals_per_second, mean_service_seconds)
    growth = harmonic(branches) / harmonic(2)
    pair = pair_mean_seconds(arrivals_per_second, mean_service_seconds)
    return pair * (growth + 4.0 * rho / 11.0 * (1.0 - growth))


def bounds_seconds(arrivals_per_second: float, mean_service_seconds: float, branches: int) -> tuple[float, float]:
    """Least and greatest that the mean can be, for any number of branches.

    Above: branches that are independent M/M/1 with the same times, H_n / (μ − λ). Below: constant gaps between arrivals
    leave the branches independent and wait less: H_n times the mean of a D/M/1, or the single M/M/1's mean if that is
    more. F. Baccelli, A. M. Makowski and A. Shwartz, *The fork-join queue and related systems with synchronization
    constraints: stochastic ordering and computable bounds*, Advances in Applied Probability 21 (1989).
    """
    if branches < 1:
        raise ValueError("branches are at least 1")
    alone = mm1_mean_seconds(arrivals_per_second, mean_service_seconds)
    waits = _dm1_waits(arrivals_per_second * mean_service_seconds)
    even = harmonic(branches) * mean_service_seconds / (1.0 - waits)
    return max(alone, even), harmonic(branches) * alone


def completions(arrivals_seconds: npt.ArrayLike, services_seconds: npt.ArrayLike) -> Floats:
    """Sample path: when the last task of each customer is done; ``services_seconds`` has a row for each branch."""
    services = np.atleast_2d(np.asarray(services_seconds, dtype=np.float64))
    return np.asarray(np.max([departures(arrivals_seconds, branch) for branch in services], axis=0), dtype=np.float64)


def harmonic(count: int) -> float:
    """1 + 1/2 + … + 1/``count``."""
    return math.fsum(1.0 / number for number in range(1, count + 1))


def _dm1_waits(rho: float) -> float:
    """Probability that an arrival waits in a D/M/1: the root below 1 of σ = e^(−(1 − σ)/ρ) (Kleinrock 6.4)."""
    from scipy import optimize

    if rho < 1e-3:  # e^(−1/ρ) is zero
        return 0.0
    return float(optimize.brentq(lambda x: x - math.exp(-(1.0 - x) / rho), 0.0, 1.0 - rho * (1.0 - rho), xtol=1e-15))
