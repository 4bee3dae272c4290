"""Latency of an operation on a fleet at a load: the sum of stations, links and waits along each path.

Exact are the mean waits at each station and the moments of sums. Approximations: arrivals at every visit are Poisson;
waits of one request at one loop follow an exponential rule (`stations.Loop.waits`); parallel branches are independent;
percentiles come from three cumulants. `docs/PLANNER.md` has the errors against the simulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from core.profile import Profile
from planning.plan.queueing import distributions, loads
from planning.plan.queueing.demands import OperationDemand
from planning.plan.queueing.distributions import Cumulants, Floats, Mixture
from planning.plan.queueing.paths import AWAY, PathFork, Segment, SegmentVisit
from planning.plan.queueing.stations import Loop, Shared
from sim.model.draws import lognormal_of

#: 95 % quantiles were within this of the simulator's, up to 80 % busy (`tests/planner/test_against_simulator.py`).
ERROR_RATIO: Final = 0.17
#: Paths taken less often than this are ignored, because they do not affect percentiles up to the 99th.
_RARE: Final = 2e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """Time on links, one round trip, and waits in servers that are not CPU."""

    links: Mapping[str, Cumulants]
    otherwise: Cumulants
    delays: Mapping[str, Cumulants]

    def trip(self, link: str) -> Cumulants:
        return self.links.get(link, self.otherwise)


def planned(profile: Profile, *, round_trip_seconds: float, away_seconds: float = 0.0, tail: float = 3.0) -> Wires:
    """The wires of a fleet: ``round_trip_seconds`` is the median between two machines of a region, ``tail`` × that the
    99 % quantile; ``away_seconds`` is to another region. The way from clients to the gateway is not part of it."""
    between = distributions.lognormal_of(*lognormal_of(round_trip_seconds, tail * round_trip_seconds))
    door = {f"client_{server}": distributions.nothing() for server in ("gateway", "edge", "objects")}
    door[AWAY] = distributions.lognormal(away_seconds, 0.0)
    delays = {
        each.station: distributions.lognormal_of(*lognormal_of(each.median_seconds, each.p99_seconds))
        for each in profile.delays
    }
    return Wires(links=door, otherwise=between, delays=delays)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Instances of one kind at a load: the loop or the shared cores of one of them."""

    station: Loop | Shared
    speed: Floats | float  # of a core, over the calibrated one's
    instances: Floats | float

    @property
    def utilisation(self) -> Floats:
        return self.station.utilisation


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyModel:
    """All stations and links that an operation can visit. ``groups`` are by name, ``group_of`` tells a process's."""

    groups: Mapping[str, Group]
    group_of: Mapping[str, str]
    wires: Wires
    wire_factor: Floats | float = 1.0
    cpu_factor: Floats | float = 1.0
    cpu_of: Mapping[str, Floats] = field(default_factory=dict)  # by operation, beyond that of everything
    work_factor: Floats | float = 1.0  # on the pieces of the operation in question
    reach: Mapping[str, float] = field(default_factory=dict)  # the most instances that one request may ask

    def with_group(self, name: str, group: Group) -> LatencyModel:
        """The same fleet with another group of that name."""
        return replace(self, groups={**self.groups, name: group})

    def latency(self, operation: OperationDemand, miss_ratio: Mapping[str, Floats]) -> Mixture:
        """Distribution of the operation's latency, from the gateway and back."""
        work_factor = self.cpu_of.get(operation.name)
        if work_factor is not None:
            own = replace(
                self, cpu_factor=np.asarray(self.cpu_factor) * work_factor, cpu_of={}, work_factor=work_factor
            )
            return own.latency(operation, miss_ratio)
        parts, probabilities = [], []
        known: dict[int, Cumulants] = {}  # paths have most of their forks in common
        for path in operation.paths:
            chance = loads.chance(path.misses, path.hits, miss_ratio)
            if np.any(chance > _RARE):
                probabilities.append(chance)
                parts.append(self._path(operation, path.segment, known))
        total = sum(probabilities, np.zeros(1))
        return Mixture(probabilities=tuple(each / total for each in probabilities), parts=tuple(parts))

    def _path(self, operation: OperationDemand, segment: Segment, known: dict[int, Cumulants]) -> Cumulants:
        own = self.group_of[operation.component]
        return self._and_waits(self._segment(segment, known), segment, own=own)

    def _segment(
        self, segment: Segment, known: dict[int, Cumulants], *, copies_of: str = "", copies: Floats | float = 1.0
    ) -> Cumulants:
        """Time of one segment without the waits at loops of its own visits; ``copies`` instances each do their part."""
        total = distributions.nothing()
        for trip in segment.trips:  # all round trips of a connection take as long as its first one
            factor = 1.0 if trip.link == AWAY else self.wire_factor
            total = total + self.wires.trip(trip.link).scaled(factor).scaled(trip.count)
        for delay in segment.delays:
            total = total + self.wires.delays.get(delay, distributions.nothing())
        for visit in segment.visits:
            total = total + self._service(visit, 1.0 / copies if visit.process == copies_of else 1.0)
        for fork in segment.forks:
            if id(fork) not in known:
                known[id(fork)] = self._fork(fork, known)
            total = total + known[id(fork)]
        return total

    def _fork(self, fork: PathFork, known: dict[int, Cumulants]) -> Cumulants:
        if not fork.server:
            return distributions.last_of([self._segment(each, known) + self._waits(each) for each in fork.segments])
        name = self.group_of[fork.server]
        count = np.minimum(self.groups[name].instances, self.reach.get(name, np.inf))
        (each,) = fork.segments
        part = self._segment(each, known, copies_of=fork.server, copies=count) + self._waits(each)
        return distributions.slowest_of(part, count)

    def _waits(self, segment: Segment) -> Cumulants:
        """Waits at loops of a branch, for each visit separately."""
        return self._and_waits(distributions.nothing(), segment, own="")

    def _and_waits(self, total: Cumulants, segment: Segment, *, own: str) -> Cumulants:
        """``total`` and the waits at loops: for all visits together at that of the group ``own``, for each one
        separately elsewhere."""
        for name, route in loads.routes(Segment(visits=segment.visits), group_of=self.group_of, own=own).items():
            station = self.groups[name].station
            if isinstance(station, Loop):
                total = total + station.wait(route, self.work_factor)
        return total

    def _service(self, visit: SegmentVisit, part: Floats | float) -> Cumulants:
        group = self.groups[self.group_of[visit.process]]
        scale = np.asarray(self.cpu_factor) * np.asarray(part) / np.asarray(group.speed)
        station = group.station
        if isinstance(station, Shared):
            return station.visit(visit.seconds * scale, visit.variation)
        if visit.threaded:  # beside the loop on the loop's core
            return Shared(offered=station.utilisation, cores=1).visit(visit.seconds * scale, visit.variation)
        return distributions.lognormal(visit.seconds, visit.variation).scaled(scale * station.slowed())
