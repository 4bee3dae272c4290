"""Availability: for what share of their time people are not served, cause by cause, against the intent's budget.

Machines fail and are replaced independently (a birth-death process; each is down for repair / (every + repair) of the
time), so the number that is down is binomial. Where more are down than there are spares, the share of the needed ones
that is missing is refused. A dead instance fails its share of requests until health checks see it; a dead primary fails
its shard's writers until a replica takes over; a lost region fails its people until they are sent elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.names import Server
from sim.planner.brief import Brief, Kind
from sim.planner.size import Region

#: Until a dead process is no longer asked: what the stack's own drills allow.
INSTANCE_SECONDS: Final = 5.0
#: Until people of a lost region are served by another: the same.
REGION_SECONDS: Final = 30.0
MONTH_MINUTES: Final = 730.0 * 60.0
#: Causes that more spares mend.
MACHINES: Final = "machines beyond the spares"
SHARD: Final = "every copy of a shard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One way in which people are not served."""

    name: str
    ratio: float  # of all people's time
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """What is expected, beside what is asked."""

    asked_ratio: float
    causes: tuple[Cause, ...]  # the worst first

    @property
    def down_ratio(self) -> float:
        """Share of people's time in which they are not served."""
        return min(1.0, sum(cause.ratio for cause in self.causes))

    @property
    def ratio(self) -> float:
        """Availability."""
        return 1.0 - self.down_ratio

    @property
    def held(self) -> bool:
        """Whether it is as good as asked."""
        return self.down_ratio <= 1.0 - self.asked_ratio

    @property
    def budget_minutes_month(self) -> float:
        """Error budget of a month."""
        return (1.0 - self.asked_ratio) * MONTH_MINUTES

    @property
    def burn(self) -> float:
        """Budget that is expected to be spent, over the budget."""
        return self.down_ratio / (1.0 - self.asked_ratio)


def of(brief: Brief, regions: Iterable[Region]) -> Availability:
    """The availability of a fleet."""
    causes: dict[str, Cause] = {}
    for region in regions:
        share = brief.workload.shares[region.name]
        for cause in _in_region(brief, region):
            known = causes.get(cause.name)
            ratio = cause.ratio * share + (known.ratio if known else 0.0)
            causes[cause.name] = Cause(name=cause.name, ratio=ratio, says=cause.says)
    for cause in _of_regions(brief):
        causes[cause.name] = cause
    ordered = tuple(sorted(causes.values(), key=lambda cause: -cause.ratio))
    return Availability(asked_ratio=brief.intent.availability_ratio, causes=ordered)


def short_ratio(*, machines: int, working: int, down_ratio: float) -> float:
    """E[max(0, down − spares)] / working, where each of ``machines`` is down with that probability.

    The sum runs over the few numbers down that are likely; the logarithm of the binomial keeps it exact for a fleet.
    """
    spares = machines - working
    if down_ratio <= 0.0 or machines == 0:
        return 0.0
    mean = machines * down_ratio
    last = min(machines, math.ceil(mean + 12.0 * math.sqrt(mean + 1.0) + spares + 12.0))
    total = 0.0
    for down in range(spares + 1, last + 1):
        log = (
            math.lgamma(machines + 1)
            - math.lgamma(down + 1)
            - math.lgamma(machines - down + 1)
            + down * math.log(down_ratio)
            + (machines - down) * math.log1p(-down_ratio)
        )
        total += (down - spares) * math.exp(log)
    return total / working


def _in_region(brief: Brief, region: Region) -> Iterable[Cause]:
    node = brief.intent.failures.node
    pool = region.pool
    yield Cause(
        name=MACHINES,
        ratio=short_ratio(machines=pool.machines, working=pool.working, down_ratio=node.down_ratio),
        says=f"more than {pool.machines - pool.working} of {pool.machines:,} machines of the services down at once",
    )
    services = [tier for tier in region.tiers.values() if tier.kind is Kind.SERVICE]
    # each machine's end fails the share of requests that it had under way until it is no longer asked
    yield Cause(
        name="instances until they are missed",
        ratio=INSTANCE_SECONDS / node.every_seconds if services else 0.0,
        says=f"{INSTANCE_SECONDS:g} s until a dead one is no longer asked",
    )
    primaries = region.tiers[str(Server.POSTGRES)]
    replication = brief.scenario.system.shards.replication
    failover = replication.detection_seconds + replication.promotion_seconds
    if primaries.copies > 1:
        yield Cause(
            name="primaries until a replica serves",
            ratio=failover / node.every_seconds,
            says=f"{failover:g} s of detection and promotion for a primary's people",
        )
    yield Cause(
        name=SHARD,
        ratio=node.down_ratio**primaries.copies,
        says=f"all {primaries.copies} down at once" if primaries.copies > 1 else "the only one down",
    )


def _of_regions(brief: Brief) -> Iterable[Cause]:
    region = brief.intent.failures.region
    count, lose = len(brief.workload.shares), brief.workload.lose_regions
    if not lose:
        yield Cause(name="a region", ratio=region.down_ratio, says="nobody else serves its people")
        return
    yield Cause(
        name="a region until its people are sent elsewhere",
        ratio=REGION_SECONDS / region.every_seconds,
        says=f"{REGION_SECONDS:g} s",
    )
    # with more down than the fleet is made for, what is missing of the needed regions is refused
    yield Cause(
        name=f"more than {lose} region{'s' if lose > 1 else ''}",
        ratio=short_ratio(machines=count, working=count - lose, down_ratio=region.down_ratio),
        says=f"of {count} at once",
    )
