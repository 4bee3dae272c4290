"""Uncertainty of a plan's inputs: are the limits sure to hold, how often is the fleet short, what moves the bill?

Every sample is one world: the inputs are drawn from their ranges and the closed forms are evaluated for all worlds at
once, on the planned fleet (do the limits hold, is anything full?) and on the fleet that this world would have needed.
This is uncertainty of the inputs alone; the error of the closed forms is told apart (`latency.ERROR_RATIO`).

A fleet is *short* in a world in which it misses a limit, or a tier is busier than it was planned to be, or something is
full. A world's *need* is the factor by which the planned fleet would have to grow for it. If a dollar of missing fleet
is regretted as w dollars that idle, regret is least at the w/(1 + w) quantile of the need (the newsvendor's answer),
and that fleet is short in 1/(1 + w) of all worlds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from core.names import Server
from core.scenario.intent import Range
from sim.cost.prices import Price, PriceBook
from sim.planner import fleets, outlook, size, targets, tiers
from sim.planner.brief import Brief, Case, Kind
from sim.planner.distributions import Floats
from sim.planner.loads import Load
from sim.planner.size import Region, Shapes, Spares
from sim.planner.spending import Spending
from sim.planner.targets import Limit
from sim.planner.workload import Moment

#: Base samples of Saltelli's scheme: with k inputs (k + 2) × as many worlds are evaluated.
SAMPLES: Final = 1_024
#: A client gives up after this, and a queue that grows without end is as late as that.
LATEST_SECONDS: Final = 30.0
_SEED: Final = 20_261_121
#: 95 % quantile of the standard normal distribution.
_Z95: Final = 1.6448536269514722
#: What each line of a bill grows with.
_LINES: Final[Mapping[str, tuple[str, ...]]] = {
    "cdn.cloudfront.egress": ("rate", "bytes"),
    "cdn.cloudfront.https": ("rate",),
    "cdn.cloudfront.origin_fetch": ("rate", "bytes", "misses", "misses"),
    "object.standard.storage": ("rate", "bytes"),
    "object.standard.put": ("rate",),
    "object.standard.get": ("rate", "misses", "misses"),
    "egress.internet": ("rate", "bytes"),
    "egress.crossaz": ("rate",),
    "egress.interregion": ("rate", "bytes"),
    "block.gp3": ("rate",),
    "pg.rds.gp3": ("rate",),
    "kafka.msk.storage": ("rate",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Sobol indices of one input: the share of an output's variance that is its own, and with all interactions."""

    name: str
    first: float
    total: float
    total_error: float  # half width of a 95 % interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """An output with one input at its low and at its high end, all others in the middle."""

    name: str
    low: float
    high: float

    @property
    def swing(self) -> float:
        """How far it moves."""
        return abs(self.high - self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One figure of a plan over all worlds. Latency is in seconds, the bill in dollars a month."""

    name: str
    unit: str
    middle: float  # with all inputs in the middle
    quantiles: Mapping[float, float]  # 5 %, 50 %, 95 %
    tornado: tuple[Bar, ...]  # the widest first
    sobol: tuple[Index, ...]  # the largest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """All of it. ``met_ratio`` and ``short_ratio`` are of the planned fleet."""

    worlds: int
    met_ratio: float  # worlds in which every limit holds in the worst hour
    met_error: float  # half width of a 95 % interval: the sampling's own
    met_model: tuple[float, float]  # with every latency by the closed forms' error slower, and faster
    short_ratio: float
    unreachable_ratio: float  # worlds in which no fleet holds the limits
    least_regret: float  # factor on the planned fleet
    least_regret_short: float
    least_regret_dollars: float  # a month, of its machines
    regret: float  # w
    outputs: tuple[Output, ...]


def of(
    brief: Brief,
    regions: tuple[Region, ...],
    shapes: Shapes,
    spares: Spares,
    spending: Spending,
    *,
    error_ratio: float,
    samples: int = SAMPLES,
) -> Uncertainty | None:
    """What the intent's ranges do to a plan; None where it states none. ``samples`` is a power of two."""
    ranges = dict(brief.intent.ranges)
    if not ranges:
        return None
    world = _World(brief, regions, shapes, spares, spending, error_ratio)
    unit = _saltelli(len(ranges), samples)
    drawn = _drawn(ranges, unit)
    found = world.evaluate(drawn)
    worlds = _plain(unit.shape[0], len(ranges))  # rows of the scheme that are a sample by themselves
    met, short, need = found.met[worlds], found.short[worlds], found.need[worlds]
    weight = brief.intent.regret / (1.0 + brief.intent.regret)
    least = float(np.quantile(np.where(np.isfinite(need), need, 1e9), weight))
    ratio = float(np.mean(met))
    return Uncertainty(
        worlds=int(worlds.sum()),
        met_ratio=ratio,
        met_error=1.96 * float(np.sqrt(max(ratio * (1.0 - ratio), 1e-9) / worlds.sum())),
        met_model=(float(np.mean(found.met_slow[worlds])), float(np.mean(found.met_fast[worlds]))),
        short_ratio=float(np.mean(short)),
        unreachable_ratio=float(np.mean(~np.isfinite(need))),
        least_regret=least,
        least_regret_short=float(np.mean(need > least * (1.0 + 1e-12))),
        least_regret_dollars=least * sum(region.dollars_month for region in regions),
        regret=brief.intent.regret,
        outputs=tuple(_outputs(world, ranges, found, worlds)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Outputs by world."""

    values: Mapping[str, Floats]
    met: Floats
    met_slow: Floats
    met_fast: Floats
    short: Floats
    need: Floats


class _World:
    """Evaluates a plan in many worlds. All regions are alike but for their size: the largest is looked at."""

    def __init__(
        self,
        brief: Brief,
        regions: tuple[Region, ...],
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
        self._families = targets.families(brief, self.region.load_of, self._offers)

    def evaluate(self, drawn: Mapping[str, Floats]) -> _Found:
        """Everything that is asked of every world."""
        brief, region = self.brief, self.region
        count = next(iter(drawn.values())).shape
        of_input = {name: np.broadcast_to(drawn.get(name, np.ones(1)), count) for name in _inputs()}
        growth = self._growth(of_input["growth"])
        rate = of_input["demand"] * growth * of_input["peak"]
        case = Case(
            rate=rate,
            cpu=of_input["cpu"],
            misses=of_input["misses"],
            follows=of_input["follows"],
            round_trip=of_input["round_trip"],
        )
        load_of = fleets.load(brief, brief.workload.rates(region.name, Moment.LOST), case)
        counts = {name: outlook.left(tier, Moment.LOST) for name, tier in region.tiers.items()}
        units = {name: tier.unit for name, tier in region.tiers.items()}
        whole = fleets.fleet(brief, load_of, counts, units, case)
        values: dict[str, Floats] = {}
        met, slow, fast = np.ones(count), np.ones(count), np.ones(count)
        for limit in self.limits:
            mixture = targets.latency(brief, whole, limit.name, case)
            values[_name(limit)] = np.minimum(mixture.quantile(limit.level), LATEST_SECONDS)
            for factor, kept in ((1.0, met), (1.0 + self._error, slow), (1.0 - self._error, fast)):
                kept *= mixture.below(limit.seconds / factor) >= limit.level
        need, machines = self._need(load_of, case, of_input, growth)
        values["bill"] = machines * of_input["prices"] + self._volumes(of_input, growth)
        return _Found(
            values=values,
            met=met,
            met_slow=slow,
            met_fast=fast,
            short=np.asarray((met < 1) | (need > 1.0 + 1e-9), dtype=np.float64),
            need=need,
        )

    def _growth(self, factor: Floats) -> Floats:
        intent = self.brief.intent
        return np.asarray(
            ((1.0 + intent.growth_ratio * factor) / (1.0 + intent.growth_ratio)) ** intent.years, dtype=np.float64
        )

    def _need(
        self, load_of: Mapping[str, Load], case: Case, of_input: Mapping[str, Floats], growth: Floats
    ) -> tuple[Floats, Floats]:
        """(factor by which the fleet would have to grow, dollars a month of the machines that are needed)."""
        busy = targets.many(self.brief, load_of, self._offers, self._families, case)
        stored = of_input["demand"] * growth
        grows = {
            "memory": stored,
            "disk": stored,
            "disk operations": case.rate,
            "network": case.rate * of_input["bytes"],
        }
        need, dollars, processes = np.zeros(1), np.zeros(1), np.zeros(1)
        for name, tier in self.region.tiers.items():
            asked = load_of.get(name, Load()).cores * case.cpu / (tier.unit.work * busy[name])
            loops = size.loops_of(tier.shape) if name == Server.REDIS else 1
            for each in tier.needs:
                if each.resource in grows:
                    asked = np.maximum(asked, each.exact * loops * grows[each.resource])
                elif each.resource in (tiers.REQUESTS, tiers.PHOTOS):
                    asked = np.maximum(asked, each.exact * case.rate * case.cpu)
            need = np.maximum(need, asked / tier.working)
            whole = np.maximum(1.0, np.ceil(asked - 1e-9))
            if tier.kind is Kind.SERVICE:
                processes = processes + whole * tier.instances / tier.working
            else:
                least = tier.working if name == Server.KAFKA and tier.binds.resource == "majority" else 1.0
                dollars = dollars + np.maximum(whole, least) / tier.working * tier.machines * tier.shape.dollars_month
        pool = self.region.pool
        planned = sum(tier.instances for tier in self.region.tiers.values() if tier.kind is Kind.SERVICE)
        needed = np.maximum(1.0, np.ceil(processes / planned * pool.working - 1e-9))
        spares = pool.machines - pool.working
        dollars = dollars + (needed + spares) * pool.shape.dollars_month
        scale = sum(each.dollars_month for each in self._regions) / self.region.dollars_month
        return np.where(np.isnan(need), np.inf, need), dollars * scale

    def _volumes(self, of_input: Mapping[str, Floats], growth: Floats) -> Floats:
        """Dollars a month of all that is sold by use, at every world's quantities."""
        months_growth = np.sqrt(growth)  # of the mean month, half-way to the end of the horizon
        factors = {**of_input, "rate": of_input["demand"] * months_growth}
        total = np.zeros(1)
        for item in self.spending.mean.items:
            names = next((names for start, names in _LINES.items() if item.price_id.startswith(start)), None)
            if names is None:
                continue  # a machine
            quantity = np.full(growth.shape, item.quantity)
            for name in names:
                quantity = quantity * factors[name]
            total = total + _dollars(self.brief.book, item.price_id, item.unit, quantity) * of_input["prices"]
        return total


def _inputs() -> tuple[str, ...]:
    from core.scenario.intent import UNCERTAIN

    return UNCERTAIN


def _name(limit: Limit) -> str:
    return f"{limit.name} p{limit.level * 100:g}"


def _drawn(ranges: Mapping[str, Range], unit: Floats) -> dict[str, Floats]:
    """Every input from uniform numbers, by its distribution's inverse."""
    return {name: inverse(each, unit[:, column]) for column, (name, each) in enumerate(ranges.items())}


def inverse(each: Range, uniform: Floats) -> Floats:
    """Quantiles of a range's distribution."""
    low, mid, high = each.low, each.mid, each.high
    if each.shape == "uniform":
        return np.asarray(low + (high - low) * uniform, dtype=np.float64)
    if each.shape == "lognormal":
        from scipy import special

        # median and two spreads: each half has the quantile that is stated
        z = special.ndtri(np.clip(uniform, 1e-12, 1.0 - 1e-12))
        below, above = np.log(mid / low) / _Z95, np.log(high / mid) / _Z95
        return np.asarray(mid * np.exp(np.where(z < 0.0, z * below, z * above)), dtype=np.float64)
    if high == low:
        return np.full_like(uniform, mid)
    turn = (mid - low) / (high - low)
    rising = low + np.sqrt(uniform * (high - low) * (mid - low))
    falling = high - np.sqrt((1.0 - uniform) * (high - low) * (high - mid))
    return np.asarray(np.where(uniform < turn, rising, falling), dtype=np.float64)


def _saltelli(inputs: int, samples: int) -> Floats:
    from SALib.sample import sobol  # type: ignore[import-untyped]

    found = sobol.sample(_problem(inputs), samples, calc_second_order=False, seed=_SEED)
    return np.asarray(found, dtype=np.float64)


def _problem(inputs: int) -> dict[str, Any]:
    return {"num_vars": inputs, "names": [str(each) for each in range(inputs)], "bounds": [[0.0, 1.0]] * inputs}


def _plain(rows: int, inputs: int) -> np.typing.NDArray[np.bool_]:
    """Of each block A, AB₁ … ABₖ, B the first and the last row: independent samples; the others are made of them."""
    place = np.arange(rows) % (inputs + 2)
    return np.asarray((place == 0) | (place == inputs + 1))


def _outputs(
    world: _World, ranges: Mapping[str, Range], found: _Found, worlds: np.typing.NDArray[np.bool_]
) -> list[Output]:
    from SALib.analyze import sobol  # type: ignore[import-untyped]

    names = tuple(ranges)
    ends = world.evaluate(_ends(ranges))
    told = []
    for name, values in found.values.items():
        known = values[worlds]
        indices: list[Index] = []
        if np.ptp(values) > 1e-9 * max(1.0, abs(float(np.mean(values)))) and np.isfinite(values).all():
            with np.errstate(all="ignore"):
                analysed = sobol.analyze(
                    _problem(len(names)), values, calc_second_order=False, seed=_SEED, num_resamples=100
                )
            indices = [
                Index(
                    name=each,
                    first=float(analysed["S1"][column]),
                    total=float(analysed["ST"][column]),
                    total_error=float(analysed["ST_conf"][column]),
                )
                for column, each in enumerate(names)
            ]
        at = ends.values[name]
        bars = [Bar(name=each, low=float(at[1 + 2 * k]), high=float(at[2 + 2 * k])) for k, each in enumerate(names)]
        told.append(
            Output(
                name=name,
                unit="dollars" if name == "bill" else "seconds",
                middle=float(at[0]),
                quantiles={level: float(np.quantile(known, level)) for level in (0.05, 0.5, 0.95)},
                tornado=tuple(sorted(bars, key=lambda bar: -bar.swing)),
                sobol=tuple(sorted(indices, key=lambda index: -index.total)),
            )
        )
    return told


def _ends(ranges: Mapping[str, Range]) -> dict[str, Floats]:
    """All in the middle, then each input low and high in turn."""
    rows = 1 + 2 * len(ranges)
    found = {name: np.full(rows, each.mid) for name, each in ranges.items()}
    for column, (name, each) in enumerate(ranges.items()):
        found[name][1 + 2 * column] = each.low
        found[name][2 + 2 * column] = each.high
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
    """How many of ``unit`` the price's one is."""
    from sim.cost.prices import Quantity

    one = price.units(Quantity(amount=1.0, unit=unit))
    return 1.0 / one
