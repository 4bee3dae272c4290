"""Closed forms: what queueing theory knows exactly, as oracles for the engines and first answers for the planner.

Symbols: arrival rate λ and service rate μ per second and server, c servers, offered load a = λ/μ, utilisation ρ = a/c.
Sources: L. Kleinrock, *Queueing Systems* I (1975); M. Harchol-Balter, *Performance Modeling and Design of Computer
Systems* (2013), chapter numbers as HB. Every function raises Unstable where there is no steady state.
"""

from __future__ import annotations

import math


class UnstableError(ValueError):
    """No steady state: more work arrives than can be done."""


def utilisation(arrivals_per_second: float, mean_service_seconds: float, servers: int = 1) -> float:
    """ρ = λ s / c; raises UnstableError at 1 and above."""
    if arrivals_per_second < 0 or mean_service_seconds < 0 or servers < 1:
        raise ValueError("rates and times are at least 0, servers at least 1")
    rho = arrivals_per_second * mean_service_seconds / servers
    if rho >= 1.0:
        raise UnstableError(f"utilisation {rho:.3g}: expected below 1")
    return rho


def erlang_b(offered: float, servers: int) -> float:
    """Probability that all of ``servers`` are busy in M/G/c/c, by the stable recursion (HB 15; Erlang 1917)."""
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked


def erlang_c(offered: float, servers: int) -> float:
    """Probability that an arrival waits in M/M/c (HB 14.4)."""
    if offered >= servers:
        raise UnstableError(f"offered load {offered:.3g} on {servers} servers: expected less")
    blocked = erlang_b(offered, servers)
    return blocked / (1.0 - offered / servers * (1.0 - blocked))


def mm1_mean_seconds(arrivals_per_second: float, mean_service_seconds: float) -> float:
    """Mean time in an M/M/1: s / (1 − ρ) (HB 13)."""
    return mean_service_seconds / (1.0 - utilisation(arrivals_per_second, mean_service_seconds))


def mm1_quantile_seconds(arrivals_per_second: float, mean_service_seconds: float, q: float) -> float:
    """The q-quantile of the time in an M/M/1, which is exponential."""
    return -math.log1p(-q) * mm1_mean_seconds(arrivals_per_second, mean_service_seconds)


def mmc_mean_seconds(arrivals_per_second: float, mean_service_seconds: float, servers: int) -> float:
    """Mean time in an M/M/c: s + C(c, a) s / (c − a) (HB 14.4)."""
    utilisation(arrivals_per_second, mean_service_seconds, servers)
    offered = arrivals_per_second * mean_service_seconds
    return mean_service_seconds * (1.0 + erlang_c(offered, servers) / (servers - offered))


def mmc_beyond(arrivals_per_second: float, mean_service_seconds: float, servers: int, seconds: float) -> float:
    """P(time in an M/M/c > ``seconds``): the wait is 0, or exponential of rate cμ − λ with probability C(c, a)."""
    utilisation(arrivals_per_second, mean_service_seconds, servers)
    mu = 1.0 / mean_service_seconds
    waits = erlang_c(arrivals_per_second * mean_service_seconds, servers)
    drain = servers * mu - arrivals_per_second
    if math.isclose(drain, mu, rel_tol=1e-9):  # wait and service of one rate: their sum is of Erlang's kind
        return math.exp(-mu * seconds) * (1.0 + waits * mu * seconds)
    later = (drain * math.exp(-mu * seconds) - mu * math.exp(-drain * seconds)) / (drain - mu)
    return (1.0 - waits) * math.exp(-mu * seconds) + waits * later


def mmc_quantile_seconds(arrivals_per_second: float, mean_service_seconds: float, servers: int, q: float) -> float:
    """The q-quantile of the time in an M/M/c, by bisection of `mmc_beyond`."""
    low, high = 0.0, mean_service_seconds
    while mmc_beyond(arrivals_per_second, mean_service_seconds, servers, high) > 1.0 - q:
        high *= 2.0
    for _ in range(200):
        middle = (low + high) / 2.0
        if mmc_beyond(arrivals_per_second, mean_service_seconds, servers, middle) > 1.0 - q:
            low = middle
        else:
            high = middle
    return high


def mg1_mean_seconds(arrivals_per_second: float, mean_service_seconds: float, variation: float) -> float:
    """Mean time in an M/G/1, first come first served: s + ρ s (1 + v²) / (2 (1 − ρ)), v the coefficient of variation of
    the service time (Pollaczek and Khinchine; HB 23)."""
    rho = utilisation(arrivals_per_second, mean_service_seconds)
    return mean_service_seconds * (1.0 + rho * (1.0 + variation**2) / (2.0 * (1.0 - rho)))


def md1_mean_seconds(arrivals_per_second: float, service_seconds: float) -> float:
    """Mean time in an M/D/1: `mg1_mean_seconds` without variation."""
    return mg1_mean_seconds(arrivals_per_second, service_seconds, 0.0)


def mg1_ps_mean_seconds(arrivals_per_second: float, mean_service_seconds: float) -> float:
    """Mean time in an M/G/1 under processor sharing: s / (1 − ρ), whatever the distribution (HB 30)."""
    return mm1_mean_seconds(arrivals_per_second, mean_service_seconds)


def mg1_ps_conditional_seconds(arrivals_per_second: float, mean_service_seconds: float, job_seconds: float) -> float:
    """Mean time under processor sharing of a job that needs ``job_seconds``: x / (1 − ρ) (HB 30)."""
    return job_seconds / (1.0 - utilisation(arrivals_per_second, mean_service_seconds))
