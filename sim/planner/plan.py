"""The plan: counts, prices and outlooks as one value, and the sentence that says it.

`make` sizes the fleet on the cheapest machines, raises the spares until the machines' part of the availability holds,
prices the horizon, looks at every moment, and asks what a little more of everything would cost by planning again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from core.names import Server
from core.profile import Profile
from core.scenario import Scenario
from core.scenario.units import Below
from sim.cost.bill import Bill
from sim.cost.prices import PriceBook, PriceError
from sim.planner import availability, candidates, outlook, size, spending, tiers, uncertainty
from sim.planner.availability import Availability
from sim.planner.brief import Brief, Kind, PlanError, brief
from sim.planner.caches import Caches
from sim.planner.candidates import Choice, Excuse
from sim.planner.latency import ERROR_RATIO
from sim.planner.outlook import Outlook
from sim.planner.size import Region, Shapes, Spares
from sim.planner.spending import Spending
from sim.planner.uncertainty import Uncertainty
from sim.planner.workload import Moment

#: By how much demand is raised, and limits are moved, to see what that costs.
MORE_DEMAND: Final = 1.1
STRICTER_SECONDS: Final = 0.01
_SPARES_MAX: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What a little more of something costs. ``dollars_month`` is None where it cannot be had; ``says`` tells."""

    name: str
    dollars_month: float | None
    says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that `windtunnel plan` tells."""

    brief: Brief
    shapes: Shapes
    spares: Spares
    regions: tuple[Region, ...]
    excuses: tuple[Excuse, ...]
    spending: Spending
    outlook: Outlook  # of the largest region; the others differ from it by whole numbers
    availability: Availability
    caches: Caches
    margins: tuple[Margin, ...]
    uncertainty: Uncertainty | None
    notes: tuple[str, ...]

    @property
    def bill(self) -> Bill:
        """The mean month of the horizon."""
        return self.spending.mean

    @property
    def held(self) -> bool:
        """Whether every percentile and the availability hold."""
        return self.availability.held and all(each.held for each in self.outlook.percentiles)

    @property
    def machines(self) -> int:
        """All machines of all regions."""
        return sum(
            region.pool.machines + sum(tier.machines for tier in region.tiers.values()) for region in self.regions
        )

    def count(self, group: str) -> int:
        """Instances of a group in all regions."""
        return sum(region.tiers[group].instances for region in self.regions)


def make(scenario: Scenario, profile: Profile, book: PriceBook, *, sure: bool = True, margins: bool = True) -> Plan:
    """Plan a scenario's demand for its intent. ``sure`` asks what the intent's ranges do to it, ``margins`` what a
    little more of everything would cost.

    Raises PlanError where there is no such fleet and PriceError where something is not sold.
    """
    known = brief(scenario, profile, book)
    choice = candidates.choose(known)
    spares, regions, expected = _reached(known, choice.shapes, choice.regions, 1.0 - known.intent.availability_ratio)
    spent = spending.over_horizon(known, regions)
    largest = max(regions, key=lambda each: known.workload.factor(each.name, Moment.LOST))
    return Plan(
        brief=known,
        shapes=choice.shapes,
        spares=spares,
        regions=regions,
        excuses=choice.excuses,
        spending=spent,
        outlook=outlook.of(known, largest),
        availability=expected,
        caches=Caches.of(known),
        margins=_margins(known, choice, spares, spent) if margins else (),
        uncertainty=uncertainty.of(known, regions, choice.shapes, spares, spent, error_ratio=ERROR_RATIO)
        if sure
        else None,
        notes=_notes(known, regions, spares),
    )


def _reached(
    known: Brief, shapes: Shapes, regions: tuple[Region, ...], down_max: float
) -> tuple[Spares, tuple[Region, ...], Availability]:
    """Spares with which nobody is unserved for longer than that, as far as more spares can do it, from those of the
    intent, which ``regions`` have."""
    spares = size.asked(known)
    found = availability.of(known, regions)
    while found.down_ratio > down_max and spares.machines < _SPARES_MAX:
        more = _more(spares, found.causes[0].name)
        if more is None:
            break  # no spare mends what is worst
        wider = candidates.fleet(known, shapes, more)
        better = availability.of(known, wider)
        if better.down_ratio >= found.down_ratio * 0.999:
            break
        spares, regions, found = more, wider, better
    return spares, regions, found


def _more(spares: Spares, cause: str) -> Spares | None:
    if cause == availability.MACHINES:
        return replace(spares, machines=spares.machines + max(1, spares.machines // 4))
    if cause == availability.SHARD:
        return replace(spares, replicas=spares.replicas + 1)
    return None


def _margins(known: Brief, choice: Choice, spares: Spares, spent: Spending) -> tuple[Margin, ...]:
    base = spent.mean.total_dollars_month

    def again(change: Callable[[Scenario], Scenario]) -> float:
        other = brief(change(known.scenario), known.profile, known.book)
        regions = candidates.fleet(other, choice.shapes, spares)
        return spending.over_horizon(other, regions).mean.total_dollars_month - base

    found = [_margin(f"+{MORE_DEMAND - 1.0:.0%} demand", again, lambda each: _busier(each, MORE_DEMAND))]
    if known.intent.slo:
        name = f"{STRICTER_SECONDS * 1e3:g} ms off every limit"
        found.append(_margin(name, again, lambda each: _stricter(each, STRICTER_SECONDS)))
    found.append(_one_more_nine(known, choice, spares, spent))
    return tuple(found)


def _margin(
    name: str, again: Callable[[Callable[[Scenario], Scenario]], float], change: Callable[[Scenario], Scenario]
) -> Margin:
    try:
        return Margin(name=name, dollars_month=again(change))
    except (PlanError, PriceError) as error:
        return Margin(name=name, dollars_month=None, says=str(error))


def _one_more_nine(known: Brief, choice: Choice, spares: Spares, spent: Spending) -> Margin:
    """The least change that takes the expected downtime below a tenth of the intent's."""
    wanted = (1.0 - known.intent.availability_ratio) / 10.0
    name = f"one more nine, {100.0 * (1.0 - wanted):.8g} %"
    more, regions, found = _reached(known, choice.shapes, choice.regions, wanted)
    says = ""
    other = known
    if found.down_ratio > wanted:
        lose = known.workload.lose_regions + 1
        if lose >= len(known.workload.shares):
            return Margin(
                name=name,
                dollars_month=None,
                says=f"{found.causes[0].name} ({found.causes[0].says}) takes more, and there is no further region",
            )
        changed = replace(known.scenario, intent=replace(known.intent, lose_regions=lose))
        other = brief(changed, known.profile, known.book)
        more, regions, found = _reached(other, choice.shapes, candidates.fleet(other, choice.shapes), wanted)
        says = f"with {lose} region{'s' if lose > 1 else ''} to lose"
        if found.down_ratio > wanted:
            return Margin(name=name, dollars_month=None, says=f"{found.causes[0].name} takes more even {says}")
    if more == spares and other is known:
        return Margin(name=name, dollars_month=0.0, says="the machines of this plan have it already")
    dollars = spending.over_horizon(other, regions).mean.total_dollars_month - spent.mean.total_dollars_month
    spoken = says or f"{more.machines} machines and {more.replicas} replicas to spare"
    return Margin(name=name, dollars_month=dollars, says=spoken)


def _busier(scenario: Scenario, factor: float) -> Scenario:
    demand = scenario.demand
    assert demand is not None  # there is a brief
    busier = replace(
        demand,
        daily_users=round(demand.daily_users * factor),
        users=round(demand.people * factor),
        per_day={name: count * factor for name, count in demand.per_day.items()},
    )
    return replace(scenario, demand=busier)


def _stricter(scenario: Scenario, seconds: float) -> Scenario:
    intent = scenario.intent
    assert intent is not None  # there are limits

    def moved(limit: Below | None) -> Below | None:
        return None if limit is None else Below(max(1e-6, limit.value - seconds), limit.unit)

    slo = {
        name: replace(each, p50=moved(each.p50), p95=moved(each.p95), p99=moved(each.p99))
        for name, each in intent.slo.items()
    }
    return replace(scenario, intent=replace(intent, slo=slo))


def _notes(known: Brief, regions: tuple[Region, ...], spares: Spares) -> tuple[str, ...]:
    """What a reader must know to trust the figures as far as they go, and no further."""
    found = list(known.demands.notes)
    core = known.demands.core
    found.append(
        f"CPU by profile {known.profile.id}, a core of {core.ghz:g} GHz; other cores by clock × instructions a cycle, "
        "which no benchmark of this code has checked"
    )
    if any(region.tiers[str(Server.GATEWAY)].working > 1 for region in regions):
        found.append(
            "every gateway has a share of each service's instances for itself and sends to the one with least under "
            "way; gateways that all send to all know too little of each other, and waits would be those of chance"
        )
    found.append("demands beyond the highest calibrated rate are taken as constant: an upper bound where servers batch")
    if spares != size.asked(known):
        found.append(
            f"{spares.machines} machines and {spares.replicas} replicas to spare where the intent asks for "
            f"{known.intent.spare}: its availability needs them"
        )
    for region in regions:
        processes = {name: tier.instances for name, tier in region.tiers.items() if tier.kind is Kind.SERVICE}
        asked = tiers.connections(known, processes=processes)
        room = int(region.tiers[str(Server.POSTGRES)].shape.memory_bytes * 0.5 / tiers.CONNECTION_BYTES)
        if asked > room:
            found.append(
                f"{region.name}: services may open {asked:,} connections to each PostgreSQL primary, which has room "
                f"for {room:,}: a pooler has to stand between, and is not priced"
            )
            break
    if known.demand.videos_ratio:
        found.append("videos are stored and sent; their transcoding was not calibrated and is not priced")
    terms = {tier.shape.term for region in regions for tier in region.tiers.values()}
    found.append(
        f"machines at {' and '.join(sorted(terms))} prices, everything else at list prices; {_dates(known, regions)}"
    )
    if known.sizes.assumed:
        found.append(f"sizes assumed, not stated: {', '.join(known.sizes.assumed)}")
    return tuple(found)


def _dates(known: Brief, regions: tuple[Region, ...]) -> str:
    """How old the prices are."""
    ids = {tier.shape.price_id for region in regions for tier in region.tiers.values()}
    ids |= {"cdn.cloudfront.https", "egress.internet", "object.standard.storage"}
    dates = sorted(known.book.at_term(each, known.intent.term).as_of for each in ids)
    return f"of {dates[0]} to {dates[-1]}, in the book of {known.book.built}"
