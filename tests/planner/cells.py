"""A cell: one small, statistically identical part of a planned region as a scenario and a profile, to be simulated.

A fleet of n of everything under a load is n/N cells with 1/N of the load each. Counts are rounded to whole instances;
the cell is the smallest in which that moves no tier on a limited path by more than `ROUNDING_RATIO`, and it says by how
much it does. Every process has a core of its own, as planned; speeds of cores and stated CPU are in the profile, as the
simulator's cores are all alike. The cell is warm: its look-ups hit, where the plan's miss as often as it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from core import population
from core.names import Component, Server
from core.operations import OPERATIONS, steps_of
from core.profile import DEGRADED, CpuDemand, LinkDelay, Profile
from core.scenario import Scenario
from core.scenario.model import CdnTier, Follows
from core.scenario.placement import Host
from planning.plan.answer import Plan
from planning.plan.brief import Brief, GroupKind
from planning.plan.demand.workload import Moment
from planning.plan.queueing.demands import OperationDemand
from planning.plan.sizing import size, targets
from planning.plan.sizing.size import RegionPlan
from sim.model.pulls import FOLLOWED, KNOWN

#: How far a tier's count may be off for being whole.
ROUNDING_RATIO: Final = 0.02
#: People of a cell: enough that nobody is known twice, few enough to hold.
PEOPLE_MAX: Final = 20_000
#: Of what is sold by volume and never waits in a plan.
_FREE_CORES: Final = 256
_NOT_SIMULATED: Final = ("image.read",)  # a CDN's, not the fleet's, and most of all requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One of ``count`` cells of a region at a moment."""

    scenario: Scenario
    profile: Profile
    count: int
    region: str
    rounding: Mapping[str, float]  # of each tier: instances in the cell over its exact share, less one


def cell_of(
    plan: Plan,
    *,
    moment: Moment = Moment.LOST,
    cells: int | None = None,
    duration_seconds: float = 60.0,
    warm_up_seconds: float = 10.0,
    seed: int = 1,
) -> Cell:
    """A cell of the plan's largest region, one of ``cells``, or of so many that the counts are nearly exact."""
    region = next(each for each in plan.regions if each.name == plan.outlook.region)
    brief = plan.brief
    exact = {name: size.left(tier, moment) for name, tier in region.tiers.items()}
    count = cells or _cells(brief, region, exact)
    whole = {name: max(1, round(each / count)) for name, each in exact.items()}
    scenario = _scenario(brief, region, whole, count, moment=moment, seed=seed)
    acts = _acts(brief, region, moment)
    total = sum(acts.values())
    traffic = replace(
        scenario.traffic,
        warm_up_seconds=warm_up_seconds,
        duration_seconds=duration_seconds,
        rate_per_second=total / count,
        mix_ratio={act: rate / total for act, rate in acts.items()},
        viral=None,
    )
    scenario = replace(scenario, traffic=traffic)
    return Cell(
        scenario=scenario,
        profile=_profile(brief, region, scenario),
        count=count,
        region=region.name,
        rounding={name: whole[name] / (each / count) - 1.0 for name, each in exact.items()},
    )


def scenario_of(plan: Plan) -> Scenario:
    """One cell of the planned fleet in its worst hour, as a scenario; `cell_of` has its profile too."""
    return cell_of(plan).scenario


def _cells(brief: Brief, region: RegionPlan, exact: Mapping[str, float]) -> int:
    """Number of cells."""
    limited = {step for limit in targets.limits(brief) for step in steps_of(limit.name)}
    steps = limited or {name for name in brief.demands.operations if name in OPERATIONS}
    visited = {
        brief.group_of[visit.process]
        for step in steps
        for path in brief.demands.operations[step].paths
        for segment in path.segment.every()
        for visit in segment.visits
    }
    # Redis is there for its memory: a cell of few nodes is as good
    wanted = [exact[name] for name in region.tiers if name in visited and name != Server.REDIS] or [1.0]
    most = max(1, int(min(wanted)))
    errors = {
        count: max(abs(max(1, round(each / count)) / (each / count) - 1.0) for each in wanted)
        for count in range(1, most + 1)
    }
    good = [count for count, error in errors.items() if error <= ROUNDING_RATIO]
    return max(good) if good else min(errors, key=lambda count: errors[count])


def _acts(brief: Brief, region: RegionPlan, moment: Moment) -> dict[str, float]:
    """Acts a second of a region, as the demand has them."""
    factor = brief.workload.factor(region.name, moment) / 86_400.0
    return {
        act: count * factor for act, count in brief.demand.per_day.items() if count > 0.0 and act not in _NOT_SIMULATED
    }


def _scenario(
    brief: Brief, region: RegionPlan, whole: Mapping[str, int], count: int, *, moment: Moment, seed: int
) -> Scenario:
    system, people = brief.scenario.system, min(PEOPLE_MAX, max(200, brief.demand.people // count))
    groups = system.placement.processes
    follows = brief.scenario.population.follows
    hosts = {str(Server.GATEWAY): Host(cores=1, runs=(str(Server.GATEWAY),), count=whole[Server.GATEWAY])}
    hosts |= {name: Host(cores=1, runs=(name,), count=whole[name]) for name in groups}
    redis = min(whole[Server.REDIS], system.feed.page)  # a page's cards lie on no more nodes
    hosts[str(Server.REDIS)] = Host(cores=1, runs=(str(Server.REDIS),), count=redis)
    primary = region.tiers[str(Server.POSTGRES)].unit
    hosts[str(Server.POSTGRES)] = Host(cores=primary.cores, runs=(str(Server.POSTGRES),), count=whole[Server.POSTGRES])
    broker = region.tiers[str(Server.KAFKA)].unit
    hosts[str(Server.KAFKA)] = Host(cores=broker.cores * whole[Server.KAFKA], runs=(str(Server.KAFKA),))
    hosts[str(Server.CLAMD)] = Host(cores=whole[Server.CLAMD], runs=(str(Server.CLAMD),))
    others = (Server.OBJECTS, Server.FRONT, Server.EDGE, Server.SHIELD, Server.TOXIPROXY, Server.PROMETHEUS)
    hosts["volume"] = Host(cores=_FREE_CORES, runs=tuple(str(each) for each in others))
    feed = next(name for name, members in groups.items() if Component.FEED in members)
    placement = replace(system.placement, hosts=hosts, instances={name: whole[name] for name in groups if name != feed})
    return replace(
        brief.scenario,
        scenario=f"{brief.scenario.name}_cell"[:64],
        description=f"One of {count:,} cells of {brief.scenario.name} in {region.name}, {moment.value}.",
        seed=seed,
        demand=None,
        intent=None,
        population=replace(
            brief.scenario.population,
            people=people,
            follows=Follows(
                exponent=follows.exponent, mean=min(follows.mean, 20.0), maximum=min(follows.maximum, people // 10)
            ),
            posts_per_poster=1,
            stories_per_poster=min(1, brief.scenario.population.stories_per_poster),
        ),
        system=replace(
            system,
            cells=1,
            regions={region.name: replace(system.regions[region.name], people_ratio=1.0)},
            placement=placement,
            gateway=replace(system.gateway, instances=whole[Server.GATEWAY], limits={}),
            feed=replace(system.feed, instances=whole[feed]),
            shards=replace(
                system.shards,
                logical=max(system.shards.logical, whole[Server.POSTGRES]),
                physical=whole[Server.POSTGRES],
                replicas=0,
            ),
            redis=replace(system.redis, nodes=redis, memory_bytes=64 * 2**30),
            cdn=replace(system.cdn, edge=CdnTier(size_bytes=2**40), shield=CdnTier(size_bytes=2**40)),
        ),
        faults=(),
        drill=None,
        expect={},
    )


def _profile(brief: Brief, region: RegionPlan, scenario: Scenario) -> Profile:
    """Durations as planned: of each process on its own core, whatever the rate."""
    found = []
    for name, operation in brief.demands.operations.items():
        usual = _seconds(operation)
        for process, (seconds, variation) in usual.items():
            found.append(_demand(brief, region, name, process, seconds, variation))
        for (of, process), visit in brief.demands.beyond.items():
            if of == name:
                seconds = usual.get(process, (0.0, 0.0))[0] + visit.seconds
                found.append(_demand(brief, region, name + DEGRADED, process, seconds, visit.variation))
    people = population.draw_population(scenario)
    threshold = scenario.system.fanout.threshold
    over = people.follower_counts >= threshold
    wire = brief.intent.round_trip_seconds
    nothing = tuple(
        LinkDelay(link=f"client_{server}", median_seconds=0.0, p99_seconds=0.0)
        for server in (Server.GATEWAY, Server.EDGE, Server.OBJECTS)
    )
    return msgspec.structs.replace(
        brief.profile,
        id=f"{brief.profile.id}-as-planned",
        demands=tuple(found),
        wires=(LinkDelay(link="loopback", median_seconds=wire, p99_seconds=3.0 * wire), *nothing),
        cache_hit_ratio={},
        # work that grows with the graph is in the demands already: the cell's own graph is the calibrated one
        batch_sizes={
            FOLLOWED: float(people.follower_counts[over].sum()) / people.people,
            KNOWN: float(over.sum()),
        },
        notes=(*brief.profile.notes, f"scaled to the planned machines of {brief.scenario.name}"),
    )


def _seconds(operation: OperationDemand) -> dict[str, tuple[float, float]]:
    """(CPU seconds, variation) by process on the path on which every look-up hits."""
    found: dict[str, tuple[float, float]] = {}
    path = next(each for each in operation.paths if not each.misses)
    for segment in (*path.segment.every(), *path.beside.every()):
        for visit in segment.visits:
            seconds, _ = found.get(visit.process, (0.0, 0.0))
            found[visit.process] = (seconds + visit.seconds, visit.variation)
    return found


def _demand(
    brief: Brief, region: RegionPlan, operation: str, process: str, seconds: float, variation: float
) -> CpuDemand:
    group = brief.group_of[process]
    speed = region.tiers[group].unit.speed if brief.kinds[group] in (GroupKind.SERVICE, GroupKind.STORE) else 1.0
    return CpuDemand(
        operation=operation,
        process=process,
        rates_per_second=(1.0,),
        cpu_seconds=(seconds / speed,),
        variation=variation,
    )
