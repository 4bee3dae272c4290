"""What queueing theory knows: exact forms as oracles for the engines, and approximations, named as such, for first
answers.

Rooms: `queues` (one station), `erlang` (servers for a bound), `tails` (distributions of waits), `networks` (Jackson),
`two_moments` (G/G/c, approximate), `tandem` and `forkjoin` (sample paths from given arrivals and services, and means),
`caches` (LRU and TTL), `batches` (an interval from one long run), `replay` (look-ups of the compiled engine's caches
alone). Symbols: arrival rate λ and service rate μ per second and server, mean service time s, c servers, offered load
a = λs, utilisation ρ = a/c, v a coefficient of variation and v² its square (scv).

Sources used in all rooms: L. Kleinrock, *Queueing Systems* I (1975); M. Harchol-Balter, *Performance Modeling and
Design of Computer Systems* (2013), chapter numbers as HB. Where there is no steady state, UnstableError is raised.
"""

from __future__ import annotations

from tests.oracles.erlang import erlang_b, erlang_c
from tests.oracles.queues import (
    md1_mean_seconds,
    mg1_mean_seconds,
    mg1_ps_conditional_seconds,
    mg1_ps_mean_seconds,
    mm1_mean_seconds,
    mm1_quantile_seconds,
    mmc_beyond,
    mmc_mean_seconds,
    mmc_quantile_seconds,
)
from tests.oracles.stability import UnstableError, utilisation

__all__ = [
    "UnstableError",
    "erlang_b",
    "erlang_c",
    "md1_mean_seconds",
    "mg1_mean_seconds",
    "mg1_ps_conditional_seconds",
    "mg1_ps_mean_seconds",
    "mm1_mean_seconds",
    "mm1_quantile_seconds",
    "mmc_beyond",
    "mmc_mean_seconds",
    "mmc_quantile_seconds",
    "utilisation",
]
