"""Readings: the figures that a study takes from one simulated run, named with the unit last.

``feed.read.p99_seconds``, ``cpu.redis.busy_ratio``, ``cache.edge.hit_ratio``, ``freshness.mean_seconds``,
``cost.dollars_month``: the subject, a dot, the measure. A figure that the run does not carry (a percentile of too few
requests) is left out, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from core import judge, stats
from core.operations import FANOUT_DELIVER
from core.recovery import recovery
from core.run import Samples
from core.scenario import Scenario
from planning.cost import bill, prices, quantities
from planning.cost.prices import PriceBook
from planning.cost.quantities import Quantities
from sim.results.outcomes import Service
from sim.simulate import Result

QUANTILES: Final = (("p50_seconds", 0.50), ("p95_seconds", 0.95), ("p99_seconds", 0.99))
COST: Final = "cost.dollars_month"
FRESHNESS: Final = "freshness.mean_seconds"
#: How long a system took to come back after the last phase of its traffic, and what it answers at the end.
BACK_AFTER: Final = "recovery.back_seconds"
GOODPUT: Final = "recovery.goodput_ratio"
STEADY: Final = "steady state"
#: The job whose delay is the age of a post when followers can see it.
DELIVERY: Final = FANOUT_DELIVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Figures by name, and by how much each expectation of the scenario is missed: value over limit − 1, so negative if
    it holds. An expectation that cannot be judged on so short a run is left out.

    ``unsteady`` says what saturates if there is no steady state: the figures then depend on the length of the run.
    Under constant traffic this counts as a missed expectation; a peak may be meant to saturate."""

    figures: Mapping[str, float]
    excesses: Mapping[str, float]
    unsteady: str = ""


def read(scenario: Scenario, result: Result) -> Reading:
    """Read ``result`` of ``scenario`` over its judged time; raises `planning.cost.prices.PriceError`."""
    samples = result.samples.judged() if result.outcomes.every == 1 else None
    figures: dict[str, float] = {}
    for name, service in sorted(result.outcomes.services().items()):
        figures.update(_operation(name, service, samples.of(name) if samples is not None else None, scenario))
    figures.update(_busy(result, scenario))
    for name, hits, misses in result.caches:
        if hits + misses:
            figures[f"cache.{name}.hit_ratio"] = hits / (hits + misses)
    figures.update(_freshness(result))
    figures.update(_cost(scenario, result))
    if samples is not None:
        figures.update(_recovery(scenario, samples))
    excesses = dict(_excesses(scenario, result))
    unsteady = str(result.facts.get("no_steady_state", ""))
    if unsteady and scenario.traffic.viral is None and not scenario.traffic.phases:
        excesses[STEADY] = 1.0
    return Reading(figures=figures, excesses=excesses, unsteady=unsteady)


def subject_of(figure: str) -> str:
    """What a figure is about: an operation, ``cpu.<process>``, ``cache.<cache>``, ``freshness`` or ``cost``."""
    return figure.rpartition(".")[0]


def measure_of(figure: str) -> str:
    """The measure of a figure, with its unit."""
    return figure.rpartition(".")[2]


def _operation(name: str, service: Service, samples: Samples | None, scenario: Scenario) -> Iterator[tuple[str, float]]:
    """From all requests; percentiles from ``samples`` if they are complete, otherwise from the histogram."""
    seconds = judge.waited_seconds(samples, scenario.traffic.timeout_seconds) if samples is not None else None
    for measure, q in QUANTILES:
        if not stats.supported(service.count, q):
            continue
        yield f"{name}.{measure}", stats.quantile(seconds, q) if seconds is not None else service.latency.quantile(q)
    yield f"{name}.errors_ratio", service.errors_ratio
    yield f"{name}.answered_per_second", service.answered_count / scenario.traffic.duration_seconds


def _busy(result: Result, scenario: Scenario) -> Iterator[tuple[str, float]]:
    """Busy share of a core by process; one that did nothing is left out."""
    for process, seconds in sorted(_spent(result).items()):
        if seconds > 0:
            yield f"cpu.{process}.busy_ratio", seconds / scenario.traffic.duration_seconds


def _freshness(result: Result) -> Iterator[tuple[str, float]]:
    for job in result.jobs:
        if job.job != DELIVERY or job.mean_seconds is None:
            continue
        yield FRESHNESS, job.mean_seconds
        worst = job.quantile_seconds(0.95)
        if worst is not None and np.isfinite(worst):
            yield "freshness.p95_seconds", worst
        yield "freshness.undelivered_ratio", job.undone_ratio or 0.0


def _recovery(scenario: Scenario, samples: Samples) -> Iterator[tuple[str, float]]:
    """After the last phase of the traffic. A system that does not come back has no time after which it does."""
    found = recovery(scenario, samples)
    if found is None:
        return
    if found.after_seconds is not None:
        yield BACK_AFTER, found.after_seconds
    yield GOODPUT, found.goodput_ratio
    yield "recovery.degraded_ratio", found.degraded_ratio
    yield "recovery.refused_ratio", found.refused_ratio


def _cost(scenario: Scenario, result: Result) -> Iterator[tuple[str, float]]:
    found = bill.bill(used(scenario, result), _book(scenario.prices))
    yield COST, found.total_dollars_month
    if found.dollars_per_million_requests is not None:
        yield "cost.dollars_per_million_requests", found.dollars_per_million_requests


@cache
def _book(name: str) -> PriceBook:
    return prices.read(name)


def _excesses(scenario: Scenario, result: Result) -> Iterator[tuple[str, float]]:
    for verdict in judge.judge(scenario, result.samples, ledger=result.ledger or None).verdicts:
        if verdict.value is not None and verdict.held is not None:
            yield verdict.name, verdict.value / verdict.limit - 1.0 if verdict.limit > 0 else verdict.value
        elif verdict.held is False:  # such as a recovery that was not seen
            yield verdict.name, 1.0


def used(scenario: Scenario, result: Result) -> Quantities:
    """What `planning.cost.quantities.of_run` makes of the run that would be written, without the writing."""
    seconds = scenario.traffic.duration_seconds
    services = result.outcomes.services()
    return quantities.used(
        scenario,
        cores={process: spent / seconds for process, spent in _spent(result).items()},
        per_second={name: service.count / seconds for name, service in services.items()},
        answered_per_second={name: each.answered_count / seconds for name, each in services.items()},
        look_ups=result.caches,
        facts=result.facts,
    )


def _spent(result: Result) -> dict[str, float]:
    """CPU seconds by process over the judged time."""
    found: dict[str, float] = {}
    for process, second, seconds in result.usage:
        if second >= 0:
            found[process] = found.get(process, 0.0) + seconds
    return found
