"""Pairs of run folders with a known truth: latencies are drawn from distributions that the test chooses.

The schedule is the scenario's own, so counts and times are those of a real pair; only durations are made up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from core import streams, traffic
from core.fixed_work import SpeedAhead
from core.names import Origin, Outcome
from core.operations import steps_of
from core.run import Event, RunRecord, Samples, Validity, Written, samples_from_rows
from core.scenario import Scenario, parse
from records import run

SCENARIO = Path(__file__).parents[2] / "scenarios" / "viral_post_small.yaml"

#: Median latency in seconds of each operation of the scenario, on the measured side.
MEDIANS = {
    "feed.read": 0.012,
    "like.add": 0.009,
    "image.read": 0.002,
    "story.tray": 0.004,
    "search.users": 0.003,
    "media.create": 0.006,
    "object.put": 0.011,
    "media.complete": 0.013,
    "post.create": 0.010,
}
#: Findings of a simulated run, as `sim.simulate` writes them.
FACTS: Final = {
    "assumed": ["feed.read: its fallback path was not calibrated"],
    "busiest": {"host stack": 0.61, "process feed": 0.4},
    "breaker_opened_count": {"feed.timeline": 3, "feed.hydrate": 0},
    "consumer_lag_mean_seconds": {"fanout.deliver": 0.0008},
    "consumer_lag_max_seconds": {"fanout.deliver": 0.02},
    "log_unhandled_count": {"fanout.deliver": 2, "media.process": 0},
}
PROCESSES = {"feed": 0.22, "api": 0.12, "workers": 0.05, "gateway": 0.03, "redis": 0.04, "kafka": 0.03}


def samples(
    scenario: Scenario,
    *,
    salt: str,
    factor: Mapping[str, float] | None = None,
    sigma: float = 0.5,
    fault_seconds: float = 0.25,
    failing: Mapping[str, float] | None = None,
) -> Samples:
    """Lognormal latencies around MEDIANS × ``factor``; while a fault acts feed reads are degraded and that much later.

    ``failing`` gives the share of each operation's requests that ends in a 503.
    """
    schedule = traffic.draw_schedule(scenario)
    factor, failing = factor or {}, failing or {}
    faults = [(each.at_seconds, each.end_seconds) for each in scenario.faults]
    rows = []
    normal = streams.named(scenario.seed, f"synthetic.{salt}").uniforms(np.arange(len(schedule) * 8))
    fate = streams.named(scenario.seed, f"synthetic.fate.{salt}").uniforms(np.arange(len(schedule) * 8))
    for number, at in enumerate(schedule.at_seconds):
        begins = float(at)
        for step, operation in enumerate(steps_of(schedule.acts[schedule.act[number]])):
            u = min(max(float(normal[number * 8 + step]), 1e-9), 1 - 1e-9)
            latency = MEDIANS[operation] * factor.get(operation, 1.0) * float(np.exp(sigma * _normal(u)))
            outcome, status = Outcome.OK, 200
            if operation == "feed.read" and any(low <= begins < high for low, high in faults):
                latency += fault_seconds
                outcome = Outcome.DEGRADED
            if fate[number * 8 + step] < failing.get(operation, 0.0):
                outcome, status = Outcome.REFUSED, 503
            rows.append((number, step, operation, outcome.value, status, begins, begins + 0.0004, latency))
            begins += latency
    return samples_from_rows(rows)


def _normal(u: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(u)


def write_side(
    folder: Path,
    origin: Origin,
    *,
    text: str | None = None,
    factor: Mapping[str, float] | None = None,
    failing: Mapping[str, float] | None = None,
    cpu_factor: float = 1.0,
    fault_seconds: float = 0.25,
    lost: int = 0,
    void: Sequence[str] = (),
    journal: Sequence[Event] | None = None,
    speed: float = 1.0,
    speed_ahead: SpeedAhead | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Samples:
    """Write one side of a pair; returns its samples."""
    # the shipped world at a rate that gives every percentile below enough requests, whatever is shipped
    text = re.sub(r"(?m)^  rate: \S+", "  rate: 24/s", SCENARIO.read_text(encoding="utf-8")) if text is None else text
    scenario = parse(text)
    made = samples(scenario, salt=origin.value, factor=factor, failing=failing, fault_seconds=fault_seconds)
    measured = origin is Origin.MEASURED
    usage = [
        (name, second, round(busy * cpu_factor, 6))
        for second in range(-10, int(scenario.traffic.duration_seconds))
        for name, busy in PROCESSES.items()
    ]
    if journal is None:
        journal = [
            event
            for number, fault in enumerate(scenario.faults)
            for event in (
                Event(
                    at_seconds=fault.at_seconds, event="fault_begins", values={"fault": number, "target": fault.target}
                ),
                Event(
                    at_seconds=fault.at_seconds + 0.3,
                    event="fault_acted",
                    values={"fault": number, "target": fault.target, "round_trip_seconds": 0.305},
                ),
                Event(
                    at_seconds=fault.end_seconds, event="fault_ends", values={"fault": number, "target": fault.target}
                ),
            )
        ]
    likes = int((made.operation == "like.add").sum())
    record = RunRecord(
        origin=origin,
        scenario=scenario.name,
        seed=scenario.seed,
        commit="a1b2c3d",
        engine="" if measured else "simpy",
        warm_up_seconds=scenario.traffic.warm_up_seconds,
        duration_seconds=scenario.traffic.duration_seconds,
        machine={"cores": 2, "memory_bytes": 8 * 2**30, "processor": "Test CPU", "kernel": "6.1.0"} if measured else {},
        calibration="" if measured else "20261121-074000-test",
        speed=speed,
        speed_ahead=speed_ahead,
        facts=dict(facts or {}),
        ledger={"like.add.acknowledged": likes, "like.add.found": likes - lost, "like.add.lost": lost}
        if measured
        else {},
        validity=Validity(
            void=bool(void),
            reasons=tuple(void),
            lag_p99_seconds=0.0021 if measured else None,
            scheduled_count=len(made),
            sent_count=len(made),
            stall_ratio=0.009 if measured else None,
        ),
        written=Written(started="2026-11-21T07:48:12Z", finished="2026-11-21T07:50:53Z", wall_seconds=161.0),
    )
    run.write(
        folder / origin.value,
        record=record,
        scenario_text=text,
        samples=made,
        usage=usage,
        caches=[("timeline", 1900, 100), ("edge", 300, 60)]
        if measured
        else [("timeline", 1800, 200), ("edge", 310, 50)],
        journal=journal,
    )
    return made


def write_pair(
    folder: Path,
    *,
    factor: Mapping[str, float] | None = None,
    measured_factor: Mapping[str, float] | None = None,
    failing: Mapping[str, float] | None = None,
    void: Sequence[str] = (),
    text: str | None = None,
    cpu_factor: float = 1.1,
    lost: int = 0,
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Write both sides; the simulated one is ``factor`` times the truth, and its record has ``facts``."""
    write_side(folder, Origin.SIMULATED, factor=factor, text=text, facts=facts)
    write_side(
        folder,
        Origin.MEASURED,
        factor=measured_factor,
        failing=failing,
        void=void,
        text=text,
        cpu_factor=cpu_factor,
        lost=lost,
    )
    return folder
