"""The fleet, estimated from the cells that were simulated: every figure with its 95 % interval over cells.

Cells are independent and identically distributed, so the estimates are unbiased: totals (requests, busy cores, dollars)
are N times a cell's, and a percentile is that of all cells' requests together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from core import stats
from core.scenario import Scenario
from core.stats import Estimate
from planning.cost import bill, prices
from planning.cost.quantities import Quantities
from planning.fleet.seen import SimulatedCell
from planning.plan.demand import contents
from sim.results.outcomes import MOMENTS, Floats
from sim.results.replications import StoppingRule, StoppingVerdict, half_width_ratio, pooled_interval, pseudo_values
from sim.results.warmup import mser

QUANTILES: Final = (0.5, 0.95, 0.99)
#: The percentile whose interval says whether there are enough cells.
WATCHED: Final = 0.99
#: Standard errors beyond which two means differ.
_DOUBT: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFigures:
    """One operation of the whole fleet."""

    name: str
    count: int  # requests of all cells that were simulated
    per_second: Estimate  # asked of the fleet
    answered_per_second: Estimate
    errors_ratio: Estimate
    least_count: int  # requests of the cell that had the fewest
    quantiles: Mapping[float, Estimate | None]  # seconds; None if there are too few requests

    @property
    def carried(self) -> bool:
        """Whether one cell has enough requests for the watched percentile."""
        return stats.supported(self.least_count, WATCHED)

    @property
    def half_width_ratio(self) -> float | None:
        """Half of the interval of the watched percentile, over the figure."""
        found = self.quantiles[WATCHED]
        return None if found is None else half_width_ratio(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Figures of a fleet: its scenario, the number of its cells, and ``seen``, the cells that were simulated."""

    scenario: Scenario
    count: int
    seen: tuple[SimulatedCell, ...]
    operations: tuple[OperationFigures, ...]
    busy_ratio: Mapping[str, Estimate]  # by tier, the busiest first
    hit_ratio: Mapping[str, Estimate]  # by cache
    dollars_month: Estimate | None  # of this load, all month
    not_priced: str  # why there are no dollars
    settled_seconds: float | None  # when a cell becomes steady, from t0; None if unknown

    @property
    def unsteady(self) -> str:
        """What saturates in a cell; empty in a steady state."""
        return next((each.unsteady for each in self.seen if each.unsteady), "")


def whole(scenario: Scenario, count: int, seen: Sequence[SimulatedCell]) -> Fleet:
    """Estimate a fleet of ``count`` cells from those that were simulated."""
    names = sorted({name for each in seen for name in each.services})
    tiers = {tier: over([each.busy_ratio[tier] for each in seen]) for tier in seen[0].busy_ratio}
    caches = sorted({name for each in seen for name in each.look_ups})
    dollars, why_not = _dollars(scenario, count, seen)
    return Fleet(
        scenario=scenario,
        count=count,
        seen=tuple(seen),
        operations=tuple(_operation(name, scenario, count, seen) for name in names),
        busy_ratio=dict(sorted(tiers.items(), key=lambda each: -each[1].value)),
        hit_ratio={name: _hits(name, seen) for name in caches},
        dollars_month=dollars,
        not_priced=why_not,
        settled_seconds=_settled_seconds(scenario, seen),
    )


def watched(fleet: Fleet, operation: OperationFigures) -> bool:
    """Whether an operation's percentile decides if there are enough cells: one that a single cell's requests support
    or, if there is no such operation, one that the requests of all cells support."""
    if any(each.carried for each in fleet.operations):
        return operation.carried
    return operation.least_count > 0 and operation.quantiles[WATCHED] is not None


def verdicts(fleet: Fleet, rule: StoppingRule) -> dict[str, StoppingVerdict | None]:
    """The stopping rule's verdict for each operation's percentile; None if it is not watched."""
    return {
        each.name: rule.verdict(pseudo_values([seen.services[each.name].latency for seen in fleet.seen], WATCHED))
        if watched(fleet, each)
        else None
        for each in fleet.operations
    }


def _operation(name: str, scenario: Scenario, count: int, seen: Sequence[SimulatedCell]) -> OperationFigures:
    seconds = scenario.traffic.duration_seconds
    services = [each.services[name] for each in seen if name in each.services]
    missing = len(seen) - len(services)  # cells without a request for it
    least = 0 if missing else min(service.count for service in services)
    latencies = [service.latency for service in services]
    total = sum(service.count for service in services)
    return OperationFigures(
        name=name,
        count=total,
        per_second=over([service.count / seconds * count for service in services] + [0.0] * missing),
        answered_per_second=over([service.answered_count / seconds * count for service in services] + [0.0] * missing),
        errors_ratio=share([service.errors_ratio for service in services], total),
        least_count=least,
        quantiles={
            q: _positive(pooled_interval(latencies, q)) if stats.supported(total, q) else None for q in QUANTILES
        },
    )


def _positive(found: Estimate) -> Estimate:
    """An interval does not go below zero, as no figure does."""
    return replace(found, low=max(0.0, found.low))


def over(values: Sequence[float]) -> Estimate:
    """Mean over cells."""
    return _positive(stats.mean_interval(values))


def share(ratios: Sequence[float], total: int) -> Estimate:
    """Mean of a share over cells; if no event was seen, with the upper bound 3 / n."""
    if not any(ratios):
        return Estimate(value=0.0, low=0.0, high=stats.unseen_ratio_max(total))
    found = over(ratios)
    return replace(found, high=min(1.0, found.high))


def _hits(name: str, seen: Sequence[SimulatedCell]) -> Estimate:
    pairs = [each.look_ups[name] for each in seen if name in each.look_ups]
    found = over([hits / (hits + misses) for hits, misses in pairs])
    return replace(found, high=min(1.0, found.high))


def _dollars(scenario: Scenario, count: int, seen: Sequence[SimulatedCell]) -> tuple[Estimate | None, str]:
    try:
        book = prices.read(scenario.prices)
        bills = [bill.bill(fleet_of(each.quantities, scenario, count), book) for each in seen]
        return over([each.total_dollars_month for each in bills]), ""
    except prices.PriceError as error:
        return None, str(error)


def fleet_of(cell: Quantities, scenario: Scenario, count: int) -> Quantities:
    """What the fleet uses: N times a cell's; bytes as the scenario states them where it does."""
    sizes = cell.sizes if scenario.demand is None else contents.sizes_of(scenario, scenario.demand)
    nodes = scenario.system.redis.nodes * len(scenario.system.regions)
    return replace(
        cell,
        cores={name: cores * count for name, cores in cell.cores.items()},
        per_second={name: rate * count for name, rate in cell.per_second.items()},
        answered_per_second={name: rate * count for name, rate in cell.answered_per_second.items()},
        redis_memory_bytes=float(scenario.system.redis.memory_bytes * nodes * count),
        sizes=sizes,
        people=scenario.population.people,
    )


def changes(scenario: Scenario) -> bool:
    """Whether what a scenario asks for changes with time."""
    load = scenario.traffic
    return load.arrivals == "diurnal" or load.viral is not None or bool(load.phases or scenario.faults)


def _settled_seconds(scenario: Scenario, seen: Sequence[SimulatedCell]) -> float | None:
    """When a cell becomes steady, by MSER-5 over the mean of all cells; None if unknown, because the traffic changes or
    the run is too short.

    MSER may discard any part of a series without a trend, so what it discards of the judged time counts only if its
    mean differs significantly.
    """
    load = scenario.traffic
    if changes(scenario):
        return None
    means = np.array([each.means for each in seen])
    known = np.isfinite(means).any(axis=0)  # seconds with requests
    series = np.nanmean(means[:, known], axis=0)
    found, begin = mser(series), int(known[: math.ceil(load.warm_up_seconds) * MOMENTS].sum())
    if found.too_short:
        return None
    early, late = (_seconds(part) for part in (series[begin : found.drop_count], series[found.drop_count :]))
    if len(early) and abs(early.mean() - late.mean()) < _DOUBT * late.std() * math.sqrt(1 / len(early) + 1 / len(late)):
        return 0.0
    return (found.drop_count - begin) / MOMENTS


def _seconds(series: Floats) -> Floats:
    """Means of whole seconds; a remainder at the end is dropped."""
    whole = len(series) // MOMENTS * MOMENTS
    means: Floats = series[:whole].reshape(-1, MOMENTS).mean(axis=1)
    return means
