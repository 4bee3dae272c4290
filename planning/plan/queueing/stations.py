"""Waiting at a station, as cumulants; arrays of one entry for each case looked at.

`Loop` is an event loop or a single-threaded server, first come first served, to which a request returns for every piece
of its work. `Shared` is a server with many threads on c cores: processor sharing.

**A loop to which a request returns at once** is not an M/G/1 queue. The request goes to the end of the queue, behind
those that arrived while it was served, and meets again those that were before it; so it shares the loop with them
almost as under processor sharing. To first order in the load, the wait that one job causes another is exact: the
residual of the piece in service, its further pieces as long as both jobs are there, and the first pieces of jobs that
arrive in the meantime. That sum over 1 − ρ is the mean wait. It is Pollaczek and Khinchine's formula for jobs of one
piece, and within 4 % of a simulated loop for up to eight pieces and ρ ≤ 0.9. The wait is zero if a job meets no other
job, and otherwise exponential. If a request spends much time elsewhere between its pieces, these are closer to
independent visits, and this overestimates the wait.

**Several loops behind one balancer that chooses the one with the fewest jobs** wait little. With k loops the wait is
C/ρ of that of one loop, where C is Erlang's probability that all are busy; if all are often busy, it is 1/(k √(C/ρ)) of
that, because the k loops then share their queues. A job meets another in C/ρ times as many cases. **With g balancers,
each of which knows only its own jobs**, a share h of the wait under random choice remains in addition, with h/(1 − h) =
(g − 1)^(1 − ρ/4) (1 − ρ)/(1 + ρ): zero for one balancer, all of it for many. A job then meets others as often as under
random choice, but rarely many of them. Both formulas were fitted to simulated loops (k and g up to 50, ρ from 0.2 to
0.9): the mean wait is within a tenth of the wait under random choice, the 95 % quantile of the time within 15 %."""

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
    """Wait of a job of ``route`` for jobs of ``other`` that arrive once a second, to first order in the rate: the part
    that grows with the square of the other's length, and the part that grows with both lengths."""
    residual = sum(piece.seconds**2 * (1.0 + piece.variation**2) / 2.0 for piece in other.pieces)
    turns = len(route.pieces)
    if not route.returns:
        return turns * residual, 0.0
    theirs = [piece.seconds for piece in other.pieces]
    if other.returns:
        ahead = sum(
            theirs[at] * sum(theirs[at + 1 : at + turns]) for at in range(len(theirs))
        )  # the job found in service returns with the rest of its pieces
        behind = sum(piece.seconds * sum(theirs[: turns - 1 - at]) for at, piece in enumerate(route.pieces[:-1]))
    else:
        ahead = 0.0
        behind = sum(piece.seconds * sum(theirs) for piece in route.pieces[:-1])
    return residual + ahead, behind


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteArrivals:
    """Jobs of one route that arrive at one instance; their pieces take ``work_factor`` times as long as the route
    says."""

    route: JobRoute
    per_second: Floats
    work_factor: Floats = field(default_factory=lambda: np.ones(1))

    @property
    def busy(self) -> Floats:
        """Share of one calibrated loop that they take."""
        return np.asarray(self.per_second * self.route.seconds * self.work_factor, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One worker on a core of its own. ``scale`` is the factor by which every piece takes longer than its route says (a
    slower core, more work); ``threaded`` is the share of the core that threads beside the loop use."""

    arrivals: tuple[RouteArrivals, ...]
    threaded: Floats
    scale: Floats
    mates: Floats = field(default_factory=lambda: np.ones(1))  # loops among which a balancer chooses, itself included
    balancers: Floats = field(default_factory=lambda: np.ones(1))  # each knows only its own jobs

    @property
    def utilisation(self) -> Floats:
        """Share of time in which its core is busy."""
        return self._own() + self.threaded

    def wait(self, route: JobRoute, work_factor: Floats | float = 1.0) -> Cumulants:
        """All waits of one job together, whose own pieces take ``work_factor`` times as long as its route says;
        infinite without a steady state."""
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
        """The service before a job's last piece, during which new jobs get ahead of it, over the size of a usual
        job."""
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
    """Many threads on ``cores`` cores, of which ``offered`` are busy on average."""

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
