"""Runs the missing simulations of a study and returns all results."""

from __future__ import annotations

from collections.abc import Sequence

from planning.simulations import engines
from planning.simulations.readings import Reading
from planning.simulations.results import Results
from planning.simulations.runners import Runner
from planning.simulations.task import Setup, SimulationTask
from present.progress import ProgressReport


def complete(
    tasks: Sequence[SimulationTask],
    shared: Setup,
    *,
    runner: Runner,
    results: Results,
    report: ProgressReport | None = None,
) -> tuple[Reading, ...]:
    """The reading of every task, in their order; those that ``results`` knows are not simulated again."""
    missing = [task for task in {task.key: task for task in tasks}.values() if results.get(task.key) is None]
    done = len(tasks) - len(missing)
    if report is not None:
        if missing and shared.engine != "auto":  # a study of short runs may not need it
            engines.ready(shared.engine, report)
        report(done, len(tasks), f"{done} of {len(tasks)}")
    for task, reading in runner.run(missing, shared):
        results.add(task, reading)
        done += 1
        if report is not None:
            report(done, len(tasks), f"{done} of {len(tasks)}, {task.name}")
    found = [results.get(task.key) for task in tasks]
    return tuple(reading for reading in found if reading is not None)
