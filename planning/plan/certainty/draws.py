"""Evaluates a plan for many draws at once: limits on the planned fleet, the fleet that each draw needs, and its bill.

In a draw every uncertain input has one value. Regions differ only in size, so only the largest is evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.names import Cache, Server
from planning.cost.growth import GrowsWith
from planning.cost.prices import Price, PriceBook, Quantity
from planning.plan.brief import Brief, Case, GroupKind
from planning.plan.demand.workload import Moment
from planning.plan.queueing.distributions import Floats
from planning.plan.queueing.loads import GroupLoad
from planning.plan.sizing import availability, fleets, per_operation, size, targets, tiers
from planning.plan.sizing.availability import Often
from planning.plan.sizing.shapes import Shape
from planning.plan.sizing.size import RegionPlan, Shapes, Spares
from planning.plan.sizing.spending import Spending

#: A client gives up after this; a queue that grows without bound counts as this late.
LATEST_SECONDS: Final = 30.0
#: Outputs other than latencies: dollars a month, and minutes a month.
BILL: Final = "bill"
DOWN: Final = "downtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawResults:
    """Outputs by draw."""

    values: Mapping[str, Floats]
    met: Floats
    met_slow: Floats
    met_fast: Floats
    short: Floats
    need: Floats


class DrawModel:
    """Evaluates a plan for many draws, on the largest region."""

    def __init__(
        self,
        brief: Brief,
        regions: tuple[RegionPlan, ...],
        shapes: Shapes,
        spares: Spares,
        spending: Spending,
        error_ratio: float,
    ):
        self.brief, self.spending = brief, spending
        self._regions, self._error = regions, error_ratio
        self.region = max(regions, key=lambda each: brief.workload.factor(each.name, Moment.LOST))
        self.limits = targets.limits(brief)
        self._offers = {
            group: size.offer(brief, self.region.name, group, shapes, self.region.volume, spares)
            for group in size.counted(brief)
        }
        self._shares = {
            one: per_operation.shares_of(
                brief, one, here=self.region, regions=regions, shapes=shapes, spares=spares, spent=spending
            )
            for kind, _, one in (name.partition(".") for name in brief.intent.ranges)
            if kind == "demand" and one
        }
        self._families = targets.families(brief, self.region.load_of, self._offers)

    def evaluate(self, drawn: Mapping[str, Floats]) -> DrawResults:
        brief, region = self.brief, self.region
        inputs = _Inputs(drawn)
        growth = self._growth(inputs.of("growth"))
        case = Case(
            rate_of=self._rates(inputs),
            rate=inputs.of("demand") * growth * inputs.of("peak"),
            cpu=inputs.of("cpu"),
            misses=inputs.of("misses"),
            follows=inputs.of("follows"),
            images=inputs.of("images"),
            round_trip=inputs.of("round_trip"),
            cpu_of=inputs.each("cpu"),
            misses_of=inputs.each("misses"),
        )
        load_of = fleets.load(brief, brief.workload.rates(region.name, Moment.LOST), case)
        counts = {name: size.left(tier, Moment.LOST) for name, tier in region.tiers.items()}
        whole = fleets.fleet(brief, load_of, counts, region.units, case)
        values: dict[str, Floats] = {}
        met, slow, fast = np.ones(inputs.shape), np.ones(inputs.shape), np.ones(inputs.shape)
        for limit in self.limits:
            mixture = targets.latency(brief, whole, limit.name, case)
            values[limit.text] = np.minimum(mixture.quantile(limit.level), LATEST_SECONDS)
            for factor, kept in ((1.0, met), (1.0 + self._error, slow), (1.0 - self._error, fast)):
                kept *= mixture.below(limit.seconds / factor) >= limit.level
        if any(tier.nothing_left for tier in region.tiers.values()):
            for kept in (met, slow, fast):
                kept[:] = 0.0
        need, machines = self._need(load_of, case, inputs, growth, met > 0)
        values[BILL] = machines + self._volumes(case, inputs, growth)
        if any(name.startswith("failures") for name in drawn):
            values[DOWN] = self._down(inputs)
        return DrawResults(
            values=values,
            met=met,
            met_slow=slow,
            met_fast=fast,
            short=np.asarray((met < 1) | (need > 1.0 + 1e-9), dtype=np.float64),
            need=need,
        )

    def _grown(self, inputs: _Inputs, shares: list[tuple[str, float]]) -> Floats:
        """Growth factor of something of which each operation with its own range has a share."""
        return per_operation.grown([(share, inputs.of(f"demand.{act}")) for act, share in shares])

    def _rates(self, inputs: _Inputs) -> dict[str, Floats]:
        """Factors by operation, if any operation has a range of its own."""
        names = self.brief.workload.per_second if self._shares else ()
        return {
            name: self._grown(inputs, [(act, each.rates[name]) for act, each in self._shares.items()]) for name in names
        }

    def _growth(self, factor: Floats) -> Floats:
        intent = self.brief.intent
        return np.asarray(
            ((1.0 + intent.growth_ratio * factor) / (1.0 + intent.growth_ratio)) ** intent.years, dtype=np.float64
        )

    def _down(self, inputs: _Inputs) -> Floats:
        """Minutes a month in which people are not served."""
        often = {name: inputs.of("failures") * inputs.of(f"failures.{name}") for name in ("node", "region", "spot")}
        return availability.down(self.brief, self._regions, Often(**often)) * availability.MONTH_MINUTES

    def _need(
        self,
        load_of: Mapping[str, GroupLoad],
        case: Case,
        inputs: _Inputs,
        growth: Floats,
        met: np.typing.NDArray[np.bool_],
    ) -> tuple[Floats, Floats]:
        """(factor by which the fleet would have to grow, dollars a month of the machines that are needed). If the
        limits are ``met``, the planned counts are enough for them."""
        busy = targets.many(self.brief, load_of, self._offers, self._families, case)
        stored = inputs.of("demand") * growth
        grows = {
            "memory": stored * inputs.of("memory"),
            "disk": stored * inputs.of("rows"),
            "disk operations": case.rate,
            "network": case.rate * inputs.of("bytes"),
        }
        need, dollars = np.zeros(1), np.zeros(1)
        processes = dict.fromkeys(self.brief.service_terms, np.zeros(1))
        for name, tier in self.region.tiers.items():
            cores = load_of.get(name, GroupLoad()).cores * case.cpu
            planned = self.region.load_of.get(name, GroupLoad()).cores
            asked = cores / (tier.unit.work * busy[name])
            enough = np.maximum(cores / (tier.unit.work * self.brief.intent.busy_ratio), float(tier.working))
            asked = np.where(met, np.fmin(asked, enough), asked)
            loops = size.loops_of(tier.shape) if name == Server.REDIS else 1
            for each in tier.needs:
                if each.resource in grows:
                    shares = [(act, known.needs[name, each.resource]) for act, known in self._shares.items()]
                    factor = grows[each.resource] * self._grown(inputs, shares)
                    asked = np.maximum(asked, each.exact * loops * factor)
                elif each.resource in (tiers.REQUESTS, tiers.PHOTOS):
                    asked = np.maximum(asked, each.exact * cores / planned)
            need = np.maximum(need, asked / tier.working)
            whole = np.maximum(1.0, np.ceil(asked - 1e-9))
            if tier.kind is GroupKind.SERVICE:
                term = self.brief.terms[name]
                processes[term] = processes[term] + whole * tier.instances / tier.working
            else:
                least = tier.working if name == Server.KAFKA and tier.binds.resource == "majority" else 1.0
                nodes = np.maximum(whole, least) / tier.working * tier.machines
                dollars = dollars + nodes * self._machine(tier.shape, inputs)
        for pool in self.region.pools:
            planned_count = sum(self.region.tiers[name].instances for name in pool.groups)
            needed = np.maximum(1.0, np.ceil(processes[pool.term] / planned_count * pool.working - 1e-9))
            dollars = dollars + (needed + pool.machines - pool.working) * self._machine(pool.shape, inputs)
        scale = sum(each.dollars_month for each in self._regions) / self.region.dollars_month
        endless = np.where(np.isnan(dollars), np.inf, dollars)  # of a draw that no fleet holds
        return np.where(np.isnan(need), np.inf, need), endless * scale

    def _machine(self, shape: Shape, inputs: _Inputs) -> Floats:
        """Dollars a month of one machine, at every draw's prices."""
        return shape.dollars_month * inputs.price(shape.price_id)

    def _volumes(self, case: Case, inputs: _Inputs, growth: Floats) -> Floats:
        """Dollars a month for everything sold by use, at every draw's quantities."""
        missed = fleets.misses(self.brief, case)
        usual = self.brief.miss_ratio
        past_both = [missed[name] / usual[name] if usual[name] else np.ones(1) for name in (Cache.EDGE, Cache.SHIELD)]
        factors = {each: inputs.of(each.value) for each in (GrowsWith.BYTES, GrowsWith.IMAGES, GrowsWith.ROWS)}
        # of the mean month, half-way to the end of the horizon
        factors[GrowsWith.RATE] = inputs.of("demand") * np.sqrt(growth)
        factors[GrowsWith.MISSES] = past_both[0] * past_both[1]
        total = np.zeros(1)
        for index, item in enumerate(self.spending.mean.items):
            if GrowsWith.MACHINES in item.grows_with:
                continue  # `_need` counts them
            own = self._grown(inputs, [(act, known.lines[index]) for act, known in self._shares.items()])
            quantity = item.quantity * own * np.ones(growth.shape)
            for each in item.grows_with:
                quantity = quantity * factors[each]
            dollars = _dollars(self.brief.book, item.price_id, item.unit, quantity)
            total = total + dollars * inputs.price(item.price_id)
        return total


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Factors by input, 1 for those that have no range."""

    drawn: Mapping[str, Floats]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of every factor: one entry for each draw."""
        return next(iter(self.drawn.values())).shape

    def of(self, name: str) -> Floats:
        """The factor of one input."""
        return np.broadcast_to(self.drawn.get(name, np.ones(1)), self.shape)

    def each(self, kind: str) -> dict[str, Floats]:
        """Factors of a kind by name: ``cpu.feed.read`` is that of ``feed.read``."""
        return {name.partition(".")[2]: factor for name, factor in self.drawn.items() if name.startswith(f"{kind}.")}

    def price(self, price_id: str) -> Floats:
        """The factor on one price from all ranges of prices."""
        found = self.of("prices")
        for start, factor in self.each("prices").items():
            found = found * factor if price_id.startswith(start) else found
        return found


def _dollars(book: PriceBook, price_id: str, unit: str, quantity: Floats) -> Floats:
    """`Price.dollars` for many quantities: it is linear between the bounds of the tiers."""
    price = book.price(price_id)
    lot = _unit_size(price, unit)
    units = quantity / lot
    if price.rate is not None:
        return units * price.rate
    total, below = np.zeros_like(units), 0.0
    for bound, dollars in price.tiers:
        upper = np.inf if bound is None else bound
        total = total + np.clip(units - below, 0.0, upper - below) * dollars
        below = upper
    return total


def _unit_size(price: Price, unit: str) -> float:
    """The number of ``unit`` in one unit of the price."""
    one = price.units(Quantity(amount=1.0, unit=unit))
    return 1.0 / one
