"""Shares of one operation in rates, needs and bill lines, so that it can have an uncertainty range of its own.

Rates are sums over the operations of a day; stored bytes and bill lines nearly are. A share is the relative increase of
a quantity with 1 % more of the operation, times a hundred. It is exact for linear quantities and valid near the plan
for others (a timeline that is cut at its depth). Miss ratios stay as planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from core.scenario import Scenario
from planning.plan.brief import Brief, brief
from planning.plan.queueing.distributions import Floats
from planning.plan.sizing import size, spending
from planning.plan.sizing.size import RegionPlan, Shapes, Spares
from planning.plan.sizing.spending import Spending

_STEP: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationShares:
    """Shares of one operation."""

    rates: Mapping[str, float]  # of requests, by operation
    needs: Mapping[tuple[str, str], float]  # of what a tier asks for, by tier and resource
    lines: tuple[float, ...]  # of the mean bill's quantities


def shares_of(
    known: Brief,
    act: str,
    *,
    here: RegionPlan,
    regions: tuple[RegionPlan, ...],
    shapes: Shapes,
    spares: Spares,
    spent: Spending,
) -> OperationShares:
    """Shares of ``act`` in a plan; needs are those of the region ``here``."""
    other = brief(_more(known.scenario, act), known.profile, known.book)
    there = size.region(other, here.name, shapes, spares)
    exact = {(name, need.resource): need.exact for name, tier in there.tiers.items() for need in tier.needs}
    lines = spending.over_horizon(other, regions).mean.items
    return OperationShares(
        rates={name: _share(rate, other.workload.per_second[name]) for name, rate in known.workload.per_second.items()},
        needs={
            (name, need.resource): _share(need.exact, exact.get((name, need.resource), need.exact))
            for name, tier in here.tiers.items()
            for need in tier.needs
        },
        lines=tuple(_share(one.quantity, two.quantity) for one, two in zip(spent.mean.items, lines, strict=True)),
    )


def grown(pairs: list[tuple[float, Floats]]) -> Floats:
    """Growth factor of something, from (share, factor) of each operation."""
    total = np.ones(1)
    for share, factor in pairs:
        total = total + share * (factor - 1.0)
    return np.asarray(np.maximum(total, 0.0), dtype=np.float64)


def _share(one: float, two: float) -> float:
    return (two / one - 1.0) / _STEP if one else 0.0


def _more(scenario: Scenario, act: str) -> Scenario:
    demand = scenario.demand
    assert demand is not None  # there is a brief
    per_day = {name: count * (1.0 + _STEP * (name == act)) for name, count in demand.per_day.items()}
    return replace(scenario, demand=replace(demand, per_day=per_day))
