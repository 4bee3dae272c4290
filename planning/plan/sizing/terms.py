"""Terms: the cost of the fleet at other terms of payment, planned again for each term in the book.

Stores stay on demand where the services are on spot. A term without a price in the book is reported as such. Reserved
machines are owed for all of their years, however short the horizon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, get_args

from core.scenario.intent import DEFAULT, Term
from planning.cost.prices import PriceError
from planning.plan.brief import Brief, PlanError, brief
from planning.plan.sizing import autoscaling, candidates, spending
from planning.plan.sizing.size import RegionPlan, Spares
from planning.plan.sizing.spares import reached
from planning.plan.sizing.spending import Spending

TERMS: Final[tuple[Term, ...]] = get_args(Term)
#: Months for which a machine is owed.
OWED_MONTHS: Final[Mapping[str, int]] = {"reserved_1y": 12, "reserved_3y": 36}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """The mean month's bill with machines paid so; no dollars where the book has no such price, and ``says`` which."""

    term: str
    planned: bool  # as the intent has it
    dollars_month: float | None
    owed_dollars: float = 0.0  # for reserved machines, over all of their months
    owed_months: int = 0  # the longest of those; 0 where it can be ended at any time
    spares: Spares | None = None
    says: str = ""


def compare(known: Brief, regions: tuple[RegionPlan, ...], spares: Spares, spent: Spending) -> tuple[Paid, ...]:
    """This plan first, then everything at each other term."""
    own = known.intent.term or {DEFAULT: TERMS[0]}
    name = ", ".join(term if group == DEFAULT else f"{group} {term}" for group, term in own.items())
    found = [_paid(name, regions, spares, spent, planned=True)]
    if known.intent.autoscale_lag_seconds is not None:
        found.append(_autoscaled(known, regions, spares, spent, lag_seconds=known.intent.autoscale_lag_seconds))
    return (*found, *(_at(known, term) for term in TERMS if own != {DEFAULT: term}))


def _autoscaled(
    known: Brief, regions: tuple[RegionPlan, ...], spares: Spares, spent: Spending, *, lag_seconds: float
) -> Paid:
    """As planned, with services' machines that follow the load of a mean day."""
    factor = known.demand.peak_factor
    found = autoscaling.followed(regions, peak_factor=factor, lag_seconds=lag_seconds)
    return Paid(
        term="autoscaled",
        planned=False,
        dollars_month=spent.mean.total_dollars_month - found.saved_dollars_month,
        owed_dollars=sum(dollars * OWED_MONTHS.get(term, 0) for term, dollars in _machines(regions)),
        owed_months=max((OWED_MONTHS.get(term, 0) for term, _ in _machines(regions)), default=0),
        spares=spares,
        says=f"{lag_seconds / 60.0:g} min behind the load: on average {found.mean:.3g} of the {found.working:,} "
        "machines of services that the worst hour needs",
    )


def _at(known: Brief, term: Term) -> Paid:
    intent = replace(known.intent, term={DEFAULT: term})
    try:
        other = brief(replace(known.scenario, intent=intent), known.profile, known.book)
        choice = candidates.choose(other)
        spares, regions, _ = reached(other, choice.shapes, choice.regions, 1.0 - intent.availability_ratio)
        return _paid(term, regions, spares, spending.over_horizon(other, regions), planned=False)
    except (PlanError, PriceError) as error:
        return Paid(term=term, planned=False, dollars_month=None, says=str(error))


def _paid(name: str, regions: tuple[RegionPlan, ...], spares: Spares, spent: Spending, *, planned: bool) -> Paid:
    return Paid(
        term=name,
        planned=planned,
        dollars_month=spent.mean.total_dollars_month,
        owed_dollars=sum(dollars * OWED_MONTHS.get(term, 0) for term, dollars in _machines(regions)),
        owed_months=max((OWED_MONTHS.get(term, 0) for term, _ in _machines(regions)), default=0),
        spares=spares,
    )


def _machines(regions: Iterable[RegionPlan]) -> Iterator[tuple[str, float]]:
    """(term, dollars a month) of the machines of every pool and store."""
    for region in regions:
        for pool in region.pools:
            yield pool.term, pool.machines * pool.shape.dollars_month
        for tier in region.tiers.values():
            if tier.machines:
                yield tier.shape.term, tier.machines * tier.shape.dollars_month
