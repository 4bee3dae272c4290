"""A fleet under a load as stations, from counts, shapes and a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from core.operations import FANOUT_DELIVER, IMAGE_READ
from planning.plan.brief import SHARED, Brief, Case, GroupKind
from planning.plan.queueing import loads
from planning.plan.queueing.distributions import Floats, Mixture
from planning.plan.queueing.latency import Group, LatencyModel
from planning.plan.queueing.loads import GroupLoad
from planning.plan.queueing.paths import AWAY
from planning.plan.queueing.stations import JobRoute, Loop, Piece, RouteArrivals, Shared

#: Length of a piece of idle work (`sim.model.disturbances`).
_IDLE_SECONDS = 0.0005
_STALL_VARIATION = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupInstance:
    """One instance of a group: a loop, or a server on several cores, and the speed of a core."""

    cores: int  # 0 for a loop
    speed: float

    @property
    def work(self) -> float:
        """The calibrated cores that it equals."""
        return max(1, self.cores) * self.speed


def load(brief: Brief, rates_per_second: Mapping[str, float], case: Case) -> dict[str, GroupLoad]:
    """Load on all instances of each group, in calibrated seconds, without the case's factor on all CPU."""
    rates: dict[str, Floats | float] = {
        name: rate * case.rate * case.rate_of.get(name, 1.0) for name, rate in rates_per_second.items()
    }
    if FANOUT_DELIVER in rates:  # its work grows with the timelines written
        rates[FANOUT_DELIVER] = rates[FANOUT_DELIVER] * case.follows
    if IMAGE_READ in rates:
        rates[IMAGE_READ] = rates[IMAGE_READ] * case.images
    return loads.loads_of(
        brief.demands.operations.values(),
        rates,
        miss_ratio=misses(brief, case),
        group_of=brief.group_of,
        cpu_of=case.cpu_of,
    )


def misses(brief: Brief, case: Case) -> dict[str, Floats]:
    """Share of look-ups that miss, by cache."""
    found = {
        name: np.minimum(1.0, ratio * case.misses * case.misses_of.get(name, np.ones(1)))
        for name, ratio in brief.miss_ratio.items()
    }
    found[AWAY] = np.array([brief.miss_ratio[AWAY]])  # not a cache, so the case does not change it
    return found


def fleet(
    brief: Brief,
    load_of: Mapping[str, GroupLoad],
    counts: Mapping[str, Floats | float],
    units: Mapping[str, GroupInstance],
    case: Case,
    *,
    gateways: Floats | float | None = None,
) -> LatencyModel:
    """The fleet with ``counts`` instances of each group; what is sold by volume never waits. ``gateways`` is the number
    that share the services' instances, if it is not that of ``counts``."""
    groups = {}
    for name, kind in brief.kinds.items():
        if kind in (GroupKind.VOLUME, GroupKind.APART):
            free = Shared(offered=np.zeros(1), cores=1)
            groups[name] = Group(station=free, speed=1.0, instances=1.0)
            continue
        groups[name] = group(
            brief,
            name,
            load_of.get(name, GroupLoad()),
            count=counts.get(name, 1.0),
            unit=units[name],
            case=case,
            gateways=counts.get("gateway", 1.0) if gateways is None else gateways,
        )
    page = float(brief.scenario.system.feed.page)
    return LatencyModel(
        groups=groups,
        group_of=brief.group_of,
        wires=brief.wires,
        wire_factor=case.round_trip,
        cpu_factor=case.cpu,
        cpu_of=case.cpu_of,
        # the cards of a page, and the people whom a reader follows, are on at most as many nodes as there are of them
        reach={"redis": page, "postgres": max(page, brief.scenario.population.follows.mean)},
    )


def group(
    brief: Brief,
    name: str,
    load_of_it: GroupLoad,
    *,
    count: Floats | float,
    unit: GroupInstance,
    case: Case,
    gateways: Floats | float = 1.0,
) -> Group:
    """One group of the fleet, with its idle work and the host's stalls. A gateway chooses the instance with the fewest
    requests in progress among those that it sent itself; the intent says how many gateways share instances."""
    share = 1.0 / np.asarray(count, dtype=np.float64)
    scale = case.cpu / unit.speed
    idle = _idle_ratio(brief, name)
    if unit.cores:
        offered = load_of_it.cores * share * scale + idle / unit.speed
        return Group(station=Shared(offered=offered, cores=unit.cores), speed=unit.speed, instances=count)
    arrivals = [replace(each, per_second=each.per_second * share) for each in load_of_it.arrivals]
    arrivals += _disturbances(brief, idle)
    mates = balancers = np.ones(1)
    if name in brief.scenario.system.placement.processes:
        whole = np.maximum(1.0, np.asarray(gateways, dtype=np.float64))
        balancers = np.minimum(whole, float(brief.intent.gateways_together))
        mates = np.maximum(1.0, np.asarray(count, dtype=np.float64) * balancers / whole)
    threaded = load_of_it.threaded_cores * share * scale
    station = Loop(arrivals=tuple(arrivals), threaded=threaded, scale=scale, mates=mates, balancers=balancers)
    return Group(station=station, speed=unit.speed, instances=count)


def latencies(brief: Brief, whole: LatencyModel, operations: tuple[str, ...], case: Case) -> tuple[Mixture, ...]:
    """Distribution of each operation's latency."""
    ratio = misses(brief, case)
    return tuple(whole.latency(brief.demands.operations[name], ratio) for name in operations)


def _idle_ratio(brief: Brief, name: str) -> float:
    """Share of a calibrated core that one instance takes without any traffic."""
    known = brief.profile.background_cpu_ratio
    return known.get(name, known.get(f"{name}_0", 0.0))


def _disturbances(brief: Brief, idle: float) -> list[RouteArrivals]:
    stalls = brief.profile.stalls
    found = [
        RouteArrivals(
            route=JobRoute(pieces=(Piece(mean, _STALL_VARIATION),), returns=False), per_second=np.array([rate])
        )
        for rate, mean in zip(stalls.per_second, stalls.mean_seconds, strict=True)
        if rate and mean
    ]
    if idle:
        route = JobRoute(pieces=(Piece(_IDLE_SECONDS, 0.0),), returns=False)
        found.append(RouteArrivals(route=route, per_second=np.array([idle / _IDLE_SECONDS])))
    return found


def is_shared(name: str) -> bool:
    """Whether a group's threads share its machine's cores."""
    return name in tuple(str(server) for server in SHARED)
