"""Margins: the cost of a little more of everything, by planning again on the same machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from core.scenario import Scenario
from core.scenario.units import Below
from planning.cost.prices import PriceError
from planning.plan.brief import Brief, PlanError, brief
from planning.plan.sizing import candidates, spending
from planning.plan.sizing.candidates import Choice
from planning.plan.sizing.size import Spares
from planning.plan.sizing.spares import reached
from planning.plan.sizing.spending import Spending

#: By how much demand is raised and limits are tightened, to see the cost.
MORE_DEMAND: Final = 1.1
STRICTER_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The cost of a little more of something. ``dollars_month`` is None if it is impossible; ``says`` has the
    reason."""

    name: str
    dollars_month: float | None
    says: str = ""


def margins_of(known: Brief, choice: Choice, spares: Spares, spent: Spending) -> tuple[Margin, ...]:
    """More demand, stricter limits, one more nine."""
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
        dollars = again(change)
        return Margin(name=name, dollars_month=dollars, says="" if dollars else "no count changes")
    except (PlanError, PriceError) as error:
        return Margin(name=name, dollars_month=None, says=str(error))


def _one_more_nine(known: Brief, choice: Choice, spares: Spares, spent: Spending) -> Margin:
    """The smallest change that makes the expected downtime less than a tenth of the intent's."""
    wanted = (1.0 - known.intent.availability_ratio) / 10.0
    name = f"one more nine, {100.0 * (1.0 - wanted):.8g} %"
    more, regions, found = reached(known, choice.shapes, choice.regions, wanted)
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
        more, regions, found = reached(other, choice.shapes, candidates.fleet(other, choice.shapes), wanted)
        says = f"with {lose} region{'s' if lose > 1 else ''} to lose"
        if found.down_ratio > wanted:
            return Margin(name=name, dollars_month=None, says=f"{found.causes[0].name} takes more even {says}")
    if more == spares and other is known:
        return Margin(name=name, dollars_month=0.0, says="the machines of this plan already reach it")
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
