"""Simulates a scenario at this machine's speed and measures it, simulates it again at the speed that the measured run
had, compares and reports."""

from __future__ import annotations

from pathlib import Path

import msgspec

from chaos.experiment import ExperimentResult
from core.fixed_work import speed_ahead
from core.run import RunRecord
from core.scenario import Scenario
from lab import fixed_work
from present.progress import task
from records import folders, profiles, run
from records.comparison import Comparison

SIMULATED, MEASURED = "simulated", "measured"


def make(
    scenario: Scenario,
    scenario_text: str,
    folder: Path,
    *,
    chosen: profiles.Chosen,
    data: Path,
) -> Comparison:
    """Run both sides of ``scenario`` into ``folder`` and report; the prediction is written before the measurement."""
    with folders.making(folder, worth=MEASURED):
        # these imports take a second, in which Ctrl-C must not leave the folder behind
        from lab.measure import measure

        predict(scenario, scenario_text, folder / SIMULATED, chosen=chosen)
        measure(scenario, scenario_text, folder / MEASURED, data=data)
        return finish(folder, scenario, scenario_text, chosen)


def predict(scenario: Scenario, scenario_text: str, folder: Path, *, chosen: profiles.Chosen) -> RunRecord:
    """Do the fixed work and simulate a run into ``folder``, with the profile's CPU demand scaled to this machine."""
    from planning.simulations.one import simulate  # a second, in which Ctrl-C must not leave the folder behind

    with task("fixed work"):
        here = fixed_work.measure(scenario.system.placement.cores.stack)
    ahead = speed_ahead(here, chosen.profile.fixed_work)
    with task("simulate") as report:
        return simulate(
            scenario,
            scenario_text,
            chosen.profile,
            folder,
            speed=ahead.speed,
            speed_ahead=ahead,
            own_profile=chosen.own,
            report=report,
        )


def finish(folder: Path, scenario: Scenario, scenario_text: str, chosen: profiles.Chosen) -> Comparison:
    """Add the speed-matched simulation, the comparison and the report to a pair with both sides."""
    from lab.compare import MATCHED, compare, speed_of  # what measures is loaded after the simulation is shown
    from lab.report import write
    from planning.simulations.one import simulate

    speed = speed_of(run.read(folder / SIMULATED), run.read(folder / MEASURED))
    if speed is not None and not (folder / MATCHED / run.RECORD_FILE).exists():
        with task("match speed") as report:
            simulate(
                scenario,
                scenario_text,
                chosen.profile,
                folder / MATCHED,
                speed=round(speed.ratio, 4),
                own_profile=chosen.own,
                report=report,
            )
    with task("compare"):
        comparison = compare(folder)
        write(folder)
    return comparison


def drill_outcome(folder: Path) -> ExperimentResult:
    """Whether the measured side of a pair confirms its scenario's hypothesis."""
    from lab import compare  # what measures is loaded after the simulation is shown

    return compare.drill_outcome(run.read(folder / MEASURED))


def record_outcome(folder: Path, comparison: Comparison, outcome: ExperimentResult) -> Comparison:
    """Give the comparison and its report the drill's verdict, so that the exit code is the same everywhere."""
    from lab.report import write  # what measures is loaded after the simulation is shown
    from records.comparison import write_comparison

    judged = msgspec.structs.replace(comparison, exit_code=outcome.exit_code, sentence=outcome.sentence)
    write_comparison(folder, judged)
    write(folder)
    return judged
