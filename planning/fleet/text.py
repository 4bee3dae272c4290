"""A fleet as text for the terminal and as a record: every figure with half of its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from core import judge, stats
from core.scenario.reach import ScenarioSide, without_effect
from core.stats import Estimate
from planning.fleet.doubled import Moved
from planning.fleet.simulate import SimulatedFleet
from planning.fleet.whole import QUANTILES, WATCHED, Fleet, OperationFigures, changes, over, share, watched
from planning.plan.words import money
from planning.studies.records import estimate_record
from planning.studies.words import time_limit
from present import figures
from present.tables import MARKS, ends, labelled, table, wrapped
from sim.results.replications import StoppingVerdict

RECORD_FILE: Final = "fleet.json"
#: Number of tiers shown.
_BUSIEST: Final = 4
#: The figures that show the error of the division first.
_SPLIT: Final = ("p50", "p99", "busy")
_RATES: Final = ((1e6, " M"), (1e3, " k"))


def render(found: SimulatedFleet, *, commit: str, took_seconds: float) -> str:
    fleet = found.fleet
    right = f"seed {fleet.scenario.seed}   {commit}   {figures.took(took_seconds)}"
    said = [ends(f"windtunnel simulate {fleet.scenario.name}", right), *wrapped(sentence(found), rest="  ")]
    said += _expectations(fleet)
    rows = [_row(each, fleet.scenario.traffic.timeout_seconds) for each in fleet.operations]
    said += ["", *table(["OPERATION", "rate/s", *(f"p{q * 100:g} ms" for q in QUANTILES)], rows)[0], ""]
    busy = (f"{tier} {figures.share_around(ratio)}" for tier, ratio in list(fleet.busy_ratio.items())[:_BUSIEST])
    said += labelled("BUSY", ", ".join(busy))
    if fleet.hit_ratio:
        hits = sorted(fleet.hit_ratio.items(), key=lambda each: each[1].value)
        said += labelled("HITS", ", ".join(f"{name} {figures.share_around(ratio)}" for name, ratio in hits))
    if found.demands_drawn:
        limit = fleet.scenario.traffic.timeout_seconds
        ranges = (f"{name} {_range(low, high, limit)}" for name, (low, high) in single_runs(fleet).items())
        said += labelled("RUNS", f"p95 of nine replications in ten: {', '.join(ranges)}")
    shares = (f"{each.name} {figures.errors(each.errors_ratio)}" for each in fleet.operations)
    said += labelled("ERRORS", ", ".join(shares))
    said += labelled("COST", _cost(fleet))
    if found.moved:
        said += labelled("SPLIT", _split(found))
    for note in notes(found):
        said += labelled("NOTE", note)
    return "\n".join([*said, ""])


def single_runs(fleet: Fleet) -> dict[str, tuple[float, float]]:
    """By operation, between which seconds the p95 of single replications lies, from 5 to 95 % of them: what one run of
    the system may show, with the error of calibration where demands are drawn."""
    found = {}
    for each in fleet.operations:
        if stats.supported(each.least_count, 0.95):
            seen = [cell.services[each.name].latency.quantile(0.95) for cell in fleet.seen]
            low, high = np.quantile(seen, (0.05, 0.95))
            found[each.name] = float(low), float(high)
    return found


def _range(low: float, high: float, limit_seconds: float) -> str:
    if figures.at_limit(low, limit_seconds):
        return f">{figures.rounded(limit_seconds * 1e3)} ms"
    most = (
        f">{figures.rounded(limit_seconds * 1e3)}"
        if figures.at_limit(high, limit_seconds)
        else f"{figures.rounded(high * 1e3)}"
    )
    return f"{figures.rounded(low * 1e3)}–{most} ms"


def _each(fleet: Fleet) -> str:
    return "cell" if fleet.count > 1 else "replication"


def _watched(found: SimulatedFleet) -> list[OperationFigures]:
    """Operations whose p99 decides, or would decide, whether there are enough cells."""
    return [each for each in found.fleet.operations if watched(found.fleet, each)]


def sentence(found: SimulatedFleet) -> str:
    """The result and its precision, in one sentence."""
    fleet = found.fleet
    count = len(fleet.seen)
    what = f"{count} of {fleet.count:,} cells" if fleet.count > 1 else f"{count} replications"
    requests = sum(each.answers_count for each in fleet.seen)
    begin = f"{what}, {requests:,} requests"
    if count == 1:
        return f"{begin}; one alone gives no intervals"
    known = [each.half_width_ratio for each in _watched(found) if each.half_width_ratio is not None]
    if not known:
        return f"{begin}; too few for any p99"
    widest = f"the widest p99 that counts is ±{max(known) * 100:.2g} %"
    if found.until is None:
        return f"{begin}; {widest}"
    asked = f"asked for ±{found.until * 100:.3g} %"
    return f"{MARKS[found.reached]} {begin}; {widest}, {asked}"


def notes(found: SimulatedFleet) -> tuple[str, ...]:
    fleet = found.fleet
    notes = [f"± is half of the 95 % interval, over {_each(fleet)}s; of a share, in percentage points"]
    if found.demands_drawn:
        notes.append("each replication but the first draws its CPU demands from the error of their calibration")
    few = [each for each in fleet.operations if each not in _watched(found)]
    if few and found.until is not None:
        names = ", ".join(f"{each.name} ({each.least_count:,})" for each in few)
        notes.append(f"not waited for, because one {_each(fleet)} has too few requests for its p99: {names}")
    wide = [name for name, verdict in found.verdicts.items() if verdict is StoppingVerdict.SPENT]
    if wide:
        notes.append(f"wider than asked for, and no more {_each(fleet)}s were allowed: {', '.join(wide)}")
    limit = fleet.scenario.traffic.timeout_seconds
    known = (figure for each in fleet.operations for figure in each.quantiles.values() if figure is not None)
    if any(figures.at_limit(figure.value, limit) for figure in known):
        notes.append(time_limit(fleet.scenario, milliseconds=True))
    if fleet.unsteady:
        notes.append(f"{fleet.unsteady}; so the figures depend on the length of the run")
    elif fleet.settled_seconds is None and not changes(fleet.scenario):
        notes.append("MSER-5 sees no steady state: simulate longer")
    elif fleet.settled_seconds is not None and fleet.settled_seconds > 0:
        notes.append(f"MSER-5 sees a steady state from {fleet.settled_seconds:g} s on only: lengthen the warm-up")
    return (*notes, *without_effect(fleet.scenario, ScenarioSide.MODEL))


def _row(operation: OperationFigures, limit_seconds: float) -> list[str]:
    quantiles = [figures.latency(operation.quantiles[q], limit_seconds) for q in QUANTILES]
    return [operation.name, _rate(operation.per_second), *quantiles]


def expectations(fleet: Fleet) -> list[tuple[judge.Verdict, Estimate | None, str]]:
    """Each expectation with its figure for the whole fleet, if there is one, and the verdict.

    A percentile or a share is that of all requests together or, if requests during faults are left out, the mean over
    cells. For a measure without a mean, such as lost acknowledged writes, the verdict counts the cells in which it
    held.
    """
    found = []
    for each in zip(*(seen.verdicts for seen in fleet.seen), strict=True):
        figure = _figure(each, fleet)
        reason = next((verdict.reason for verdict in each if verdict.held is None), "")
        held = sum(verdict.held is True for verdict in each)
        if figure is None:
            said = f"not judged: {reason}" if reason else f"held in {held} of {len(each)}"
        else:
            limit = each[0].limit
            said = "held" if figure.high < limit else "missed" if figure.low >= limit else "not sure"
        found.append((each[0], figure, said))
    return found


def _figure(each: Sequence[judge.Verdict], fleet: Fleet) -> Estimate | None:
    first = each[0]
    expected = fleet.scenario.expectations.get(first.operation)
    known = next((operation for operation in fleet.operations if operation.name == first.operation), None)
    if expected is None or known is None or first.measure == "lost":
        return None
    if expected.outside and fleet.scenario.faults:
        values = [verdict.value for verdict in each if verdict.held is not None and verdict.value is not None]
        if len(values) < len(each):
            return None
        return share(values, sum(verdict.count for verdict in each)) if first.measure == "errors" else over(values)
    if first.measure == "errors":
        return known.errors_ratio
    return known.quantiles[float(first.measure.removeprefix("p")) / 100]


def _expectations(fleet: Fleet) -> list[str]:
    rows = []
    for first, figure, said in expectations(fleet):
        value = figures.found(figure.value, figure, first.unit) if figure is not None else ""
        everywhere = said == f"held in {len(fleet.seen)} of {len(fleet.seen)}"
        held = True if said == "held" or everywhere else False if said.startswith(("missed", "held in")) else None
        rows.append([f"{MARKS[held]} {first.name}", figures.limit_of(first.limit, first.unit), value, said])
    return ["", *table(["EXPECTATIONS", "limit", "found", "verdict"], rows, remark=True)[0]] if rows else []


def _cost(fleet: Fleet) -> str:
    if fleet.dollars_month is None:
        return f"not priced: {fleet.not_priced}"
    month = fleet.dollars_month
    value = f"{money(month.value)}{figures.half(month)}"
    return f"{value} a month, if it were this load all month (prices {fleet.scenario.prices})"


def _split(found: SimulatedFleet) -> str:
    wanted = [each for each in found.moved if each.figure.rpartition(" ")[2] in _SPLIT]
    tier = next(iter(found.fleet.busy_ratio))
    shown = [each for each in wanted if not each.figure.endswith(" busy") or each.figure == f"{tier} busy"]
    parts = ", ".join(f"{each.figure} {_move(each)}" for each in shown)
    return f"cells twice as large, {found.moved_count} pairs under common seeds, move {parts}"


def _move(moved: Moved) -> str:
    if not moved.usual:
        return figures.MISSING
    change = moved.difference
    bounds = (change.mean, change.low, change.high)
    middle, low, high = (figures.signed(each / moved.usual * 100, digits=1) for each in bounds)
    return f"{middle} [{low}, {high}] %"


def _rate(found: Estimate) -> str:
    unit, letters = next(((size, name) for size, name in _RATES if found.value >= size * 0.9995), (1.0, ""))
    return figures.around(found, unit, letters)


def record(found: SimulatedFleet, *, commit: str, calibration: str, took_seconds: float) -> dict[str, Any]:
    fleet = found.fleet
    return {
        "scenario": fleet.scenario.name,
        "seed": fleet.scenario.seed,
        "commit": commit,
        "engine": fleet.seen[0].engine,
        "calibration": calibration,
        "wall_seconds": round(took_seconds, 3),
        "sentence": sentence(found),
        "cells": fleet.count,
        "simulated": len(fleet.seen),
        "seeds": [each.seed for each in fleet.seen],
        "duration_seconds": fleet.scenario.traffic.duration_seconds,
        "answers_count": sum(each.answers_count for each in fleet.seen),
        "until_ratio": found.until,
        "reached": found.reached,
        "operations": [_operation(each, found.verdicts) for each in fleet.operations],
        "demands_drawn": found.demands_drawn,
        "single_runs_p95_seconds": {name: list(ends) for name, ends in single_runs(fleet).items()},
        "expectations": [
            {
                "name": first.name,
                "limit": first.limit,
                "unit": first.unit,
                "found": estimate_record(figure),
                "said": said,
            }
            for first, figure, said in expectations(fleet)
        ],
        "busy_ratio": {tier: estimate_record(ratio) for tier, ratio in fleet.busy_ratio.items()},
        "hit_ratio": {cache: estimate_record(ratio) for cache, ratio in fleet.hit_ratio.items()},
        "dollars_month": estimate_record(fleet.dollars_month),
        "prices": fleet.scenario.prices,
        "not_priced": fleet.not_priced,
        "no_steady_state": fleet.unsteady,
        "settled_seconds": fleet.settled_seconds,
        "split": [_moved(each) for each in found.moved],
        "notes": list(notes(found)),
    }


def _operation(each: OperationFigures, verdicts: Mapping[str, StoppingVerdict | None]) -> dict[str, Any]:
    verdict = verdicts.get(each.name)
    return {
        "operation": each.name,
        "count": each.count,
        "least_count": each.least_count,
        "per_second": estimate_record(each.per_second),
        "answered_per_second": estimate_record(each.answered_per_second),
        "errors_ratio": estimate_record(each.errors_ratio),
        **{f"p{q * 100:g}_seconds": estimate_record(each.quantiles[q]) for q in QUANTILES},
        f"p{WATCHED * 100:g}_half_width_ratio": _finite(each.half_width_ratio),
        "waited_for": verdict is not None,
        "narrow": None if verdict is None else verdict is StoppingVerdict.NARROW,
    }


def _moved(each: Moved) -> dict[str, Any]:
    return {
        "figure": each.figure,
        "usual": each.usual,
        "difference": each.difference.mean,
        "low": _finite(each.difference.low),
        "high": _finite(each.difference.high),
        "distinguishable": each.difference.distinguishable,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
