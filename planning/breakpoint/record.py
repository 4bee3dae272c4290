"""A breakpoint study on disk: its record as JSON and its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from planning.breakpoint.page import content
from planning.breakpoint.study import Breakpoint, DisturbanceAnswer, Trials, goodput, is_back
from planning.simulations import files
from planning.simulations.readings import BACK_AFTER
from present.parts import Section


def write(
    found: Breakpoint,
    folder: Path,
    *,
    confirmation: Mapping[str, Any] | None = None,
    section: Section | None = None,
) -> None:
    """Write the study, with its ``confirmation`` on the real stack and the ``section`` about it, if there is one."""
    said = {**record(found), **({} if confirmation is None else {"confirmation": confirmation})}
    report = content(found)
    if section is not None:
        report = replace(report, sections=(section, *report.sections))
    files.write_study(folder, "breakpoint", record=said, report=report)


def record(found: Breakpoint) -> dict[str, Any]:
    return {
        "scenario": found.scenario.name,
        "seed": found.scenario.seed,
        **asdict(found.source),
        "rate_per_second": found.scenario.traffic.rate_per_second,
        "observe_seconds": found.request.observe_seconds,
        "resolution_ratio": found.request.resolution_ratio,
        "replications": len(found.normal),
        "carries_normal_load": found.carries,
        "carried": found.carried,
        "own_limits": found.own_limits,
        "sentence": found.sentence,
        "answers": [_answer(each) for each in found.answers],
    }


def _answer(answer: DisturbanceAnswer) -> dict[str, Any]:
    return {
        "disturbance": answer.disturbance.name,
        "unit": answer.disturbance.unit,
        "for_seconds": answer.disturbance.length_seconds(answer.boundary.value or answer.disturbance.most),
        "most": answer.disturbance.most,
        "boundary": answer.boundary.value,
        "boundary_low": answer.boundary.low,
        "boundary_high": answer.boundary.high,
        "boundaries": list(answer.boundary.edges),
        "slowest_back_seconds": answer.slowest_seconds,
        "returns_above": list(answer.returns),
        "tried": _tried(answer.trials),
        "fall_after": answer.height,
        "recovers_at_ratio": answer.load or None,
        "recovers_at_ratios": list(answer.loads),
        "falls": _tried(answer.falls),
    }


def _tried(trials: Trials) -> list[dict[str, Any]]:
    amounts = sorted({amount for each in trials.readings.values() for amount in each})
    return [
        {
            "amount": amount,
            "replications": [replication for replication, each in sorted(trials.readings.items()) if amount in each],
            "back_seconds": [each.figures[BACK_AFTER] if is_back(each) else None for each in trials.at(amount)],
            "goodput_ratio": goodput(trials.at(amount)),
        }
        for amount in amounts
    ]
