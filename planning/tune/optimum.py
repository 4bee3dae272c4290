"""Chooses among the settings that were tried, with the uncertainty of the choice.

Several objectives become one by a weighted product (Bridgman 1922; Miller and Starr 1969): cost × p99 × freshness, each
to the power of its weight, so that units do not matter and halving one makes up for doubling another of the same
weight. Only the product chooses; the front shows the trade-offs.

The candidates are simulated again under common random numbers. Resampling those replications (Efron 1979) shows how
often each candidate would have been chosen: the values that hold 95 % of these choices are the interval of the optimum.
The choice is compared with today's setting on other replications, because the best of many settings is partly the
luckiest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from core import stats, streams
from planning.simulations.readings import COST, FRESHNESS, Reading
from planning.studies.grid import Settings
from planning.studies.values import position
from planning.tune.pareto import front
from planning.tune.search import Trial, TrialOutcome

RESAMPLES: Final = 2_000
#: Share of the choices that an interval of the optimum holds.
SURE: Final = 0.95
#: Readers do not notice a fraction of this, so it is added to the freshness in the product.
NOTICED_SECONDS: Final = 1.0
#: Values that are this share of the tried span apart count as separate.
_APART: Final = 0.08
_TINY: Final = 1e-12
#: Two products whose logarithms differ by less tie: their figures differ by rounding.
_TIE: Final = 1e-9
WEIGHTS: Final = ("cost", "latency", "freshness")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A figure to minimise; ``floor`` is added to it in the product, so that a zero does not decide alone."""

    figure: str
    weight: float = 1.0
    floor: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedSetting:
    """A setting and the outcomes of its replications."""

    settings: Settings
    outcomes: tuple[TrialOutcome, ...]

    def mean(self, objective: int) -> stats.Estimate:
        """One objective over the replications, with its 95 % interval, which ends at zero: none can be less."""
        found = stats.mean_interval([each.objectives[objective] for each in self.outcomes])
        return replace(found, low=max(found.low, 0.0)) if math.isfinite(found.low) else found

    @property
    def excesses(self) -> Mapping[str, float]:
        """Each limit's mean excess over the replications that could judge it."""
        return _mean_excesses(self.outcomes)

    @property
    def feasible(self) -> bool:
        """Whether every limit holds in the mean."""
        return all(value <= 0 for value in self.excesses.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimumRange:
    """The optimum of one field: the best candidate's value, and the lowest and highest of those that may be it."""

    field: str
    best: str
    low: str
    high: str

    @property
    def values(self) -> str:
        """``800 [500–1200]``."""
        return f"{self.best} [{self.low}–{self.high}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The choice among candidates."""

    best: int  # index of the candidate
    chosen_ratio: tuple[float, ...]  # how often each would be the optimum; a tie counts for each of those that tie
    spans: tuple[OptimumRange, ...]


def objectives_of(
    operation: str, *, latency: str = "p99", weights: Mapping[str, float] | None = None
) -> tuple[Objective, ...]:
    """Cost, a percentile of ``operation``, freshness; ``weights`` by the names of `WEIGHTS`."""
    wanted = {**dict.fromkeys(WEIGHTS, 1.0), **(weights or {})}
    return (
        Objective(figure=COST, weight=wanted["cost"]),
        Objective(figure=f"{operation}.{latency}_seconds", weight=wanted["latency"]),
        Objective(figure=FRESHNESS, weight=wanted["freshness"], floor=NOTICED_SECONDS),
    )


class MissingFigureError(ValueError):
    """A run does not carry an objective's figure; the message says which."""


def outcome(reading: Reading, objectives: Sequence[Objective]) -> TrialOutcome:
    """The outcome of a reading for the search; raises MissingFigureError."""
    values = []
    for each in objectives:
        if each.figure not in reading.figures:
            raise MissingFigureError(each.figure)
        values.append(reading.figures[each.figure])
    return TrialOutcome(objectives=tuple(values), excesses=reading.excesses)


def mean_outcome(outcomes: Sequence[TrialOutcome]) -> TrialOutcome:
    """The mean over replications of one setting."""
    columns = zip(*(each.objectives for each in outcomes), strict=True)
    return TrialOutcome(
        objectives=tuple(float(np.mean(column)) for column in columns), excesses=_mean_excesses(outcomes)
    )


def score(values: Sequence[float], objectives: Sequence[Objective]) -> float:
    """Logarithm of the weighted product; the smaller the better."""
    total = 0.0
    for value, each in zip(values, objectives, strict=True):
        if each.weight:
            total += each.weight * math.log(max(value + each.floor, _TINY))
    return total


def best_few(trials: Sequence[Trial], objectives: Sequence[Objective], count: int) -> tuple[Settings, ...]:
    """The settings to examine again: of those that hold every limit, the best by the product and the ends of the front;
    if none holds, those that exceed the limits least.

    They are spread out: of several close to each other only the best is taken, because the search's few replications
    cannot distinguish them.
    """
    by_settings = {each.settings: each for each in reversed(trials)}
    known = list(by_settings.values())
    held = [each for each in known if each.outcome.feasible]
    if not held:
        known.sort(key=lambda each: (_worst(each.outcome.excesses), each.number))
        return tuple(each.settings for each in known[:count])
    ends = [held[index] for index in front([each.outcome.objectives for each in held])]
    wanted = [min(ends, key=lambda each: (each.outcome.objectives[k], each.number)) for k in range(len(objectives))]
    held.sort(key=lambda each: (score(each.outcome.objectives, objectives), each.number))
    apart = _spread([each.settings for each in held])
    first = apart[: max(1, count - len(objectives))]
    ordered = dict.fromkeys([*first, *(each.settings for each in wanted), *apart])
    return tuple(ordered)[:count]


def _spread(settings: Sequence[Settings]) -> list[Settings]:
    """First the settings that are apart from all before them, then the others, each in their order."""
    spans = [_log_span([each[index][1] for each in settings]) for index in range(len(settings[0]))]
    apart: list[Settings] = []
    near: list[Settings] = []
    for each in settings:
        alone = all(
            any(
                _distance(spans[index], one[1], other[1]) >= _APART
                for index, (one, other) in enumerate(zip(each, before, strict=True))
            )
            for before in apart
        )
        (apart if alone else near).append(each)
    return apart + near


def _log_span(values: Sequence[str]) -> tuple[float, float] | None:
    """The logarithms of the smallest and the largest of these; None where they are no numbers above zero."""
    found = [position(value) for value in values]
    numbers = [value for value in found if value is not None and value > 0]
    return (math.log(min(numbers)), math.log(max(numbers))) if len(numbers) == len(found) else None


def _distance(span: tuple[float, float] | None, first: str, second: str) -> float:
    """The distance of two values as a share of the span that was tried; 1 without a span if they differ."""
    if first == second:
        return 0.0
    one, other = position(first), position(second)
    if span is None or span[0] == span[1] or not one or not other:
        return 1.0
    return abs(math.log(one) - math.log(other)) / (span[1] - span[0])


def choose(candidates: Sequence[TriedSetting], objectives: Sequence[Objective], *, seed: int) -> Optimum:
    """The best candidate and how sure that is; each must have the same replications, in one order."""
    if len({len(each.outcomes) for each in candidates}) != 1:
        raise ValueError("candidates with different replications cannot be paired")
    table = _Table(candidates, objectives)
    everything = np.arange(table.replications)
    best = int(table.winners(everything)[0])
    won = np.zeros(len(candidates))
    stream = streams.named(seed, "studies.bootstrap")
    for turn in range(RESAMPLES):
        drawn = (stream.uniforms(everything, turn) * table.replications).astype(np.int64)
        winners = table.winners(drawn)
        won[winners] += 1.0 / len(winners)
    ratios = won / RESAMPLES
    fields = [field for field, _ in candidates[best].settings]
    return Optimum(
        best=best,
        chosen_ratio=tuple(float(each) for each in ratios),
        spans=tuple(_span(field, candidates, best, ratios) for field in fields),
    )


class _Table:
    """Outcomes of every candidate in every replication, as arrays."""

    def __init__(self, candidates: Sequence[TriedSetting], objectives: Sequence[Objective]):
        self.replications = len(candidates[0].outcomes)
        limits = sorted({name for each in candidates for one in each.outcomes for name in one.excesses})
        self._values = np.array([[one.objectives for one in each.outcomes] for each in candidates])
        self._excesses = np.array(
            [[[one.excesses.get(name, np.nan) for name in limits] for one in each.outcomes] for each in candidates]
        ).reshape(len(candidates), self.replications, len(limits))
        self._weights = np.array([each.weight for each in objectives])
        self._floors = np.array([each.floor for each in objectives])

    def winners(self, drawn: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        """The best by the product of those that hold every limit over the drawn replications, or else the nearest to
        it; several where they tie up to rounding, in the candidates' order."""
        values = np.maximum(self._values[:, drawn].mean(axis=1) + self._floors, _TINY)
        products = np.log(values) @ self._weights
        excesses = self._excesses[:, drawn]
        judged = ~np.isnan(excesses)
        sums = np.where(judged, excesses, 0.0).sum(axis=1)
        means = sums / np.maximum(judged.sum(axis=1), 1)
        over = np.maximum(means.max(axis=1, initial=0.0), 0.0)
        first = int(np.lexsort((products, over))[0])
        near = np.isclose(products, products[first], rtol=0.0, atol=_TIE) & np.isclose(over, over[first], rtol=_TIE)
        return np.flatnonzero(near)


def scores(candidate: TriedSetting, objectives: Sequence[Objective]) -> tuple[dict[str, float], ...]:
    """Each replication's objectives and the product, as figures that `planning.studies.difference` compares. The
    product is given as its logarithm, so that a difference of it is a factor."""
    return tuple(
        {
            PRODUCT: score(each.objectives, objectives),
            **{one.figure: value for one, value in zip(objectives, each.objectives, strict=True)},
        }
        for each in candidate.outcomes
    )


PRODUCT: Final = "product"


def _worst(excesses: Mapping[str, float]) -> float:
    return max(excesses.values(), default=0.0)


def _mean_excesses(outcomes: Sequence[TrialOutcome]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for each in outcomes:
        for name, value in each.excesses.items():
            found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _span(field: str, candidates: Sequence[TriedSetting], best: int, ratios: stats.Floats) -> OptimumRange:
    """The narrowest run of tried values around the best one that holds `SURE` of the choices."""
    shares: dict[str, float] = {}
    for each, ratio in zip(candidates, ratios, strict=True):
        value = dict(each.settings)[field]
        shares[value] = shares.get(value, 0.0) + float(ratio)
    ordered = sorted(shares, key=lambda value: (position(value) is None, position(value) or 0.0, value))
    chosen = dict(candidates[best].settings)[field]
    low = high = ordered.index(chosen)
    held = shares[chosen]
    while held < SURE - 1e-9:
        before = shares[ordered[low - 1]] if low > 0 else -1.0
        after = shares[ordered[high + 1]] if high + 1 < len(ordered) else -1.0
        if before < 0 and after < 0:
            break
        if before >= after:
            low -= 1
            held += before
        else:
            high += 1
            held += after
    return OptimumRange(field=field, best=chosen, low=ordered[low], high=ordered[high])
