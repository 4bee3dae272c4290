"""A sweep on disk: its record as JSON, a row for each simulation, and its page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from planning.simulations import files
from planning.studies.records import estimate_record
from planning.sweep.page import content
from planning.sweep.study import Sweep


def write(sweep: Sweep, folder: Path) -> None:
    files.write_study(folder, "sweep", record=record(sweep), report=content(sweep))
    files.write_rows(folder, "sweep", rows(sweep))


def rows(sweep: Sweep) -> list[dict[str, Any]]:
    """A row for each simulation: settings, replication, figures."""
    found = []
    names = sorted({figure for reading in sweep.readings for figure in reading.figures})
    for result in sweep.results:
        for replication, reading in enumerate(result.readings):
            row: dict[str, Any] = {**dict(result.point.settings), "replication": replication}
            row.update({name: reading.figures.get(name) for name in names})
            found.append(row)
    return found


def record(sweep: Sweep) -> dict[str, Any]:
    names = sorted({figure for reading in sweep.readings for figure in reading.figures})
    return {
        "scenario": sweep.scenario.name,
        "seed": sweep.scenario.seed,
        **asdict(sweep.source),
        "replications": sweep.replications,
        "axes": {axis.field: list(axis.values) for axis in sweep.axes},
        "sentence": sweep.sentence,
        "points": [
            {
                "settings": dict(result.point.settings),
                "held": result.held,
                "no_steady_state": result.unsteady or None,
                "figures": {
                    name: record for name in names if (record := estimate_record(result.estimate(name))) is not None
                },
            }
            for result in sweep.results
        ],
        "neighbours": [
            {
                "figure": figure,
                "from": dict(each.first.point.settings),
                "to": dict(each.second.point.settings),
                "difference": each.found.difference.value,
                "low": each.found.difference.low,
                "high": each.found.difference.high,
                "p_holm": each.found.together,
                "distinguishable": each.found.distinguishable,
            }
            for figure in sweep.headline
            for each in sweep.neighbours(figure)
        ],
    }
