"""Availability: the share of time in which people are not served, by cause, against the intent's budget.

Machines fail and are replaced independently (a birth-death process; each is down for repair / (every + repair) of the
time), so the number that is down is binomial. A spot machine is also reclaimed, after a notice in which it finishes its
work and gets no new work. If more machines are down than there are spares, the missing share of the needed ones is
refused. A dead instance fails its share of requests until health checks notice; a dead primary fails the writers of its
shard until a replica takes over; a lost region fails its people until they are sent to another one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from core.names import Server
from core.scenario.intent import Failing
from planning.plan.brief import SPOT, Brief
from planning.plan.queueing.distributions import Floats
from planning.plan.sizing.size import RegionPlan

#: Time until a dead process gets no more requests, as the drills of the stack allow.
INSTANCE_SECONDS: Final = 5.0
#: Time until people of a lost region are served by another, likewise.
REGION_SECONDS: Final = 30.0
MONTH_MINUTES: Final = 730.0 * 60.0
#: Causes that more spares remove.
MACHINES: Final = "machines beyond the spares"
SPOT_MACHINES: Final = "spot machines beyond the spares"
SHARD: Final = "every copy of a shard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One way in which people are not served."""

    name: str
    ratio: float  # of all people's time
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """The expected availability and the intended one."""

    asked_ratio: float
    causes: tuple[Cause, ...]  # the worst first

    @property
    def down_ratio(self) -> float:
        """Share of people's time in which they are not served."""
        return min(1.0, sum(cause.ratio for cause in self.causes))

    @property
    def ratio(self) -> float:
        return 1.0 - self.down_ratio

    @property
    def held(self) -> bool:
        """Whether it is as good as intended."""
        return self.down_ratio <= 1.0 - self.asked_ratio

    @property
    def budget_minutes_month(self) -> float:
        """Error budget of a month."""
        return (1.0 - self.asked_ratio) * MONTH_MINUTES

    @property
    def burn(self) -> float:
        """Budget that is expected to be spent, over the budget."""
        return self.down_ratio / (1.0 - self.asked_ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Often:
    """Failure rates over those of the intent."""

    node: Floats = field(default_factory=lambda: np.ones(1))
    region: Floats = field(default_factory=lambda: np.ones(1))
    spot: Floats = field(default_factory=lambda: np.ones(1))


def availability_of(brief: Brief, regions: Iterable[RegionPlan]) -> Availability:
    found = [
        Cause(name=name, ratio=float(ratio[0]), says=says)
        for name, (ratio, says) in _causes(brief, regions, Often()).items()
    ]
    ordered = tuple(sorted(found, key=lambda cause: -cause.ratio))
    return Availability(asked_ratio=brief.intent.availability_ratio, causes=ordered)


def down(brief: Brief, regions: Iterable[RegionPlan], often: Often) -> Floats:
    """Share of people's time in which they are not served, for each case of how often things fail."""
    total = sum((ratio for ratio, _ in _causes(brief, regions, often).values()), np.zeros(1))
    return np.asarray(np.minimum(1.0, total), dtype=np.float64)


def short_ratio(*, machines: int, working: int, down_ratio: Floats | float) -> Floats:
    """E[max(0, down − spares)] / working, where each of ``machines`` is down with that probability.

    The sum runs over the few numbers down that are likely; the logarithm of the binomial keeps it exact for a fleet.
    """
    ratio = np.clip(np.atleast_1d(np.asarray(down_ratio, dtype=np.float64)), 0.0, 1.0 - 1e-15)
    spares = machines - working
    mean = machines * float(ratio.max())
    last = min(machines, math.ceil(mean + 12.0 * math.sqrt(mean + 1.0) + spares + 12.0))
    total = np.zeros(ratio.shape)
    for count in range(spares + 1, last + 1):
        ways = math.lgamma(machines + 1) - math.lgamma(count + 1) - math.lgamma(machines - count + 1)
        log = ways + count * np.log(np.maximum(ratio, 1e-300)) + (machines - count) * np.log1p(-ratio)
        total = total + (count - spares) * np.exp(log)
    return np.asarray(total / working, dtype=np.float64)


def _causes(brief: Brief, regions: Iterable[RegionPlan], often: Often) -> dict[str, tuple[Floats, str]]:
    """(share of all people's time, explanation) by cause; where several regions or pools add up, the explanation is of
    the one with the largest part."""
    found: dict[str, tuple[Floats, str]] = {}
    largest: dict[str, float] = {}
    for region in regions:
        share = brief.workload.shares[region.name]
        for name, ratio, says in _in_region(brief, region, often):
            part = float(np.mean(ratio)) * share
            said = says if part >= largest.get(name, 0.0) else found[name][1]
            largest[name] = max(part, largest.get(name, 0.0))
            found[name] = (found[name][0] if name in found else 0.0) + ratio * share, said
    for name, ratio, says in _of_regions(brief, often):
        found[name] = ratio, says
    return found


def _down(failing: Failing, often: Floats) -> Floats:
    """Share of time in which something is down; ``often`` is a factor on how often it fails."""
    lost = often * failing.repair_seconds
    return np.asarray(lost / (failing.every_seconds + lost), dtype=np.float64)


def _in_region(brief: Brief, region: RegionPlan, often: Often) -> Iterator[tuple[str, Floats, str]]:
    node, spot = brief.intent.failures.node, brief.intent.failures.spot
    gone = _down(node, often.node)
    for pool in region.pools:
        on_spot = pool.term == SPOT
        taken = often.spot * spot.per_second * spot.repair_seconds * on_spot
        either = 1.0 - (1.0 - gone) / (1.0 + taken)
        spare = pool.machines - pool.working
        yield (
            SPOT_MACHINES if on_spot else MACHINES,
            short_ratio(machines=pool.machines, working=pool.working, down_ratio=either),
            f"more than {spare} of {pool.machines:,} {'spot ' if on_spot else ''}machines of "
            f"{', '.join(pool.groups)} in {region.name} down at once",
        )
    if region.pools:
        # until a dead machine gets no more requests, its share of them fails
        yield (
            "dead instances until health checks notice",
            INSTANCE_SECONDS / node.every_seconds * often.node,
            f"{INSTANCE_SECONDS:g} s until a dead one gets no more requests",
        )
    unsaid = max(0.0, INSTANCE_SECONDS - spot.notice_seconds)
    if any(pool.term == SPOT for pool in region.pools) and unsaid:
        yield (
            "reclaimed spot machines",
            often.spot * spot.per_second * unsaid,
            f"the notice is {unsaid:g} s too short",
        )
    primaries = region.tiers[str(Server.POSTGRES)]
    replication = brief.scenario.system.shards.replication
    failover = replication.detection_seconds + replication.promotion_seconds
    if primaries.copies > 1:
        yield (
            "primaries until a replica serves",
            failover / node.every_seconds * often.node,
            f"{failover:g} s of detection and promotion for a primary's people",
        )
    which = f"of a postgres shard in {region.name}"
    yield (
        SHARD,
        gone**primaries.copies,
        f"all {primaries.copies} copies {which} down at once"
        if primaries.copies > 1
        else f"the only copy {which} down",
    )


def _of_regions(brief: Brief, often: Often) -> Iterator[tuple[str, Floats, str]]:
    region = brief.intent.failures.region
    count, lose = len(brief.workload.shares), brief.workload.lose_regions
    gone = _down(region, often.region)
    if not lose:
        yield "a region", gone, "nobody else serves its people"
        return
    yield (
        "a region until its people are sent elsewhere",
        REGION_SECONDS / region.every_seconds * often.region,
        f"{REGION_SECONDS:g} s",
    )
    # if more are down than the fleet is planned for, the missing share of the needed regions is refused
    name = f"more than {lose} region{'s' if lose > 1 else ''}"
    yield name, short_ratio(machines=count, working=count - lose, down_ratio=gone), f"of {count} at once"
