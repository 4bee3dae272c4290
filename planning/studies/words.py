"""Figures of a study as text: names, and values with intervals in the unit of their measure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from core import stats
from core.scenario import Scenario
from core.stats import Estimate
from planning.simulations.readings import COST, FRESHNESS, Reading, measure_of, subject_of
from planning.simulations.simulator import StudySource
from present import figures
from present.tables import ends

_MEASURES: Final = {
    "p50_seconds": "p50",
    "p95_seconds": "p95",
    "p99_seconds": "p99",
    "errors_ratio": "errors",
    "answered_per_second": "answered",
    "busy_ratio": "busy",
    "hit_ratio": "hits",
    "mean_seconds": "mean",
    "undelivered_ratio": "undelivered",
    "dollars_month": "a month",
    "dollars_per_million_requests": "per million requests",
}


def heading(command: str, *, seed: int, source: StudySource, took: str) -> str:
    """The first line of a study on the terminal."""
    return ends(f"windtunnel {command}", f"seed {seed}   {source.commit}{f'   {took}' if took else ''}")


def caption(*more: str, seed: int, source: StudySource) -> str:
    """What the figures of a page come from; ``more`` is added to it."""
    parts = (f"seed {seed}", f"commit {source.commit}", f"calibration {source.calibration}", f"engine {source.engine}")
    return " · ".join((*parts, *more))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How a measure is written: value × scale, with signs around it."""

    scale: float
    before: str = ""
    behind: str = ""


def name_of(figure: str) -> str:
    """``feed.read.p99_seconds`` → ``feed.read p99``."""
    subject, measure = subject_of(figure), measure_of(figure)
    return f"{subject.replace('cpu.', '').replace('cache.', '')} {_MEASURES.get(measure, measure)}"


def beyond(figure: str, amount: float | None, patience_seconds: float | None) -> bool:
    """Whether a latency is the client's time limit: so many requests were not answered that it is at least that."""
    if amount is None or patience_seconds is None or subject_of(figure) == "freshness":
        return False
    return measure_of(figure).endswith("_seconds") and figures.at_limit(amount, patience_seconds)


def value(figure: str, amount: float | None, *, noise: float = 0.0, patience_seconds: float | None = None) -> str:
    """One value, in digits that the half width ``noise`` of its interval allows; ``>5.00 s`` for a latency at the
    client's time limit ``patience_seconds``."""
    if amount is None or not math.isfinite(amount):
        return figures.MISSING
    if beyond(figure, amount, patience_seconds):
        return f">{value(figure, patience_seconds)}"
    form = _form(figure, amount)
    return f"{form.before}{figures.rounded(amount * form.scale, noise * form.scale)}{form.behind}"


def interval(figure: str, found: Estimate | None, *, patience_seconds: float | None = None) -> str:
    """``212 [198–231] ms``; only the value if there is no interval or it is the client's time limit."""
    if found is None:
        return figures.MISSING
    if beyond(figure, found.value, patience_seconds):
        return value(figure, found.value, patience_seconds=patience_seconds)
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return value(figure, found.value)
    form = _form(figure, found.value)
    noise = (found.high - found.low) / 2 * form.scale
    if not noise:
        return value(figure, found.value)
    middle, low, high = (figures.rounded(each * form.scale, noise) for each in (found.value, found.low, found.high))
    return f"{form.before}{middle} [{low}–{high}]{form.behind}"


def change(figure: str, found: Estimate) -> str:
    """A signed difference with its interval: ``+14 [+11, +17] ms``; shares differ by points, ``+0.08 pp``."""
    form = _form(figure, max(abs(found.value), abs(found.low), abs(found.high)))
    if form.behind == " %":
        form = replace(form, behind=" pp")
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return f"{_signed(found.value * form.scale, 0.0, form.before)}{form.behind}"
    noise = (found.high - found.low) / 2 * form.scale
    parts = [_signed(each * form.scale, noise, form.before) for each in (found.value, found.low, found.high)]
    return f"{parts[0]} [{parts[1]}, {parts[2]}]{form.behind}" if noise else f"{parts[0]}{form.behind}"


def _signed(amount: float, noise: float, before: str) -> str:
    text = figures.rounded(abs(amount), noise)
    if not any(digit in text for digit in "123456789"):
        return f"{before}{text}"
    return f"{figures.MINUS if amount < 0 else '+'}{before}{text}"


def _form(figure: str, amount: float) -> _Form:
    measure = measure_of(figure)
    if measure.endswith("_seconds"):
        return _Form(scale=1.0, behind=" s") if abs(amount) >= 0.9995 else _Form(scale=1e3, behind=" ms")
    if measure.startswith("dollars"):
        return _Form(scale=1.0, before="$")
    if measure.endswith("_ratio"):
        return _Form(scale=100.0, behind=" %")
    if measure.endswith("_per_second"):
        return _Form(scale=1.0, behind="/s")
    return _Form(scale=1.0)


def mean(readings: Iterable[Reading], figure: str) -> Estimate | None:
    """A figure over replications with its 95 % interval, which ends at zero because no figure lies below; None where no
    run carries it."""
    values = [each.figures[figure] for each in readings if figure in each.figures]
    if not values:
        return None
    found = stats.mean_interval(values)
    return Estimate(value=found.value, low=max(found.low, 0.0), high=found.high) if len(values) > 1 else found


def time_limit(scenario: Scenario, *, milliseconds: bool = False) -> str:
    """What ``>5.00 s`` means, or ``>5,000`` in a table of milliseconds."""
    seconds = scenario.traffic.timeout_seconds
    limit = f"{figures.rounded(seconds * 1e3)} ms" if milliseconds else value("p99_seconds", seconds)
    return f">{limit} is the client's time limit: requests that were not answered count as slower."


def watched(scenario: Scenario, readings: Sequence[Reading]) -> tuple[str, ...]:
    """Operations to show first: those with an expectation, or else the busiest."""
    answered: dict[str, float] = {}
    for reading in readings:
        for figure, amount in reading.figures.items():
            if measure_of(figure) == "answered_per_second":
                answered[subject_of(figure)] = answered.get(subject_of(figure), 0.0) + amount
    expected = [name for name in scenario.expectations if name in answered]
    return tuple(expected) or tuple(sorted(answered, key=lambda name: (-answered[name], name))[:1])


def headline(scenario: Scenario, readings: Sequence[Reading]) -> tuple[str, ...]:
    """The figures that a table shows first: latency and errors of what is watched, cost, freshness, what is busiest."""
    known = dict.fromkeys(figure for each in readings for figure in each.figures)
    found: list[str] = []
    for name in watched(scenario, readings):
        tail = [figure for figure in (f"{name}.p99_seconds", f"{name}.p95_seconds") if figure in known]
        found += tail[:1]
        errors = f"{name}.errors_ratio"
        if any(each.figures.get(errors, 0.0) > 0 for each in readings):
            found.append(errors)
    found += [figure for figure in (COST, FRESHNESS) if figure in known]
    busiest = _busiest(readings)
    return tuple(found + ([busiest] if busiest else []))


def _busiest(readings: Sequence[Reading]) -> str | None:
    most: dict[str, float] = {}
    for reading in readings:
        for figure, amount in reading.figures.items():
            if measure_of(figure) == "busy_ratio":
                most[figure] = max(most.get(figure, 0.0), amount)
    return max(most, key=lambda figure: (most[figure], figure)) if most else None


def limits(scenario: Scenario) -> Mapping[str, float]:
    """Figures that the scenario limits, and at what."""
    found: dict[str, float] = {}
    for name, expectation in scenario.expectations.items():
        for measure, limit in (
            ("p50_seconds", expectation.p50),
            ("p95_seconds", expectation.p95),
            ("p99_seconds", expectation.p99),
            ("errors_ratio", expectation.errors_ratio),
        ):
            if limit is not None:
                found[f"{name}.{measure}"] = limit.value
    return found
