"""Uncertainty of a plan's inputs: how likely the limits hold, how often the fleet is short, what moves the bill.

Every sample is one draw: the inputs are drawn from their ranges and the closed forms are evaluated for all draws at
once, on the planned fleet (do the limits hold, is anything full?) and on the fleet that this draw would have needed.
The CPU of the operations whose calibration matters most is an input too, with the error that the profile has for it,
unless the intent has a range for it. This covers only the inputs. The error of the closed forms
(`latency.ERROR_RATIO`) and the age of prices
(`planning.cost.age`) are separate; the latter is one bar of the bill's tornado chart.

A fleet is *short* in a draw in which it misses a limit, or a tier is busier than the intent's `busy`, or something is
full. A draw's *need* is the factor by which the planned fleet would have to grow for it. If a dollar of missing fleet
is regretted as much as w idle dollars, regret is least at the w/(1 + w) quantile of the need (the newsvendor problem),
and that fleet is short in 1/(1 + w) of all draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from core.profile import BETWEEN_CALIBRATIONS_RATIO
from core.scenario.intent import Range
from planning.cost.age import Aged
from planning.plan.brief import Brief
from planning.plan.certainty.draws import BILL, DOWN, DrawModel, DrawResults
from planning.plan.queueing.distributions import Floats
from planning.plan.sizing.availability import MONTH_MINUTES
from planning.plan.sizing.size import RegionPlan, Shapes, Spares
from planning.plan.sizing.spending import Spending

#: Base samples of Saltelli's scheme: with k inputs (k + 2) × as many draws are evaluated.
SAMPLES: Final = 1_024
#: Name of the tornado's bar for the age of prices, which is not a drawn input.
PRICE_AGE: Final = "age of prices"
#: Sobol indices are given only where their own error is at most this.
INDEX_ERROR_MAX: Final = 0.5
_SEED: Final = 20_261_121
#: Share of the variance of the fleet's CPU, from calibration, that the drawn operations make up.
_EXPLAINED_RATIO: Final = 0.95
#: A standard error of less than this share of the fleet's CPU is no input.
_LEAST_RATIO: Final = 0.005
#: 95 % quantile of the standard normal distribution.
_Z95: Final = 1.6448536269514722
_UNITS: Final[Mapping[str, str]] = {BILL: "dollars", DOWN: "minutes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SobolIndex:
    """Sobol indices of one input: the share of an output's variance that is its own, and with all interactions."""

    name: str
    first: float
    total: float
    total_error: float  # half width of a 95 % interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """An output with one input at its low and at its high end, all others at the middle."""

    name: str
    low: float
    high: float

    @property
    def swing(self) -> float:
        return abs(self.high - self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One figure of a plan over all draws."""

    name: str
    unit: str  # seconds; dollars, a month; minutes, a month
    middle: float  # with all inputs in the middle
    quantiles: Mapping[float, float]  # 5 %, 50 %, 95 %
    tornado: tuple[Bar, ...]  # the widest first
    sobol: tuple[SobolIndex, ...]  # the largest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """Results over all draws; ``met_ratio`` and ``short_ratio`` are those of the planned fleet."""

    draws: int
    met_ratio: float  # draws in which every limit holds in the worst hour
    met_error: float  # half width of its 95 % interval from sampling
    met_model: tuple[float, float]  # if every latency is slower, and faster, by the error of the closed forms
    available_ratio: float | None  # draws in which the availability holds; None where failures have no range
    short_ratio: float
    unreachable_ratio: float  # draws in which no fleet holds the limits
    least_regret: float  # factor on the planned fleet
    least_regret_short: float
    least_regret_dollars: float  # a month, of its machines
    regret: float  # w
    calibrated: tuple[str, ...]  # inputs whose ranges are the profile's own error
    outputs: tuple[Output, ...]


def uncertainty_of(
    brief: Brief,
    regions: tuple[RegionPlan, ...],
    shapes: Shapes,
    spares: Spares,
    spending: Spending,
    *,
    error_ratio: float,
    aged: Aged | None = None,
    samples: int = SAMPLES,
) -> Uncertainty | None:
    """The uncertainty of a plan from the intent's ranges and the profile's errors; None without either. ``samples`` is
    a power of two."""
    calibrated = {name: each for name, each in calibrated_ranges(brief).items() if name not in brief.intent.ranges}
    ranges = {**brief.intent.ranges, **calibrated}
    if not ranges:
        return None
    model = DrawModel(brief, regions, shapes, spares, spending, error_ratio)
    unit = _saltelli(len(ranges), samples)
    drawn = _drawn(ranges, unit)
    found = model.evaluate(drawn)
    draws = _plain(unit.shape[0], len(ranges))  # rows of the scheme that are a sample by themselves
    met, short, need = found.met[draws], found.short[draws], found.need[draws]
    weight = brief.intent.regret / (1.0 + brief.intent.regret)
    least = float(np.quantile(np.where(np.isfinite(need), need, 1e9), weight))
    ratio = float(np.mean(met))
    return Uncertainty(
        draws=int(draws.sum()),
        met_ratio=ratio,
        met_error=1.96 * float(np.sqrt(max(ratio * (1.0 - ratio), 1e-9) / draws.sum())),
        met_model=(float(np.mean(found.met_slow[draws])), float(np.mean(found.met_fast[draws]))),
        available_ratio=_available(brief, found, draws),
        short_ratio=float(np.mean(short)),
        unreachable_ratio=float(np.mean(~np.isfinite(need))),
        least_regret=least,
        least_regret_short=float(np.mean(need > least * (1.0 + 1e-12))),
        least_regret_dollars=least * sum(region.dollars_month for region in regions),
        regret=brief.intent.regret,
        calibrated=tuple(calibrated),
        outputs=tuple(_outputs(model, ranges, found, draws, aged)),
    )


def calibrated_ranges(brief: Brief) -> dict[str, Range]:
    """Ranges of CPU from the error of calibration: that of everything together, and those of the operations that make
    up most of the rest of the variance of the fleet's CPU, the largest first."""
    known = brief.demands
    if not any(known.error_ratio.values()):
        return {}
    spent = {
        name: sum(each.cpu_seconds(brief.miss_ratio).values()) * brief.workload.per_second[name]
        for name, each in known.operations.items()
    }
    least = _LEAST_RATIO * sum(spent.values())
    squares = {
        name: (seconds * known.error_ratio[name]) ** 2
        for name, seconds in spent.items()
        if seconds * known.error_ratio[name] > least
    }
    found, left = dict[str, Range](), sum(squares.values()) * (1.0 - _EXPLAINED_RATIO)
    for name in sorted(squares, key=squares.__getitem__):
        left -= squares[name]
        if left < 0.0:
            found[f"cpu.{name}"] = _lognormal(known.error_ratio[name])
    return {"cpu": _lognormal(BETWEEN_CALIBRATIONS_RATIO), **dict(reversed(found.items()))}


def _lognormal(error_ratio: float) -> Range:
    high = math.exp(_Z95 * math.sqrt(math.log1p(error_ratio**2)))
    return Range(low=1.0 / high, mid=1.0, high=high, shape="lognormal")


def _available(brief: Brief, found: DrawResults, draws: np.typing.NDArray[np.bool_]) -> float | None:
    if DOWN not in found.values:
        return None
    minutes_max = (1.0 - brief.intent.availability_ratio) * MONTH_MINUTES
    return float(np.mean(found.values[DOWN][draws] <= minutes_max))


def _drawn(ranges: Mapping[str, Range], unit: Floats) -> dict[str, Floats]:
    """Every input from uniform numbers, by its distribution's inverse."""
    return {name: inverse(each, unit[:, column]) for column, (name, each) in enumerate(ranges.items())}


def inverse(each: Range, uniform: Floats) -> Floats:
    """Quantiles of a range's distribution."""
    low, mid, high = each.low, each.mid, each.high
    if each.shape == "uniform":
        return np.asarray(low + (high - low) * uniform, dtype=np.float64)
    if each.shape == "lognormal":
        from scipy import special  # slow to import

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
    """The first and last row of each block A, AB₁ … ABₖ, B: these are independent samples, and the others combine
    them."""
    position = np.arange(rows) % (inputs + 2)
    return np.asarray((position == 0) | (position == inputs + 1))


def _outputs(
    model: DrawModel,
    ranges: Mapping[str, Range],
    found: DrawResults,
    draws: np.typing.NDArray[np.bool_],
    aged: Aged | None,
) -> list[Output]:
    from SALib.analyze import sobol  # type: ignore[import-untyped]

    names = tuple(ranges)
    ends = model.evaluate(_ends(ranges))
    outputs = []
    for name, values in found.values.items():
        known = values[draws]
        indices: list[SobolIndex] = []
        if np.ptp(values) > 1e-9 * max(1.0, abs(float(np.mean(values)))) and np.isfinite(values).all():
            with np.errstate(all="ignore"):
                analysed = sobol.analyze(
                    _problem(len(names)), values, calc_second_order=False, seed=_SEED, num_resamples=100
                )
            indices = [
                SobolIndex(
                    name=each,
                    first=float(analysed["S1"][column]),
                    total=float(analysed["ST"][column]),
                    total_error=float(analysed["ST_conf"][column]),
                )
                for column, each in enumerate(names)
            ]
        at = ends.values[name]
        bars = [Bar(name=each, low=float(at[1 + 2 * k]), high=float(at[2 + 2 * k])) for k, each in enumerate(names)]
        if name == BILL and aged is not None:
            total = model.spending.mean.total_dollars_month
            ends_of = (aged.low_dollars_month, aged.high_dollars_month)
            low, high = (float(at[0]) * each / total for each in ends_of)
            bars.append(Bar(name=PRICE_AGE, low=low, high=high))
        outputs.append(
            Output(
                name=name,
                unit=_UNITS.get(name, "seconds"),
                middle=float(at[0]),
                # of the draws themselves: between a number and an endless one there is nothing
                quantiles={level: float(np.quantile(known, level, method="nearest")) for level in (0.05, 0.5, 0.95)},
                tornado=tuple(sorted(bars, key=lambda bar: -bar.swing)),
                sobol=reliable(indices),
            )
        )
    return outputs


def reliable(indices: Sequence[SobolIndex]) -> tuple[SobolIndex, ...]:
    """The largest first, or none if there are too few samples.

    Most of the variance of a latency comes from the few draws that are nearly saturated. If only a handful of those are
    drawn, an index is many times larger than one and means nothing.
    """
    if any(not index.total_error <= INDEX_ERROR_MAX for index in indices):
        return ()
    return tuple(sorted(indices, key=lambda index: -index.total))


def _ends(ranges: Mapping[str, Range]) -> dict[str, Floats]:
    """All inputs at the middle, then each low and high in turn."""
    rows = 1 + 2 * len(ranges)
    found = {name: np.full(rows, each.mid) for name, each in ranges.items()}
    for column, (name, each) in enumerate(ranges.items()):
        found[name][1 + 2 * column] = each.low
        found[name][2 + 2 * column] = each.high
    return found
