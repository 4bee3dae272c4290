"""Simulates a scenario with a calibration profile and writes the run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from core.arrivals import mean_count
from core.errors import UserError
from core.fixed_work import SpeedAhead
from core.names import Origin
from core.profile import Profile, scaled
from core.run import RunRecord, Validity, Written
from core.scenario import Scenario
from core.scenario.reach import ScenarioSide, without_effect
from planning.simulations import counts, engines
from present.progress import ProgressReport
from records import provenance, run
from sim.model.cpu import NoDemandError
from sim.model.faults import FaultError
from sim.model.prepared import ScaleError
from sim.simulate import COMPILED_FROM
from sim.simulate import simulate as simulate_model

if TYPE_CHECKING:
    from sim.simulate import EngineName, Result


def simulate(
    scenario: Scenario,
    scenario_text: str,
    profile: Profile,
    folder: Path,
    *,
    speed: float = 1.0,
    speed_ahead: SpeedAhead | None = None,
    engine: EngineName = "auto",
    own_profile: bool = True,
    report: ProgressReport | None = None,
) -> RunRecord:
    """Simulate and write a run into ``folder``; ``speed`` multiplies every CPU demand (this machine over calibrated).
    ``speed_ahead``, where that factor comes from, and ``own_profile``, whether the profile was measured on this
    machine, are kept in the record.

    Raises UserError where a fault cannot act, where an operation's cost is not known or the scenario is more than one
    system, and ModelError when a law of the model is broken, which is a bug.
    """

    if report is not None and mean_count(scenario) >= COMPILED_FROM:
        engines.ready(engine, report)
    started, clock = provenance.now(), time.monotonic()
    try:
        result = simulate_model(
            scenario,
            profile if speed == 1.0 else scaled(profile, speed),
            engine=engine,
            on_progress=(lambda done: report(done, 1.0)) if report else None,
        )
    except (FaultError, ScaleError, NoDemandError) as error:
        raise UserError(f"{scenario.name}: {error}") from error
    return write(
        folder,
        scenario,
        scenario_text,
        result,
        calibration=profile.id,
        speed=speed,
        speed_ahead=speed_ahead,
        own_profile=own_profile,
        written=Written(started=started, finished=provenance.now(), wall_seconds=round(time.monotonic() - clock, 3)),
    )


def write(
    folder: Path,
    scenario: Scenario,
    scenario_text: str,
    result: Result,
    *,
    calibration: str,
    speed: float,
    own_profile: bool,
    written: Written,
    speed_ahead: SpeedAhead | None = None,
) -> RunRecord:
    idle = without_effect(scenario, ScenarioSide.MODEL)
    record = RunRecord(
        origin=Origin.SIMULATED,
        scenario=scenario.name,
        seed=scenario.seed,
        commit=provenance.commit(),
        engine=result.engine,
        warm_up_seconds=scenario.traffic.warm_up_seconds,
        duration_seconds=scenario.traffic.duration_seconds,
        calibration=calibration,
        speed=speed,
        speed_ahead=speed_ahead,
        facts={**result.facts, "calibrated_here": own_profile, **({"without_effect": list(idle)} if idle else {})},
        ledger=dict(result.ledger),
        validity=Validity(scheduled_count=result.outcomes.count, sent_count=result.outcomes.count),
        written=written,
    )
    if result.outcomes.every > 1:
        folder.mkdir(parents=True, exist_ok=True)
        counts.write(folder, result.outcomes.services())
    run.write(
        folder,
        record=record,
        scenario_text=scenario_text,
        samples=result.samples,
        usage=result.usage,
        stages=result.stages,
        caches=result.caches,
        journal=result.journal,
    )
    return record
