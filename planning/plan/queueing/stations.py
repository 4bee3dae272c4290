"""Waiting at a station, as cumulants; arrays of one entry for each case looked at.

`Loop` is an event loop or a single-threaded server, first come first served, to which a request comes back for every
piece of its work. `Shared` is a server with many threads on c cores: processor sharing.

**A loop that a request comes back to at once** is no M/G/1: at the tail of the queue it meets those that came while it
was served, and it meets again those that were before it, so it shares the loop with them almost as under processor
sharing. To first order in the load the wait that one job causes another is exact: the residual of the piece in service,
its further pieces for as long as both are there, and the first pieces of jobs that come meanwhile. That, over 1 − ρ, is
the mean wait; it is Pollaczek and Khinchine's formula for jobs of one piece, and within 4 % of a simulated loop for up
to eight pieces and ρ ≤ 0.9. The wait is zero if a job meets no other, and otherwise exponential. Where a request is
long elsewhere between its pieces they are nearer to independent visits, and this errs towards the slow side.

**Several loops behind one balancer that sends to the one with least under way** hardly wait: with k of them the wait is
C/ρ of one's, C Erlang's probability that all are busy, and where that is often, 1/(k √(C/ρ)) of it, as then the k
share their queues; a job meets somebody in C/ρ times as many cases. **With g balancers, each of which knows its own
jobs alone**, a share h of the wait of chance is left beyond that, with h/(1 − h) = (g − 1)^(1 − ρ/4) (1 − ρ)/(1 + ρ):
zero for one, all of it for many, and less where each has jobs of its own at every loop; it meets somebody as often as
by chance, but hardly ever many. Both were fitted to simulated loops (k and g up to 50, ρ of 0.2 to 0.9): the mean wait
within a tenth of the wait of chance, the 95 % quantile of the time in them within 15 %.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from planning.plan.queueing.distributions import Cumulants, Floats, nothing, of_raw


@dataclass(frozen=True, slots=True)
class Piece:
    """One turn at a loop: mean seconds and coefficient of variation."""

    seconds: float
    variation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRoute:
    """A job's pieces in order. If it ``returns``, the next piece follows at once; otherwise visits are far apart."""

    pieces: tuple[Piece, ...]
    returns: bool = True

    @property
    def seconds(self) -> float:
        """All of its work."""
        return sum(piece.seconds for piece in self.pieces)


@lru_cache(maxsize=65_536)
def interference_seconds2(route: JobRoute, other: JobRoute) -> tuple[float, float]:
    """Wait of a job of ``route`` for jobs of ``other`` that come once a second, to first order in the rate: what grows
    with the square of the other's length, and what grows with both lengths."""
    residual = sum(piece.seconds**2 * (1.0 + piece.variation**2) / 2.0 for piece in other.pieces)
    turns = len(route.pieces)
    if not route.returns:
        return turns * residual, 0.0
    theirs = [piece.seconds for piece in other.pieces]
    if other.returns:
        ahead = sum(
            theirs[at] * sum(theirs[at + 1 : at + turns]) for at in range(len(theirs))
        )  # the one found in service comes round with the rest of its pieces
        behind = sum(piece.seconds * sum(theirs[: turns - 1 - at]) for at, piece in enumerate(route.pieces[:-1]))
    else:
        ahead = 0.0
        behind = sum(piece.seconds * sum(theirs) for piece in route.pieces[:-1])
    return residual + ahead, behind


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteArrivals:
    """Jobs of one route that come to one instance, a second; their pieces are ``work_factor`` times as long as said."""

    route: JobRoute
    per_second: Floats
    work_factor: Floats = field(default_factory=lambda: np.ones(1))

    @property
    def busy(self) -> Floats:
        """Share of one calibrated loop that they take."""
        return np.asarray(self.per_second * self.route.seconds * self.work_factor, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One worker on a core of its own. ``scale`` is how much longer than said every piece takes here (a slower core,
    more work); ``threaded`` is the share of the core that threads beside the loop take."""

    arrivals: tuple[RouteArrivals, ...]
    threaded: Floats
    scale: Floats
    mates: Floats = field(default_factory=lambda: np.ones(1))  # loops among which a balancer chooses, itself included
    balancers: Floats = field(default_factory=lambda: np.ones(1))  # each of which knows its own jobs

    @property
    def utilisation(self) -> Floats:
        """Share of time in which its core is busy."""
        return self._own() + self.threaded

    def wait(self, route: JobRoute, work_factor: Floats | float = 1.0) -> Cumulants:
        """All waits of one job together, whose own pieces are so much longer than said; infinite where there is no
        steady state."""
        if not route.pieces:
            return nothing()
        slow = self.slowed()
        busy = self._own() * slow
        idle = np.where(busy < 1.0, 1.0 - busy, np.nan)
        total = np.zeros(1)
        for each in self.arrivals:
            theirs, both = interference_seconds2(route, each.route)
            total = total + each.per_second * each.work_factor * (theirs * each.work_factor + both * work_factor)
        mean = total * (slow * self.scale) ** 2 / idle
        if not route.returns:
            turns = len(route.pieces)
            one = _met(mean / turns, np.maximum(busy, 1e-12))
            return Cumulants(mean=one.mean * turns, variance=one.variance * turns, third=one.third * turns)
        met = 1.0 - (1.0 - busy) * np.exp(-busy * self._overlap(route, work_factor))
        if np.any(self.mates > 1.0):
            mean, met = self._balanced(mean, met, np.minimum(busy, 1.0 - 1e-9))
        return _met(mean, np.maximum(met, 1e-12))

    def _balanced(self, mean: Floats, met: Floats, busy: Floats) -> tuple[Floats, Floats]:
        """Mean wait and how often there is one where balancers choose, from those of a loop chosen by chance."""
        crowded = crowded_ratio(busy, self.mates)
        known = crowded * np.minimum(1.0, 1.0 / (self.mates * np.sqrt(np.maximum(crowded, 1e-300))))
        blind = blind_ratio(busy, self.balancers)
        # a wait spread over more jobs than under random choice varies less than an exponential one
        several = np.clip(np.minimum(self.balancers, self.mates) - 1.0, 0.0, 1.0)
        often = met * (crowded + (1.0 + busy / 4.0 - crowded) * several)
        return np.asarray(mean * (known + (1.0 - known) * blind)), np.asarray(often)

    def slowed(self) -> Floats:
        """How much longer a piece takes because threads share the core: 1 / (1 − their share)."""
        return np.asarray(1.0 / np.maximum(1.0 - self.threaded, 1e-9), dtype=np.float64)

    def _own(self) -> Floats:
        total = np.zeros(1)
        for each in self.arrivals:
            total = total + each.busy
        return total * self.scale

    def _overlap(self, route: JobRoute, work_factor: Floats | float) -> Floats:
        """A job's service before its last piece, in which a newcomer gets before it, over the size of a usual job."""
        work, square = np.zeros(1), np.zeros(1)
        for each in self.arrivals:
            work = work + each.busy
            square = square + each.busy * each.route.seconds * each.work_factor
        usual = np.where(work > 0.0, square / np.maximum(work, 1e-300), 1.0)
        before = (route.seconds - route.pieces[-1].seconds) * work_factor
        return np.asarray(before / np.maximum(usual, 1e-300), dtype=np.float64)


def _met(mean: Floats, chance: Floats) -> Cumulants:
    """Zero, or with probability ``chance`` exponential, with the mean ``mean``."""
    found = of_raw(mean, 2.0 * mean**2 / chance, 6.0 * mean**3 / chance**2)
    return Cumulants(mean=_or_never(found.mean), variance=_or_never(found.variance), third=_or_never(found.third))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Many threads on ``cores`` cores, ``offered`` of which are busy in the mean."""

    offered: Floats
    cores: int

    @property
    def utilisation(self) -> Floats:
        """Share of its cores that is busy."""
        return self.offered / self.cores

    def visit(self, seconds: Floats, variation: float) -> Cumulants:
        """Time of a job of lognormal length x: x (1 + Y), where Y is 0, or with Erlang's C exponential of mean
        1/(c − a), so that the mean is the exact x (1 + C/(c − a)), whatever the distribution of x."""
        spread = 1.0 + variation**2
        crowded = erlang_c(self.offered, self.cores)
        free = np.where(self.offered < self.cores, self.cores - self.offered, np.nan)
        y1, y2, y3 = crowded / free, 2.0 * crowded / free**2, 6.0 * crowded / free**3
        found = of_raw(
            seconds * (1.0 + y1),
            seconds**2 * spread * (1.0 + 2.0 * y1 + y2),
            seconds**3 * spread**3 * (1.0 + 3.0 * y1 + 3.0 * y2 + y3),
        )
        return Cumulants(mean=_or_never(found.mean), variance=_or_never(found.variance), third=_or_never(found.third))


def crowded_ratio(busy: Floats, servers: Floats) -> Floats:
    """Erlang's C over ρ, for numbers of servers that need not be whole: B by the incomplete gamma function."""
    from scipy import special  # slow to import

    offered = np.maximum(busy * servers, 1e-12)
    log = servers * np.log(offered) - offered - special.gammaln(servers + 1.0)
    blocked = np.exp(log) / np.maximum(special.gammaincc(servers + 1.0, offered), 1e-300)
    waits = blocked / np.maximum(1.0 - busy * (1.0 - blocked), 1e-300)
    return np.asarray(np.clip(waits / np.maximum(busy, 1e-12), 0.0, 1.0), dtype=np.float64)


def blind_ratio(busy: Floats, balancers: Floats) -> Floats:
    """Share of the wait under random choice that remains because each balancer knows only its own jobs; a fit, see
    above."""
    odds = np.maximum(balancers - 1.0, 0.0) ** (1.0 - busy / 4.0) * (1.0 - busy) / (1.0 + busy)
    return np.asarray(odds / (1.0 + odds), dtype=np.float64)


def erlang_c(offered: Floats, servers: int) -> Floats:
    """Probability that an arrival waits in M/M/c, for many loads at once; 1 where there is no steady state
    (`tests.oracles.erlang_c` is the same for one load)."""
    blocked = np.ones_like(offered)
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    ratio = np.minimum(offered / servers, 1.0)
    return np.asarray(blocked / np.maximum(1.0 - ratio * (1.0 - blocked), 1e-300), dtype=np.float64)


def _or_never(values: Floats) -> Floats:
    return np.where(np.isnan(values), np.inf, values)
