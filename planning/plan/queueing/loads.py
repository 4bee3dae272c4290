"""Work that a workload brings to each group of processes: all segments of all operations, also those that no client
waits for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from planning.plan.queueing.demands import OperationDemand
from planning.plan.queueing.distributions import Floats
from planning.plan.queueing.paths import Segment
from planning.plan.queueing.stations import JobRoute, Piece, RouteArrivals

MissRatio = Mapping[str, Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLoad:
    """Load on all instances of one group together, in seconds of a calibrated core."""

    arrivals: tuple[RouteArrivals, ...] = ()
    threaded_cores: Floats = field(default_factory=lambda: np.zeros(1))

    @property
    def cores(self) -> Floats:
        """Calibrated cores kept busy."""
        total = self.threaded_cores
        for each in self.arrivals:
            total = total + each.busy
        return total


def routes(segment: Segment, *, group_of: Mapping[str, str], own: str) -> dict[str, JobRoute]:
    """What one request of a segment needs from each group's loops; it returns at once to the loop of its own
    component."""
    pieces: dict[str, list[Piece]] = {}
    for each in segment.every():
        for visit in each.visits:
            if not visit.threaded:
                pieces.setdefault(group_of[visit.process], []).append(Piece(visit.seconds, visit.variation))
    return {group: JobRoute(pieces=tuple(each), returns=group == own) for group, each in pieces.items()}


def chance(misses: Iterable[str], hits: Iterable[str], miss_ratio: MissRatio) -> Floats:
    """Probability of a path, its look-ups hitting independently; a cache that is not named always hits."""
    total = np.ones(1)
    for cache in sorted(misses):  # a set, and the order of factors changes the last digit
        total = total * miss_ratio.get(cache, np.zeros(1))
    for cache in sorted(hits):
        total = total * (1.0 - miss_ratio.get(cache, np.zeros(1)))
    return total


def loads_of(
    operations: Iterable[OperationDemand],
    rates_per_second: Mapping[str, Floats | float],
    *,
    miss_ratio: MissRatio,
    group_of: Mapping[str, str],
    cpu_of: Mapping[str, Floats],
) -> dict[str, GroupLoad]:
    """Load of each group. Operations with the same route through a group count as one, unless ``cpu_of`` has them."""
    rates: dict[str, dict[tuple[JobRoute, str], Floats]] = {}
    threaded: dict[str, Floats] = {}
    for operation in operations:
        work_factor, alone = cpu_of.get(operation.name, np.ones(1)), operation.name if operation.name in cpu_of else ""
        for path in operation.paths:
            rate = rates_per_second.get(operation.name, 0.0) * chance(path.misses, path.hits, miss_ratio)
            if not np.any(rate > 0.0):
                continue
            for group, route in _routes(operation, path.segment, path.beside, group_of):
                of_group = rates.setdefault(group, {})
                of_group[route, alone] = of_group.get((route, alone), np.zeros(1)) + rate
            for segment in (*path.segment.every(), *path.beside.every()):
                for visit in segment.visits:
                    if visit.threaded:
                        group = group_of[visit.process]
                        threaded[group] = threaded.get(group, np.zeros(1)) + rate * visit.seconds * work_factor
    return {
        group: GroupLoad(
            arrivals=tuple(
                RouteArrivals(route=route, per_second=rate, work_factor=cpu_of.get(name, np.ones(1)))
                for (route, name), rate in rates.get(group, {}).items()
            ),
            threaded_cores=threaded.get(group, np.zeros(1)),
        )
        for group in {**rates, **threaded}
    }


def _routes(
    operation: OperationDemand, segment: Segment, beside: Segment, group_of: Mapping[str, str]
) -> Iterator[tuple[str, JobRoute]]:
    own = group_of[operation.component]
    yield from routes(segment, group_of=group_of, own=own).items()
    yield from routes(beside, group_of=group_of, own="").items()  # each visit queues separately
