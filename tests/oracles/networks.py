"""Open Jackson networks: stations that pass customers on at random, each one in the mean as if it stood alone.

J. R. Jackson, *Networks of waiting lines*, Operations Research 5 (1957); HB 17. Exact for Poisson arrivals from outside
and exponential services, first come first served; and for any services where the station shares its c servers equally,
as `sim.reference.host` does where turns are short (Baskett, Chandy, Muntz and Palacios 1975).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tests.oracles.queues import mmc_mean_seconds
from tests.oracles.stability import UnstableError, utilisation

_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One station: what comes to it from outside, and how it serves."""

    mean_service_seconds: float
    servers: int = 1
    external_per_second: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The steady state, by station: arrivals with those passed on, visits of one customer, utilisation, mean time of
    one visit, mean number present; and the mean time of a customer from outside until it leaves."""

    arrivals_per_second: tuple[float, ...]
    visits: tuple[float, ...]
    utilisation: tuple[float, ...]
    mean_seconds: tuple[float, ...]
    mean_count: tuple[float, ...]
    end_to_end_mean_seconds: float


def jackson(nodes: Sequence[Node], routing: npt.ArrayLike) -> Network:
    """Solve the traffic equations λ = γ + Pᵀ λ; ``routing[i][j]`` is the probability to go from i to j next, what is
    missing to 1 in a row that of leaving. Raises UnstableError with the first station that is overloaded, by number,
    and ValueError where customers never leave."""
    passing = np.asarray(routing, dtype=np.float64)
    if passing.shape != (len(nodes), len(nodes)) or not len(nodes):
        raise ValueError(
            f"routing of shape {passing.shape}: expected a row and a column for each of {len(nodes)} nodes"
        )
    if (passing < 0.0).any() or (passing.sum(axis=1) > 1.0 + _SLACK).any():
        raise ValueError("routing: expected probabilities that add up to 1 at most in each row")
    if np.abs(np.linalg.eigvals(passing)).max() >= 1.0 - _SLACK:
        raise ValueError("routing: some customers never leave")
    external = np.array([node.external_per_second for node in nodes])
    if (external < 0.0).any() or not external.sum() > 0.0:
        raise ValueError("arrivals from outside: expected rates of at least 0, one of them above")
    rates = np.maximum(0.0, np.linalg.solve(np.eye(len(nodes)) - passing.T, external)).tolist()
    rhos, means = [], []
    for number, (node, rate) in enumerate(zip(nodes, rates, strict=True)):
        try:
            rhos.append(utilisation(rate, node.mean_service_seconds, node.servers))
        except UnstableError as unstable:
            raise UnstableError(f"node {number}: {unstable}") from None
        means.append(mmc_mean_seconds(rate, node.mean_service_seconds, node.servers))
    counts = [rate * mean for rate, mean in zip(rates, means, strict=True)]
    total = float(external.sum())
    return Network(
        arrivals_per_second=tuple(rates),
        visits=tuple(rate / total for rate in rates),
        utilisation=tuple(rhos),
        mean_seconds=tuple(means),
        mean_count=tuple(counts),
        end_to_end_mean_seconds=sum(counts) / total,
    )
