"""A sweep as plain data: its record, and a row for each simulation."""

from __future__ import annotations

from typing import Any

from planning.studies.records import estimate_record
from planning.sweep.study import Sweep


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
    """The sweep as JSON."""
    names = sorted({figure for reading in sweep.readings for figure in reading.figures})
    return {
        "scenario": sweep.scenario.name,
        "seed": sweep.scenario.seed,
        "commit": sweep.commit,
        "engine": sweep.engine,
        "calibration": sweep.calibration,
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
    }
