"""The outlook of one region: utilisation and latency now, at the peak and in the worst hour, and how much more load
each tier and the whole region can take.

The knee is the largest load at which every percentile still holds and nothing is full; for a tier, it is the
utilisation at which that ends if only its load grows. Headroom is the growth from a load to the knee.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.names import Server
from core.operations import steps_of
from planning.plan.brief import Brief, Case
from planning.plan.demand.workload import Moment
from planning.plan.queueing.distributions import Floats
from planning.plan.queueing.latency import Group, LatencyModel
from planning.plan.queueing.loads import GroupLoad
from planning.plan.sizing import fleets, size, targets
from planning.plan.sizing.size import RegionPlan, Tier
from planning.plan.sizing.targets import LatencyLimit

#: Loads evaluated for the knee, over that of the worst hour, and utilisations of one tier.
_FACTORS: Final = np.geomspace(0.02, 20.0, 120)
_LEVELS: Final = np.linspace(0.01, 0.995, 60)
_REFINED: Final = 33


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentile:
    """One limit of the intent and what is expected of it at each moment."""

    limit: LatencyLimit
    seconds: Mapping[Moment, float]
    beyond_ratio: Mapping[Moment, float]  # of requests that take longer than the limit

    @property
    def held(self) -> bool:
        """Whether it holds in the worst hour."""
        return self.beyond_ratio[Moment.LOST] <= 1.0 - self.limit.level

    def burn(self, moment: Moment) -> float:
        """Share of the error budget that is spent; 1 is all of it."""
        return self.beyond_ratio[moment] / (1.0 - self.limit.level)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierOutlook:
    """One tier. ``headroom`` is the ratio by which its load may grow before ``binds`` is exhausted."""

    name: str
    utilisation: Mapping[Moment, float]
    knee_utilisation: float
    binds: str
    headroom: Mapping[Moment, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadCurve:
    """Latency against load, for a chart: load over the worst hour's, seconds by percentile."""

    limit: LatencyLimit
    load: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """One region; ``tiers`` in the order in which they fail as the load grows."""

    region: str
    percentiles: tuple[Percentile, ...]
    tiers: tuple[TierOutlook, ...]
    knee: float  # load over the worst hour's at which the first tier fails
    curves: tuple[LoadCurve, ...]

    @property
    def bottleneck(self) -> TierOutlook:
        """The tier that fails first."""
        return self.tiers[0]


def outlook_of(brief: Brief, region: RegionPlan) -> Outlook:
    wanted = targets.limits(brief)
    seen = {moment: size.fleet_at(brief, region, moment, Case()) for moment in Moment}
    gone = {name for name, tier in region.tiers.items() if tier.nothing_left}
    percentiles = tuple(_percentile(brief, limit, seen, gone) for limit in wanted)
    knees = {name: _knee_of(brief, region, tier, seen[Moment.LOST], wanted) for name, tier in region.tiers.items()}
    found = [_tier(region.tiers[name], name, seen, knee) for name, knee in knees.items()]
    # several tiers may fail together, because counts are whole numbers: then the most expensive first
    found.sort(key=lambda each: (round(each.headroom[Moment.LOST], 2), -_dollars(region.tiers[each.name])))
    return Outlook(
        region=region.name,
        percentiles=percentiles,
        tiers=tuple(found),
        knee=_knee(brief, region, wanted, found),
        curves=tuple(_curve(brief, region, limit) for limit in wanted),
    )


def _dollars(tier: Tier) -> float:
    if tier.machines:
        return tier.machines * tier.shape.dollars_month
    return tier.instances * tier.shape.dollars_month / tier.shape.vcpu


def _percentile(
    brief: Brief, limit: LatencyLimit, seen: Mapping[Moment, LatencyModel], gone: Collection[str]
) -> Percentile:
    mixtures = {moment: targets.latency(brief, whole, limit.name, Case()) for moment, whole in seen.items()}
    seconds = {moment: float(each.quantile(limit.level)[0]) for moment, each in mixtures.items()}
    beyond = {moment: float(1.0 - each.below(limit.seconds)[0]) for moment, each in mixtures.items()}
    if _visited(brief, (limit,)).intersection(gone):
        seconds[Moment.LOST], beyond[Moment.LOST] = np.inf, 1.0
    return Percentile(limit=limit, seconds=seconds, beyond_ratio=beyond)


def _knee_of(
    brief: Brief, region: RegionPlan, tier: Tier, worst: LatencyModel, wanted: tuple[LatencyLimit, ...]
) -> float:
    """Utilisation of one tier at which a limit is missed, with the others as in the worst hour."""
    load = region.load_of.get(tier.name, GroupLoad())
    if not load.cores[0] or tier.name not in _visited(brief, wanted):
        return 1.0
    wanted = tuple(limit for limit in wanted if _at_rest(brief, tier, load, worst, limit))
    if not wanted:
        return 1.0  # a limit that is missed anyway does not depend on this tier
    levels = _LEVELS
    for _ in range(2):
        group = _group_at(brief, tier, load, worst, levels)
        good = targets.holds(brief, worst.with_group(tier.name, group), wanted, Case())
        passed = np.flatnonzero(np.broadcast_to(good, levels.shape) > 0)
        last = int(passed[-1])
        reached = min(1.0, float(group.utilisation[last]))
        if last == len(levels) - 1:
            break
        levels = np.linspace(levels[last], levels[last + 1], _REFINED)
    return reached


def _at_rest(brief: Brief, tier: Tier, load: GroupLoad, worst: LatencyModel, limit: LatencyLimit) -> bool:
    """Whether a limit holds with almost no load on one tier."""
    group = _group_at(brief, tier, load, worst, _LEVELS[:1])
    return bool(targets.holds(brief, worst.with_group(tier.name, group), (limit,), Case())[0])


def _group_at(brief: Brief, tier: Tier, load: GroupLoad, worst: LatencyModel, levels: Floats) -> Group:
    """A tier with so many instances that its load makes them this busy."""
    count = load.cores / (tier.unit.work * levels)
    gateways = worst.groups[str(Server.GATEWAY)].instances
    return fleets.group(brief, tier.name, load, count=count, unit=tier.unit, case=Case(), gateways=gateways)


def _visited(brief: Brief, wanted: tuple[LatencyLimit, ...]) -> set[str]:
    """Groups that a request with a limit waits for."""
    names = {step for limit in wanted for step in steps_of(limit.name)}
    segments = [
        segment for name in names for path in brief.demands.operations[name].paths for segment in path.segment.every()
    ]
    return {brief.group_of[visit.process] for segment in segments for visit in segment.visits}


def _tier(tier: Tier, name: str, seen: Mapping[Moment, LatencyModel], knee: float) -> TierOutlook:
    busy = {moment: float(np.ravel(whole.groups[name].utilisation)[0]) for moment, whole in seen.items()}
    if tier.nothing_left:
        busy[Moment.LOST] = np.inf
    headroom = {moment: knee / each - 1.0 if each > 0.0 else np.inf for moment, each in busy.items()}
    binds = "CPU"
    # other resources do not depend on how many instances are up, and grow with the worst hour's load
    for need in tier.needs:
        if need.resource in ("CPU", "majority") or not need.exact:
            continue
        nodes = tier.working / size.loops_of(tier.shape) if name == Server.REDIS else float(tier.working)
        free = -1.0 if tier.nothing_left else nodes / need.exact - 1.0
        if free < headroom[Moment.LOST]:
            binds = need.resource
            headroom = {
                moment: (1.0 + free) * busy[Moment.LOST] / busy[moment] - 1.0 if busy[moment] else np.inf
                for moment in headroom
            }
    return TierOutlook(name=name, utilisation=busy, knee_utilisation=knee, binds=binds, headroom=headroom)


def _knee(brief: Brief, region: RegionPlan, wanted: tuple[LatencyLimit, ...], found: list[TierOutlook]) -> float:
    if any(tier.nothing_left for tier in region.tiers.values()):
        return 0.0
    factors = _FACTORS
    full = min((1.0 + each.headroom[Moment.LOST] for each in found if each.binds != "CPU"), default=np.inf)
    for _ in range(2):
        case = Case(rate=factors)
        good = targets.holds(brief, size.fleet_at(brief, region, Moment.LOST, case), wanted, case)
        passed = np.flatnonzero(np.broadcast_to(good, factors.shape) > 0)
        if not len(passed):
            return 0.0
        last = int(passed[-1])
        if last == len(factors) - 1:
            return float(min(factors[-1], full))
        factors = np.linspace(factors[last], factors[last + 1], _REFINED)
    return float(min(factors[0], full))


def _curve(brief: Brief, region: RegionPlan, limit: LatencyLimit) -> LoadCurve:
    factors = np.linspace(0.05, 2.0, 79)
    case = Case(rate=factors)
    whole = size.fleet_at(brief, region, Moment.LOST, case)
    seconds = targets.latency(brief, whole, limit.name, case).quantile(limit.level)
    kept = np.isfinite(seconds)
    return LoadCurve(limit=limit, load=tuple(factors[kept].tolist()), seconds=tuple(seconds[kept].tolist()))
