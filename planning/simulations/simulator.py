"""Runs the missing simulations of a study and returns all results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planning.simulations import engines
from planning.simulations.readings import Reading
from planning.simulations.results import Results
from planning.simulations.runners import Runner
from planning.simulations.task import Setup, SimulationTask
from present.progress import ProgressReport


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySource:
    """What the figures of a study come from."""

    commit: str
    engine: str
    calibration: str  # id of the profile
    draws_demands: bool = False  # in every replication but the first, from the errors of the profile

    def durations(self, replications: int) -> str:
        """The profile that the durations of a study are from, and whether its error is in the intervals."""
        drawn = ", drawn from the error of each demand in all replications but the first"
        return f"durations of {self.calibration}{drawn if self.draws_demands and replications > 1 else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """Simulates the tasks of one study, which share a setup; readings that ``results`` has are not simulated again."""

    shared: Setup
    runner: Runner
    results: Results
    source: StudySource
    report: ProgressReport | None = None

    def readings(self, tasks: Sequence[SimulationTask], *, report: ProgressReport | None = None) -> tuple[Reading, ...]:
        """The reading of every task, in their order; ``report`` instead of the study's own progress report."""
        report = report or self.report
        missing = [task for task in {task.key: task for task in tasks}.values() if self.results.get(task.key) is None]
        done = len(tasks) - len(missing)
        if report is not None:
            if missing and self.shared.engine != "auto":  # a study of short runs may not need it
                engines.ready(self.shared.engine, report)
            report(done, len(tasks), f"{done} of {len(tasks)}")
        for task, reading in self.runner.run(missing, self.shared):
            self.results.add(task, reading)
            done += 1
            if report is not None:
                report(done, len(tasks), f"{done} of {len(tasks)}, {task.name}")
        found = [self.results.get(task.key) for task in tasks]
        return tuple(reading for reading in found if reading is not None)
