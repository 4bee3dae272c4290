"""Sample paths of first come, first served stations: when each customer leaves, from given arrivals and services.

No distribution is assumed, so these are oracles customer by customer: an engine that is fed the same numbers must give
the same times up to rounding. Independent of the engines on purpose: no events and no clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def departures(arrivals_seconds: npt.ArrayLike, services_seconds: npt.ArrayLike, servers: int = 1) -> Floats:
    """Departure of every customer of a G/G/c; arrivals in any order, those of one time served in that of the array.

    One server: D = max(A, D before) + S, unrolled to C + running maximum of A − (C − S), C the running sum of S (D. V.
    Lindley, *The theory of queues with a single server*, 1952). Several: each customer takes the server that is free
    first (J. Kiefer and J. Wolfowitz, *On the theory of queues with many servers*, 1955).
    """
    arrivals = np.asarray(arrivals_seconds, dtype=np.float64)
    services = np.asarray(services_seconds, dtype=np.float64)
    if arrivals.shape != services.shape or arrivals.ndim != 1 or servers < 1:
        raise ValueError("expected a service for every arrival, and servers of at least 1")
    if (services < 0.0).any():
        raise ValueError("services are at least 0")
    order = np.argsort(arrivals, kind="stable")
    left = np.empty_like(arrivals)
    if servers == 1:
        left[order] = _lindley(arrivals[order], services[order])
    else:
        left[order] = _kiefer_wolfowitz(arrivals[order], services[order], servers)
    return left


def through(
    arrivals_seconds: npt.ArrayLike, services_seconds: npt.ArrayLike, servers: Sequence[int] | None = None
) -> Floats:
    """Departures of every customer (columns) from every stage (rows) of a tandem; ``services_seconds`` has its shape,
    ``servers`` are those of each stage, 1 unless said. Customers may overtake each other where there are several."""
    services = np.atleast_2d(np.asarray(services_seconds, dtype=np.float64))
    left = np.empty_like(services)
    at = np.asarray(arrivals_seconds, dtype=np.float64)
    for stage, (needs, count) in enumerate(zip(services, servers or [1] * len(services), strict=True)):
        at = left[stage] = departures(at, needs, count)
    return left


def _lindley(arrivals: Floats, services: Floats) -> Floats:
    done = np.cumsum(services)
    return np.asarray(done + np.maximum.accumulate(arrivals - (done - services)), dtype=np.float64)


def _kiefer_wolfowitz(arrivals: Floats, services: Floats, servers: int) -> Floats:
    free = [-np.inf] * servers
    left = []
    for arrival, service in zip(arrivals.tolist(), services.tolist(), strict=True):
        end = max(arrival, free[0]) + service
        heapq.heapreplace(free, end)
        left.append(end)
    return np.array(left, dtype=np.float64)
