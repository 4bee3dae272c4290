"""Bills by month from counts: machines stay the same, traffic grows, objects accumulate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from core.names import Server
from core.operations import MEDIA_PROCESS
from core.prices import CDN_BYTES_PRICE, VIEWERS
from planning.cost import fleet
from planning.cost.bill import Bill
from planning.cost.fleet import Disks, Machines, Month, RegionTraffic
from planning.cost.growth import GrowsWith
from planning.cost.prices import SECONDS_PER_MONTH
from planning.plan.brief import Brief
from planning.plan.demand.contents import LOG_DAYS
from planning.plan.demand.workload import DAY_SECONDS, Moment
from planning.plan.sizing import size, tiers
from planning.plan.sizing.size import RegionPlan

MONTHS_PER_YEAR: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Bills over the horizon."""

    first: Bill
    last: Bill
    mean: Bill  # of a month, over all of them
    months: int


def over_horizon(brief: Brief, regions: Iterable[RegionPlan]) -> Spending:
    """The bills of the horizon's first and last month and of the mean one; raises PriceError."""
    known = tuple(regions)
    months = max(1, math.ceil(brief.intent.years * MONTHS_PER_YEAR - 1e-9))
    bills = [fleet.bill(month(brief, known, number), brief.book) for number in range(months)]
    return Spending(first=bills[0], last=bills[-1], mean=_mean(bills), months=months)


def month(brief: Brief, regions: tuple[RegionPlan, ...], number: int) -> Month:
    """What is paid for in the month ``number`` from now, from 0."""
    return Month(
        machines=tuple(each for region in regions for each in _machines(region)),
        disks=tuple(each for region in regions for each in _disks(brief, region)),
        traffic=tuple(_traffic(brief, region, number) for region in regions),
        people=brief.demand.people,
    )


def geography(brief: Brief, region: str) -> str:
    """The viewer geography of a region in the CDN's prices: as the intent says, or the one with the region's name."""
    stated = brief.intent.viewers.get(region)
    if stated is not None:
        return stated
    for price in brief.book.prices:
        if price.id.startswith(CDN_BYTES_PRICE) and region in price.id.removeprefix(CDN_BYTES_PRICE).split("+"):
            return price.id.removeprefix(CDN_BYTES_PRICE)
    return VIEWERS


def growth_at(brief: Brief, number: int) -> float:
    """Demand in the middle of a month over that of the present."""
    return float((1.0 + brief.intent.growth_ratio) ** ((number + 0.5) / MONTHS_PER_YEAR))


def _machines(region: RegionPlan) -> Iterable[Machines]:
    shared: dict[str, float] = {}
    for pool in region.pools:
        processes = sum(region.tiers[name].instances for name in pool.groups)
        shared |= {name: pool.machines * region.tiers[name].instances / processes for name in pool.groups}
    for tier in region.tiers.values():
        yield Machines(
            component=tier.name,
            price_id=tier.shape.price_id,
            unit=tier.shape.unit,
            count=shared.get(tier.name, float(tier.machines)),
            term=tier.shape.term,
        )


def _disks(brief: Brief, region: RegionPlan) -> Iterable[Disks]:
    factor = brief.workload.factor(region.name, Moment.LOST)
    for tier in region.tiers.values():
        if tier.name == Server.POSTGRES:
            held = size.disk_bytes(brief, region.name, seconds=brief.intent.horizon_seconds) / tiers.DISK_RATIO
            commits = brief.contents.commits_per_second * factor * tiers.COMMIT_IOPS
            beyond = max(0.0, commits - tiers.FREE_IOPS * tier.working) * tier.copies
            # a database sold with its standby has a disk on each side, and its price counts both (the book's note)
            yield Disks(
                component=tier.name,
                price_id=fleet.MANAGED_DISK_PRICE if tier.shape.managed else fleet.DISK_PRICE,
                bytes_provisioned=held * tier.copies,
                grows_with=(GrowsWith.RATE, GrowsWith.ROWS),
                iops=0.0 if tier.shape.managed else beyond,
            )
        elif tier.name == Server.KAFKA:
            kept = brief.contents.events_bytes_per_second * factor * tiers.LOG_COPIES * LOG_DAYS * DAY_SECONDS
            yield Disks(
                component=tier.name,
                price_id=fleet.LOG_DISK_PRICE if tier.shape.managed else fleet.DISK_PRICE,
                bytes_provisioned=kept / tiers.DISK_RATIO,
                grows_with=(GrowsWith.RATE,),
            )


def _traffic(brief: Brief, region: RegionPlan, number: int) -> RegionTraffic:
    usual = tiers.volume(brief, region.name, Moment.NOW)
    growth, share = growth_at(brief, number), brief.workload.shares[region.name]
    copies = 1.0 + brief.workload.lose_regions
    contents = brief.contents
    uploaded = sum(growth_at(brief, each) for each in range(number)) + growth / 2.0  # months' worth, at mid-month
    stored = contents.objects_bytes_per_second * share * SECONDS_PER_MONTH * uploaded * copies
    written = contents.objects_bytes_per_second + contents.rows_bytes_per_second + contents.events_bytes_per_second
    processed = brief.workload.per_second[MEDIA_PROCESS] * share
    zones = brief.intent.zones
    return RegionTraffic(
        geography=geography(brief, region.name),
        images_per_second=usual.images_per_second * growth,
        image_bytes_per_second=usual.image_bytes_per_second * growth,
        origin_bytes_per_second=usual.origin_bytes_per_second * growth,
        gets_per_second=growth
        * (usual.images_per_second * brief.miss_ratio["edge"] * brief.miss_ratio["shield"] + 2.0 * processed),
        puts_per_second=contents.puts_per_second * share * growth * copies,
        stored_bytes=stored,
        answers_bytes_per_second=usual.answers_bytes_per_second * growth,
        zones_bytes_per_second=usual.zones_bytes_per_second * growth * (1.0 - 1.0 / zones),
        regions_bytes_per_second=written * share * growth * brief.workload.lose_regions,
        requests_per_second=brief.workload.requests_per_second * share * growth,
    )


def _mean(bills: list[Bill]) -> Bill:
    """Every line's mean; all months have the same lines."""
    items = tuple(
        replace(
            lines[0],
            quantity=sum(line.quantity for line in lines) / len(lines),
            dollars_month=sum(line.dollars_month for line in lines) / len(lines),
        )
        for lines in zip(*(each.items for each in bills), strict=True)
    )
    return replace(bills[0], items=items, requests_month=sum(each.requests_month for each in bills) / len(bills))
