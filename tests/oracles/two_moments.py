"""G/G/c from two moments: approximations, for a first answer where no exact form exists, and one bound.

An arrival stream is known by its rate and the squared coefficient of variation (scv) of its gaps, a service by its mean
and scv. Exact for M/M/c and, in the mean, for M/G/1; elsewhere within some per cent where the variations are about 1,
and within some tens where they are far from it. Never an oracle.

Sources: A. O. Allen, *Probability, Statistics and Queueing Theory* (1990), 5.3; J. F. C. Kingman, *The single server
queue in heavy traffic* (1961); W. Whitt, *The Queueing Network Analyzer*, Bell System Technical Journal 62 (1983): QNA.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracles.erlang import erlang_c
from tests.oracles.stability import check_level, utilisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One station of a tandem; ``service_scv`` is the squared coefficient of variation of its service time."""

    mean_service_seconds: float
    service_scv: float = 1.0
    servers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What a stream does to one stage: mean wait and mean time there, and the scv of the gaps it leaves with."""

    wait_seconds: float
    mean_seconds: float
    departures_scv: float


def kingman_wait_max_seconds(
    arrivals_per_second: float, mean_service_seconds: float, *, arrivals_scv: float, service_scv: float
) -> float:
    """Upper bound of the mean wait in a G/G/1: λ (σa² + σs²) / (2 (1 − ρ)) (Kingman 1962); tight as ρ goes to 1."""
    rho = utilisation(arrivals_per_second, mean_service_seconds)
    if not arrivals_per_second:
        return 0.0
    variances = arrivals_scv / arrivals_per_second**2 + service_scv * mean_service_seconds**2
    return arrivals_per_second * variances / (2.0 * (1.0 - rho))


def wait_seconds(
    arrivals_per_second: float,
    mean_service_seconds: float,
    servers: int = 1,
    *,
    arrivals_scv: float,
    service_scv: float,
) -> float:
    """Approximate mean wait in a G/G/c: that of the M/M/c times (ca² + cs²) / 2 (Allen and Cunneen).

    For one server and arrivals smoother than Poisson also times the factor of Krämer and Langenbach-Belz, as QNA (44).
    """
    rho = utilisation(arrivals_per_second, mean_service_seconds, servers)
    if not rho:
        return 0.0
    offered = arrivals_per_second * mean_service_seconds
    poisson = erlang_c(offered, servers) * mean_service_seconds / (servers - offered)
    variation = arrivals_scv + service_scv
    smoother = 1.0
    if servers == 1 and arrivals_scv < 1.0:
        if not variation:
            return 0.0
        smoother = math.exp(-2.0 * (1.0 - rho) * (1.0 - arrivals_scv) ** 2 / (3.0 * rho * variation))
    return poisson * variation / 2.0 * smoother


def wait_quantile_seconds(
    arrivals_per_second: float,
    mean_service_seconds: float,
    servers: int = 1,
    *,
    arrivals_scv: float,
    service_scv: float,
    q: float,
) -> float:
    """Approximate q-quantile of the wait: it is 0, or exponential with Erlang's probability C and the mean of
    `wait_seconds` in all (the simplest of W. Whitt, *Approximations for the GI/G/m queue*, 1993). Exact for M/M/c."""
    check_level(q)
    utilisation(arrivals_per_second, mean_service_seconds, servers)
    waits = erlang_c(arrivals_per_second * mean_service_seconds, servers)
    if 1.0 - q >= waits:
        return 0.0
    mean = wait_seconds(
        arrivals_per_second, mean_service_seconds, servers, arrivals_scv=arrivals_scv, service_scv=service_scv
    )
    return mean / waits * math.log(waits / (1.0 - q))


def departures_scv(rho: float, servers: int = 1, *, arrivals_scv: float, service_scv: float) -> float:
    """Approximate scv of the gaps between departures: 1 + (1 − ρ²)(ca² − 1) + ρ² (cs² − 1) / √c (QNA (39), without its
    floor under cs²). An idle station passes its arrivals on, a busy one its services."""
    return 1.0 + (1.0 - rho**2) * (arrivals_scv - 1.0) + rho**2 * (service_scv - 1.0) / math.sqrt(servers)


def tandem(arrivals_per_second: float, stages: Sequence[Stage], *, arrivals_scv: float = 1.0) -> tuple[Passage, ...]:
    """Approximate passage of one stream through stages in series: each is a G/G/c fed by the departures before it."""
    passages = []
    scv = arrivals_scv
    for stage in stages:
        wait = wait_seconds(
            arrivals_per_second,
            stage.mean_service_seconds,
            stage.servers,
            arrivals_scv=scv,
            service_scv=stage.service_scv,
        )
        rho = utilisation(arrivals_per_second, stage.mean_service_seconds, stage.servers)
        scv = departures_scv(rho, stage.servers, arrivals_scv=scv, service_scv=stage.service_scv)
        passages.append(Passage(wait_seconds=wait, mean_seconds=wait + stage.mean_service_seconds, departures_scv=scv))
    return tuple(passages)
