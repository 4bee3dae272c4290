"""One station: exact means and distributions of Kendall's queues.

Times are in the system, waiting and service together, unless a name says ``wait``. First come first served, but for
``ps``: processor sharing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tests.oracles.erlang import erlang_c
from tests.oracles.stability import check_level, utilisation

Floats = npt.NDArray[np.float64]


def mm1_mean_seconds(arrivals_per_second: float, mean_service_seconds: float) -> float:
    """Mean time in an M/M/1: s / (1 − ρ) (HB 13)."""
    return mean_service_seconds / (1.0 - utilisation(arrivals_per_second, mean_service_seconds))


def mm1_quantile_seconds(arrivals_per_second: float, mean_service_seconds: float, q: float) -> float:
    """The q-quantile of the time in an M/M/1, which is exponential."""
    check_level(q)
    return -math.log1p(-q) * mm1_mean_seconds(arrivals_per_second, mean_service_seconds)


def mmc_mean_seconds(arrivals_per_second: float, mean_service_seconds: float, servers: int) -> float:
    """Mean time in an M/M/c: s + C(c, a) s / (c − a) (HB 14.4)."""
    utilisation(arrivals_per_second, mean_service_seconds, servers)
    offered = arrivals_per_second * mean_service_seconds
    return mean_service_seconds * (1.0 + erlang_c(offered, servers) / (servers - offered))


def mmc_wait_beyond(arrivals_per_second: float, mean_service_seconds: float, servers: int, seconds: float) -> float:
    """P(wait in an M/M/c > ``seconds``): C(c, a) e^(−(cμ − λ) t) (HB 14.4)."""
    utilisation(arrivals_per_second, mean_service_seconds, servers)
    drain = servers / mean_service_seconds - arrivals_per_second
    return erlang_c(arrivals_per_second * mean_service_seconds, servers) * math.exp(-drain * seconds)


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
    """The q-quantile of the time in an M/M/c, the root of `mmc_beyond`."""
    return quantile_of(
        lambda seconds: mmc_beyond(arrivals_per_second, mean_service_seconds, servers, seconds), mean_service_seconds, q
    )


def servers_for_quantile(arrivals_per_second: float, mean_service_seconds: float, q: float, seconds_max: float) -> int:
    """Least servers with which the q-quantile of the time in an M/M/c is ``seconds_max`` at most, by bisection.

    Raises ValueError where the service alone takes longer than that.
    """
    check_level(q)
    if -math.log1p(-q) * mean_service_seconds >= seconds_max:
        raise ValueError(f"the service alone has a quantile of {-math.log1p(-q) * mean_service_seconds:.3g} s")
    few = math.floor(arrivals_per_second * mean_service_seconds)  # so many are too few
    many, step = few + 1, 1

    def enough(servers: int) -> bool:
        return mmc_beyond(arrivals_per_second, mean_service_seconds, servers, seconds_max) <= 1.0 - q

    while not enough(many):
        few, many, step = many, many + step, 2 * step
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many


def mg1_mean_seconds(arrivals_per_second: float, mean_service_seconds: float, variation: float) -> float:
    """Mean time in an M/G/1, first come first served: s + ρ s (1 + v²) / (2 (1 − ρ)), v the coefficient of variation of
    the service time (Pollaczek and Khinchine; HB 23). Its distribution: `tails`."""
    rho = utilisation(arrivals_per_second, mean_service_seconds)
    return mean_service_seconds * (1.0 + rho * (1.0 + variation**2) / (2.0 * (1.0 - rho)))


def md1_mean_seconds(arrivals_per_second: float, service_seconds: float) -> float:
    """Mean time in an M/D/1: `mg1_mean_seconds` without variation."""
    return mg1_mean_seconds(arrivals_per_second, service_seconds, 0.0)


def md1_wait_beyond(arrivals_per_second: float, service_seconds: float, seconds: float) -> float:
    """P(wait in an M/D/1 > ``seconds``), absolute error about 1e-13.

    Who arrives waits no longer than kD − u exactly if at most so many wait before it as leave the queue in time, less
    those who come in u: a sum of positive terms over the queue length's distribution, where Erlang's own formula (1909)
    alternates in sign. G. J. Franx, *A simple solution for the M/D/c waiting time distribution*, Operations Research
    Letters 29 (2001), for c = 1.
    """
    utilisation(arrivals_per_second, service_seconds)
    if seconds < 0.0:
        return 1.0
    if service_seconds == 0.0:
        return 0.0
    terms = math.floor(seconds / service_seconds) + 1
    at_most = np.cumsum(_md1_count_ratios(arrivals_per_second * service_seconds, terms))[1:]
    coming = _poisson(arrivals_per_second * (terms * service_seconds - seconds), terms)
    return max(0.0, 1.0 - float(at_most[::-1] @ coming))


def md1_wait_quantile_seconds(arrivals_per_second: float, service_seconds: float, q: float) -> float:
    """The q-quantile of the wait in an M/D/1; 0 up to the level 1 − ρ of those who need not wait."""
    return quantile_of(
        lambda seconds: md1_wait_beyond(arrivals_per_second, service_seconds, seconds), service_seconds, q
    )


def md1_quantile_seconds(arrivals_per_second: float, service_seconds: float, q: float) -> float:
    """The q-quantile of the time in an M/D/1: that of the wait, and the service."""
    return service_seconds + md1_wait_quantile_seconds(arrivals_per_second, service_seconds, q)


def mg1_ps_mean_seconds(arrivals_per_second: float, mean_service_seconds: float) -> float:
    """Mean time in an M/G/1 under processor sharing: s / (1 − ρ), whatever the distribution (HB 30)."""
    return mm1_mean_seconds(arrivals_per_second, mean_service_seconds)


def mg1_ps_conditional_seconds(arrivals_per_second: float, mean_service_seconds: float, job_seconds: float) -> float:
    """Mean time under processor sharing of a job that needs ``job_seconds``: x / (1 − ρ) (HB 30)."""
    return job_seconds / (1.0 - utilisation(arrivals_per_second, mean_service_seconds))


def mgc_ps_mean_seconds(arrivals_per_second: float, mean_service_seconds: float, cores: int) -> float:
    """Mean time in an M/G/c under processor sharing, where each of n jobs progresses at min(1, c/n), as on
    `sim.reference.host` where turns are short.

    That of the M/M/c, whatever the distribution (J. W. Cohen, *The multiple phase service network with generalized
    processor sharing*, Acta Informatica 12, 1979). In proportion to its length for a single job.
    """
    return mmc_mean_seconds(arrivals_per_second, mean_service_seconds, cores)


def mginf_mean_count(arrivals_per_second: float, mean_service_seconds: float) -> float:
    """Mean number in an M/G/∞, where nobody waits: λ s; the number is Poisson, whatever the distribution (HB 15)."""
    if not (arrivals_per_second >= 0 and mean_service_seconds >= 0):
        raise ValueError("rates and times are at least 0")
    return arrivals_per_second * mean_service_seconds


def mginf_count_quantile(arrivals_per_second: float, mean_service_seconds: float, q: float) -> int:
    """Least number that is not exceeded with probability ``q`` in an M/G/∞: places for work that never waits."""
    from scipy import special

    check_level(q)
    mean = mginf_mean_count(arrivals_per_second, mean_service_seconds)
    count = 0 if mean == 0.0 else max(0, math.floor(float(special.pdtrik(q, mean))) - 1)
    while float(special.pdtr(count, mean)) < q:
        count += 1
    return count


def mm1k_refused(arrivals_per_second: float, mean_service_seconds: float, places: int) -> float:
    """Share of arrivals that find an M/M/1/K full: (1 − ρ) ρ^K / (1 − ρ^(K+1)) (HB 13, Kleinrock 3.6).

    ``places`` K counts the one in service; any load has a steady state.
    """
    return mmck_refused(arrivals_per_second, mean_service_seconds, 1, places)


def mm1k_mean_seconds(arrivals_per_second: float, mean_service_seconds: float, places: int) -> float:
    """Mean time of those whom an M/M/1/K lets in."""
    return mmck_mean_seconds(arrivals_per_second, mean_service_seconds, 1, places)


def mmck_refused(arrivals_per_second: float, mean_service_seconds: float, servers: int, places: int) -> float:
    """Share of arrivals that find an M/M/c/K full, ``places`` K with those in service; K = c is Erlang's B."""
    return _mmck(arrivals_per_second, mean_service_seconds, servers, places)[0]


def mmck_mean_seconds(arrivals_per_second: float, mean_service_seconds: float, servers: int, places: int) -> float:
    """Mean time of those whom an M/M/c/K lets in (Little's law over the mean number)."""
    refused, mean_count = _mmck(arrivals_per_second, mean_service_seconds, servers, places)
    admitted = arrivals_per_second * (1.0 - refused)
    return mean_count / admitted if admitted else mean_service_seconds


def quantile_of(beyond: Callable[[float], float], scale_seconds: float, q: float) -> float:
    """Where a falling tail P(X > t) reaches 1 − q; ``scale_seconds`` > 0 is where the search begins."""
    from scipy import optimize

    check_level(q)
    high = scale_seconds
    if beyond(0.0) <= 1.0 - q:
        return 0.0
    while beyond(high) > 1.0 - q:
        high *= 2.0
    return float(optimize.brentq(lambda t: beyond(t) - (1.0 - q), 0.0, high, xtol=1e-14 * high, rtol=1e-13))


def _mmck(arrivals_per_second: float, mean_service_seconds: float, servers: int, places: int) -> tuple[float, float]:
    """(P(full), mean number), one place more at a time, as in Erlang's recursion: nothing overflows."""
    if not (arrivals_per_second >= 0 and mean_service_seconds >= 0 and 1 <= servers <= places):
        raise ValueError("rates and times are at least 0, servers at least 1, places at least the servers")
    offered = arrivals_per_second * mean_service_seconds
    full, mean_count = 1.0, 0.0
    for count in range(1, places + 1):
        ratio = offered / min(count, servers)
        full = ratio * full / (1.0 + ratio * full)
        mean_count = (1.0 - full) * mean_count + full * count
    return full, mean_count


def _md1_count_ratios(rho: float, count: int) -> Floats:
    """P(n in an M/D/1) for n = 0 … ``count``: the level crossings of the chain at departures, all terms positive."""
    arriving = _poisson(rho, count + 1)
    more = np.maximum(0.0, 1.0 - np.cumsum(arriving))  # P(more than k arrive during one service)
    held = np.zeros(count + 1)
    held[0] = 1.0 - rho
    for n in range(count):
        # upwards across n: from 0 by more than n, from i by more than n + 1 − i; downwards by nobody's coming
        upwards = held[0] * more[n] + held[1 : n + 1] @ more[n:0:-1]
        held[n + 1] = upwards / arriving[0]
    return held


def _poisson(mean: float, count: int) -> Floats:
    """P(0), …, P(``count`` − 1) of a Poisson number of small mean."""
    factors = np.full(count, mean) / np.maximum(np.arange(count), 1)
    factors[0] = math.exp(-mean)
    return np.asarray(np.cumprod(factors), dtype=np.float64)
