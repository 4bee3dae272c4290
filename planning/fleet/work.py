"""A worker's task for one cell of a fleet. The first cell is also written as a run, to be inspected."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from core import run
from core.scenario import explain, parse
from planning.fleet.seen import SimulatedCell, seen
from planning.simulations import one as simulate
from planning.simulations.task import Setup, SimulationTask, profile_of
from records import provenance
from sim.simulate import simulate as simulate_model


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSetup(Setup):
    """What all cells share, and where the cell with ``seed`` is written."""

    folder: str
    seed: int
    calibration: str
    speed: float
    own_profile: bool


def work(task: SimulationTask, shared: Setup) -> SimulatedCell:
    """Simulate a cell; raises what the model raises."""
    started, clock = provenance.now(), time.monotonic()
    scenario = replace(parse(task.text), seed=task.seed)
    result = simulate_model(scenario, profile_of(task, shared), engine=shared.engine)
    if isinstance(shared, CellSetup) and task.seed == shared.seed:
        simulate.write(
            Path(shared.folder),
            scenario,
            explain(scenario),
            result,
            calibration=shared.calibration,
            speed=shared.speed,
            own_profile=shared.own_profile,
            written=run.Written(
                started=started, finished=provenance.now(), wall_seconds=round(time.monotonic() - clock, 3)
            ),
        )
    return seen(scenario, result)
