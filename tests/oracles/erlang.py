"""Erlang's two formulas, and their inverses: how many servers a bound needs.

A. K. Erlang, *Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges* (1917). B holds for any distribution of the service time (M/G/c/c), C for exponential ones. ``offered`` is
the load a = λs in erlangs, that is, the mean number of busy servers if there were enough.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.oracles.stability import UnstableError


def erlang_b(offered: float, servers: int) -> float:
    """Probability that all of ``servers`` are busy in M/G/c/c, by the stable recursion (HB 15)."""
    if offered < 0 or servers < 0:
        raise ValueError("offered load and servers are at least 0")
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked


def erlang_c(offered: float, servers: int) -> float:
    """Probability that an arrival waits in M/M/c (HB 14.4)."""
    if offered >= servers:
        raise UnstableError(f"offered load {offered:.3g} on {servers} servers: expected less")
    return _waits(offered, servers, erlang_b(offered, servers))


def servers_for_blocking(offered: float, blocked_max: float) -> int:
    """Least servers of which all are busy with probability ``blocked_max`` at most (M/G/c/c); work O(answer)."""
    _check_bound(blocked_max)
    return next(servers for servers, blocked in _blocking(offered) if blocked <= blocked_max)


def servers_for_waiting(offered: float, waits_max: float) -> int:
    """Least servers on which an arrival waits with probability ``waits_max`` at most (M/M/c); work O(answer)."""
    _check_bound(waits_max)
    return next(
        servers
        for servers, blocked in _blocking(offered)
        if offered < servers and _waits(offered, servers, blocked) <= waits_max
    )


def offered_for_blocking(servers: int, blocked_max: float) -> float:
    """Most erlangs that ``servers`` carry with blocking of ``blocked_max`` at most, as traffic tables list it."""
    from scipy import optimize

    _check_bound(blocked_max)
    if servers < 1:
        raise ValueError("servers are at least 1")
    # B(a, c) >= 1 - c/a, for no more than c erlangs can be carried: the root lies below c / (1 - blocked_max)
    high = servers / (1.0 - blocked_max)
    return float(optimize.brentq(lambda offered: erlang_b(offered, servers) - blocked_max, 0.0, high, xtol=1e-12))


def _blocking(offered: float) -> Iterator[tuple[int, float]]:
    """(1, B(a, 1)), (2, B(a, 2)), …"""
    if offered < 0:
        raise ValueError("the offered load is at least 0")
    blocked, servers = 1.0, 0
    while True:
        servers += 1
        blocked = offered * blocked / (servers + offered * blocked)
        yield servers, blocked


def _waits(offered: float, servers: int, blocked: float) -> float:
    return blocked / (1.0 - offered / servers * (1.0 - blocked))


def _check_bound(probability: float) -> None:
    if not 0.0 < probability < 1.0:
        raise ValueError(f"bound {probability}: expected a probability between 0 and 1")
