"""The plan as one value: counts, prices, outlook, availability and uncertainty.

`make` sizes the fleet on the cheapest machines, raises the spares until the machines' part of the availability holds,
prices the horizon, examines every moment, and plans again to see what a little more of everything would cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from core.names import Server
from core.profile import Profile
from core.scenario import Scenario
from core.scenario.reach import ScenarioSide, without_effect
from planning.cost import age
from planning.cost.age import Aged
from planning.cost.bill import Bill
from planning.cost.prices import PriceBook
from planning.plan.brief import SPOT, Brief, GroupKind, PlanError, brief
from planning.plan.certainty import outlook, uncertainty
from planning.plan.certainty.outlook import Outlook
from planning.plan.certainty.uncertainty import Uncertainty
from planning.plan.demand.workload import Moment
from planning.plan.queueing.latency import ERROR_RATIO
from planning.plan.sizing import candidates, margins, size, spending, terms, tiers
from planning.plan.sizing.availability import Availability
from planning.plan.sizing.caches import Caches
from planning.plan.sizing.candidates import Excuse
from planning.plan.sizing.margins import Margin
from planning.plan.sizing.size import RegionPlan, Shapes, Spares
from planning.plan.sizing.spares import reached
from planning.plan.sizing.spending import Spending
from planning.plan.sizing.terms import Paid


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The result of `windtunnel plan`."""

    brief: Brief
    shapes: Shapes
    spares: Spares
    regions: tuple[RegionPlan, ...]
    excuses: tuple[Excuse, ...]
    spending: Spending
    outlook: Outlook  # of the largest region; the others differ from it by whole numbers
    availability: Availability
    caches: Caches
    margins: tuple[Margin, ...]
    aged: Aged  # the bill, by the age of its prices
    paid: tuple[Paid, ...]  # at one term for everything, and at what this plan has
    uncertainty: Uncertainty | None
    present: PresentFleet | None
    notes: tuple[str, ...]

    @property
    def bill(self) -> Bill:
        """The mean month of the horizon."""
        return self.spending.mean

    @property
    def held(self) -> bool:
        """Whether every percentile and the availability hold, and every group has an instance left."""
        return self.availability.held and not self.nothing_left and all(each.held for each in self.outlook.percentiles)

    @property
    def nothing_left(self) -> tuple[str, ...]:
        """Groups without a working instance when the spares are down, because too few are given."""
        return tuple(name for name, tier in self.regions[0].tiers.items() if tier.nothing_left)

    @property
    def largest(self) -> RegionPlan:
        return next(region for region in self.regions if region.name == self.outlook.region)

    @property
    def machines(self) -> int:
        return sum(region.machines for region in self.regions)

    def count(self, group: str) -> int:
        """Instances of a group in all regions."""
        return sum(region.tiers[group].instances for region in self.regions)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentFleet:
    """The fleet of today under the same demand and intent."""

    counts: Mapping[str, int]  # instances by group, in each region
    plan: Plan | None
    impossible: str  # why there is no plan


def make(
    scenario: Scenario,
    profile: Profile,
    book: PriceBook,
    *,
    today: date | None = None,
    sure: bool = True,
    more: bool = True,
) -> Plan:
    """Plan a scenario's demand for its intent. ``sure`` adds the uncertainty from the intent's ranges, ``more`` the
    cost of a little more of everything and of other terms of payment. The age of prices is counted until ``today``, by
    default until the day of the book.

    Raises PlanError if there is no such fleet and PriceError if something is not sold.
    """
    known = brief(scenario, profile, book)
    choice = candidates.choose(known)
    spares, regions, expected = reached(known, choice.shapes, choice.regions, 1.0 - known.intent.availability_ratio)
    spent = spending.over_horizon(known, regions)
    aged = age.age_of(spent.mean, book, today or book.day)
    largest = max(regions, key=lambda each: known.workload.factor(each.name, Moment.LOST))
    return Plan(
        brief=known,
        shapes=choice.shapes,
        spares=spares,
        regions=regions,
        excuses=choice.excuses,
        spending=spent,
        outlook=outlook.outlook_of(known, largest),
        availability=expected,
        caches=Caches.of(known),
        margins=margins.margins_of(known, choice, spares, spent) if more else (),
        aged=aged,
        paid=terms.compare(known, regions, spares, spent) if more else (),
        uncertainty=uncertainty.uncertainty_of(
            known, regions, choice.shapes, spares, spent, error_ratio=ERROR_RATIO, aged=aged
        )
        if sure
        else None,
        present=_present(scenario, profile, book, choice.shapes),
        notes=_notes(known, regions, spares, aged),
    )


def _present(scenario: Scenario, profile: Profile, book: PriceBook, shapes: Shapes) -> PresentFleet | None:
    """What the intent's present fleet does, on the machines that were chosen for the plan; groups that it does not name
    are planned."""
    intent = scenario.intent
    if intent is None or not intent.present:
        return None
    chosen = {name: shape.price_id for name, shape in shapes.stores.items()}
    chosen["services"] = next(iter(shapes.services.values())).price_id
    counts = {**intent.fleet, **intent.present}
    given = replace(intent, fleet=counts, present={}, shapes={**chosen, **intent.shapes})
    try:
        plan, wrong = make(replace(scenario, intent=given), profile, book, sure=False, more=False), ""
    except PlanError as error:
        plan, wrong = None, str(error).replace("intent.fleet.", "intent.present.")
    return PresentFleet(counts=intent.present, plan=plan, impossible=wrong)


def _notes(known: Brief, regions: tuple[RegionPlan, ...], spares: Spares, aged: Aged) -> tuple[str, ...]:
    """Assumptions and limits that a reader must know."""
    found = [*known.demands.notes, *without_effect(known.scenario, ScenarioSide.PLAN)]
    core = known.demands.core
    found.append(
        f"CPU by profile {known.profile.id}, whose core does the work of {core.ghz:.3g} GHz of 2017 "
        f"{_measured(known)}; the cores of machines for sale by clock × instructions a cycle, which no benchmark of "
        "this code has checked"
    )
    if any(region.tiers[str(Server.GATEWAY)].working > 1 for region in regions):
        found.append(_balancing(known.intent.gateways_together))
    found.append("demands beyond the highest calibrated rate are taken as constant: an upper bound where servers batch")
    replicas = known.intent.replicas
    if replicas is not None and replicas < known.intent.spare:
        found.append(
            f"intent.replicas: {replicas} is not what is planned: {known.intent.spare} of every group may be down "
            f"(intent.spare: {known.intent.spare}), primaries too, and then a replica has to serve; with "
            "intent.spare: 0 none is needed"
        )
    elif replicas is not None and spares.replicas > replicas:
        found.append(
            f"intent.replicas: {replicas} is not what is planned: the availability asked for needs {spares.replicas}"
        )
    if spares != size.asked(known):
        spot = f", {spares.spot} spot machines" if SPOT in known.service_terms else ""
        found.append(
            f"{spares.machines} machines{spot} and {spares.replicas} replicas to spare where the intent asks for "
            f"{known.intent.spare}: its availability needs them"
        )
    if SPOT in known.service_terms:
        found.append(
            "spot machines are assumed to be reclaimed one by one; a provider that needs many of a kind reclaims many "
            "at once, and then there may be no others"
        )
    if known.kept_off_spot:
        found.append(f"{', '.join(known.kept_off_spot)} not on spot: what they keep would be lost")
    for region in regions:
        processes = {name: tier.instances for name, tier in region.tiers.items() if tier.kind is GroupKind.SERVICE}
        asked = tiers.connections(known, processes=processes)
        room = int(region.tiers[str(Server.POSTGRES)].shape.memory_bytes * 0.5 / tiers.CONNECTION_BYTES)
        if asked > room:
            found.append(
                f"{region.name}: services may open {asked:,} connections to each PostgreSQL primary, which has room "
                f"for {room:,}: a connection pooler is needed between them, and is not priced"
            )
            break
    if known.demand.videos_ratio:
        found.append(
            "videos are stored as they are uploaded and their renditions as demand.sizes.variants; that they are sent "
            "to readers and transcoded is neither calibrated nor priced"
        )
    found.append(_dates(known, regions, aged))
    if known.sizes.assumed:
        names = ", ".join(name.removesuffix("_bytes") for name in known.sizes.assumed)
        found.append(f"sizes assumed, not stated: {names}")
    return tuple(found)


def _measured(known: Brief) -> str:
    return "(by the fixed work)" if known.profile.fixed_work is not None else "(by its name, or assumed: no fixed work)"


def _balancing(together: int) -> str:
    if together == 1:
        return (
            "every gateway has its own share of each service's instances and sends to the one with the fewest requests "
            "in progress; gateways that share instances know too little of each other (intent.gateways_together)"
        )
    return (
        f"{together:,} gateways share instances, and each sends to the one with the fewest requests in progress among "
        "those that it sent itself: the more gateways, the closer waits are to those under random choice"
    )


def _dates(known: Brief, regions: tuple[RegionPlan, ...], aged: Aged) -> str:
    """How machines are paid, and how old the prices are."""
    paid = sorted({tier.shape.term.replace("_", " ") for region in regions for tier in region.tiers.values()})
    undated = f"; without a date, and treated as the oldest: {', '.join(aged.undated)}" if aged.undated else ""
    return (
        f"machines at {' and '.join(paid)} prices, everything else at list prices; dated {aged.oldest} to "
        f"{aged.newest}, {aged.mean_years:.1f} y old on average by dollars; that a price may move "
        f"{aged.moves_year_ratio:.0%} a year is an assumption of book {known.book.book}{undated}"
    )
