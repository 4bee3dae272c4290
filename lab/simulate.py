"""Simulates a scenario with a calibration profile and writes the run."""

from __future__ import annotations

import time
from pathlib import Path

from core import run
from core.names import Origin
from core.profile import Profile, scaled
from core.scenario import Scenario
from lab import provenance
from lab.errors import UserError
from lab.progress import Report


def simulate(
    scenario: Scenario,
    scenario_text: str,
    profile: Profile,
    folder: Path,
    *,
    speed: float = 1.0,
    own_profile: bool = True,
    report: Report | None = None,
) -> run.RunRecord:
    """Simulate and write a run into ``folder``; ``speed`` multiplies every CPU demand (this machine over calibrated).
    ``own_profile`` is whether the profile was measured on this machine, and is kept in the record.

    Raises UserError where a fault cannot act, and ModelError when a law of the model is broken, which is a bug.
    """
    from sim.faults import FaultError
    from sim.simulate import simulate as simulate_model

    started, clock = provenance.now(), time.monotonic()
    try:
        result = simulate_model(
            scenario,
            profile if speed == 1.0 else scaled(profile, speed),
            on_progress=(lambda done: report(done, 1.0)) if report else None,
        )
    except FaultError as error:
        raise UserError(f"{scenario.name}: {error}") from error
    record = run.RunRecord(
        origin=Origin.SIMULATED,
        scenario=scenario.name,
        seed=scenario.seed,
        commit=provenance.commit(),
        engine="simpy",
        warm_up_seconds=scenario.traffic.warm_up_seconds,
        duration_seconds=scenario.traffic.duration_seconds,
        calibration=profile.id,
        speed=speed,
        facts={**result.facts, "calibrated_here": own_profile},
        ledger=dict(result.ledger),
        validity=run.Validity(scheduled_count=len(result.samples), sent_count=len(result.samples)),
        written=run.Written(
            started=started, finished=provenance.now(), wall_seconds=round(time.monotonic() - clock, 3)
        ),
    )
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
