"""Simulates one scenario with the durations of a calibration profile; the result has the columns of a measured run.

Nothing here reads a clock, a random generator or the environment: the result is a function of scenario, profile and
engine, byte for byte. The engines differ by rounding only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from core.arrivals import mean_count
from core.operations import OPERATIONS
from core.profile import Profile
from core.run import Event, Samples
from core.scenario import Scenario
from core.traffic import Schedule
from sim.model import saturation
from sim.model.prepared import WHOLE_MAX, PreparedRun, ScaleError, prepare
from sim.results import observed
from sim.results.accounts import LogAccount
from sim.results.jobs import JobDelay
from sim.results.laws import ModelError
from sim.results.observed import Engine, Observed
from sim.results.outcomes import Outcomes, outcomes_of
from sim.results.usage import Usage

EngineName = Literal["auto", "simpy", "compiled"]
#: Requests from which the compiled engine is chosen: with fewer, SimPy is done before the compiled code is loaded.
COMPILED_FROM: Final = 2_000
#: Requests from which a run that saturates in the mean is refused: with fewer, it takes some minutes.
ENDLESS_FROM: Final = 2_000_000
#: Resources whose expected utilisation is in the facts of a run.
_BUSIEST: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One simulated run, as `core.run.write` takes it."""

    engine: str
    samples: Samples  # in a long run, rows of every k-th request
    outcomes: Outcomes
    usage: Usage
    stages: tuple[tuple[str, str, str, int, float], ...]
    caches: tuple[tuple[str, int, int], ...]
    journal: tuple[Event, ...]
    facts: dict[str, Any]
    ledger: dict[str, int]
    jobs: tuple[JobDelay, ...] = ()  # delays of background work, by name


def simulate(
    scenario: Scenario,
    profile: Profile,
    *,
    engine: EngineName = "auto",
    on_progress: Callable[[float], None] | None = None,
) -> Result:
    """Run the model; ``on_progress`` gets the share of simulated time that is over.

    Raises `sim.results.laws.ModelError` where the model breaks a law, which is a bug; `sim.model.faults.FaultError`
    where a fault names a process that the scenario does not have, or a link that its traffic does not cross;
    `sim.model.prepared.ScaleError` where the scenario is more than one system, or a very long run of a system that
    saturates; `sim.model.cpu.NoDemandError` where an operation's demand is neither measured nor stated.
    """
    prepared = prepare(scenario, profile)
    name = chosen(prepared, engine)
    if prepared.long:
        return _simulate_long(prepared, name, on_progress)
    runner = _engine(name, prepared)
    usage = run_second_by_second(prepared, runner, on_progress)
    seen = runner.observed()
    observed.check(seen)
    return _result(prepared, name, seen, usage, outcomes_of(seen.samples, **_times(prepared)))


def check(scenario: Scenario, profile: Profile) -> None:
    """Raise the error with which `simulate` would refuse ``scenario``, before anything is run on either side:
    FaultError, ScaleError, NoDemandError."""
    prepare(scenario, profile)


def _simulate_long(prepared: PreparedRun, name: str, on_progress: Callable[[float], None] | None) -> Result:
    """Simulate a run whose answers are counted as they come; every k-th request keeps its rows."""
    _refuse_endless(prepared)
    runner = _engine(name, prepared)
    every = math.ceil(mean_count(prepared.scenario) / WHOLE_MAX)
    outcomes = Outcomes(tuple(prepared.program.entries), every=every, **_times(prepared))
    usage = run_second_by_second(prepared, runner, on_progress, lambda: outcomes.add(runner.drain()))
    seen = replace(runner.observed(), samples=outcomes.samples())
    observed.check(seen)
    return _result(prepared, name, seen, usage, outcomes)


def _refuse_endless(prepared: PreparedRun) -> None:
    """Refuse a long run with a queue that grows all the time: simulating each of its requests would take hours."""
    ranked = saturation.saturation(prepared)
    count = mean_count(prepared.scenario)
    if count > ENDLESS_FROM and ranked and max(each.mean_ratio for each in ranked) >= 1.0:
        raise ScaleError(
            f"{saturation.verdict(ranked)}; {count:,.0f} requests that wait longer and longer are "
            "not simulated: lower traffic.rate, shorten traffic.duration, or add to what saturates"
        )


def chosen(prepared: PreparedRun, engine: EngineName) -> str:
    """The engine for a run: the compiled one where loading it pays."""
    if engine != "auto":
        return engine
    return "simpy" if len(prepared.schedule) < COMPILED_FROM and not prepared.long else "compiled"


def _engine(name: str, prepared: PreparedRun) -> Engine:
    if name == "simpy":
        from sim.reference import engine as reference

        return reference.SimpyEngine(prepared)
    from sim.compiled import engine  # loading it takes a second

    return engine.CompiledEngine(prepared)


def _times(prepared: PreparedRun) -> dict[str, Any]:
    """Arguments of `Outcomes` that a scenario determines."""
    load = prepared.scenario.traffic
    return {
        "seconds": math.ceil(load.duration_seconds),
        "warm_up_seconds": math.ceil(load.warm_up_seconds),
        "patience_seconds": load.timeout_seconds,
    }


def run_second_by_second(
    prepared: PreparedRun,
    engine: Engine,
    on_progress: Callable[[float], None] | None = None,
    on_second: Callable[[], None] | None = None,
) -> Usage:
    """Run from the first arrival to the last answer, second by second; returns CPU time by process and second."""
    begin, end = engine.now, prepared.scenario.traffic.duration_seconds
    usage = Usage(tuple(process.name for process in prepared.layout.processes))
    counting = begin >= 0.0
    while engine.now < end or (engine.open and engine.now < prepared.last_seconds):
        if engine.now >= 0.0 and not counting:
            counting = True
            engine.count_from_now()
        second = math.floor(engine.now + 1e-9)
        until = 0.0 if engine.now < 0.0 < second + 1 else float(second + 1)
        before = engine.cpu_seconds()
        engine.run(until_seconds=until)
        if second < end:
            usage.add(second, before, engine.cpu_seconds())
        if on_second is not None:
            on_second()
        if on_progress is not None:
            on_progress(min(1.0, (engine.now - begin) / (end - begin)))
    if engine.open:
        raise ModelError("conservation", f"{engine.open} requests never ended")
    return usage


def _result(prepared: PreparedRun, engine: str, seen: Observed, usage: Usage, outcomes: Outcomes) -> Result:
    stages = zip(prepared.program.stages, seen.stages, strict=True)
    return Result(
        engine=engine,
        samples=seen.samples,
        outcomes=outcomes,
        usage=usage,
        stages=tuple((*names, count, seconds) for names, (count, seconds) in sorted(stages) if count),
        caches=_caches(seen),
        journal=tuple(sorted((*_viral_post(prepared.schedule), *seen.journal), key=_in_order)),
        facts=_facts(prepared, seen, usage, outcomes),
        ledger=_ledger(outcomes.acknowledged(), seen.lost_count),
        jobs=seen.jobs,
    )


def _viral_post(schedule: Schedule) -> list[Event]:
    """The event of the viral post, if there is one."""
    if schedule.viral_at_seconds is None:
        return []
    values = {"phase": "viral", "author": schedule.viral_author}
    return [Event(at_seconds=schedule.viral_at_seconds, event="phase", values=values)]


def _in_order(event: Event) -> tuple[float, str, int]:
    """Order of the journal: events of the same time have the same order from both engines."""
    return event.at_seconds, event.event, event.values.get("fault", -1)


def _caches(seen: Observed) -> tuple[tuple[str, int, int], ...]:
    """Hits and misses by cache, summed over regions."""
    found: dict[str, tuple[int, int]] = {}
    for name, hits, misses in seen.caches:
        before = found.get(name, (0, 0))
        found[name] = (before[0] + hits, before[1] + misses)
    return tuple((name, *counts) for name, counts in sorted(found.items()))


def _facts(prepared: PreparedRun, seen: Observed, usage: Usage, outcomes: Outcomes) -> dict[str, Any]:
    hosts, seconds = prepared.layout.hosts, prepared.scenario.traffic.duration_seconds
    host_of = {process.name: process.host for process in prepared.layout.processes}
    judged = [0.0] * len(hosts)
    for name, second, spent in usage:
        if second >= 0:
            judged[host_of[name]] += spent
    opened = zip(prepared.program.breakers, seen.breaker_opened, strict=True)
    facts: dict[str, Any] = {
        "host_utilisation_ratio": sum(judged) / (seconds * prepared.layout.cores),
        "host_stalled_seconds": sum(host.stalled_seconds for host in seen.hosts) / len(hosts),
        "requests_inside_mean_count": seen.requests.mean_number(),
        "background_unfinished_count": seen.background.inside,
        "breaker_opened_count": {name: count for (name, _), count in opened},
        "degraded_count": dict(sorted(seen.degraded_count.items())),
        "fanout_push_mean_count": prepared.content.mean_push_count(),
        "feed_pull_mean_count": prepared.content.mean_pull_count(),
        **_log_facts(seen),
    }
    ranked = saturation.saturation(prepared)
    facts["busiest"] = {f"{each.kind} {each.name}": round(each.peak_ratio, 4) for each in ranked[:_BUSIEST]}
    if (sentence := saturation.verdict(ranked)) is not None:
        facts["no_steady_state"] = sentence
    if len(hosts) > 1:
        busy = {host.name: spent / (seconds * host.cores) for host, spent in zip(hosts, judged, strict=True)}
        facts["utilisation_ratio_by_host"] = busy
    if prepared.scenario.system.redis.nodes > 1:
        facts["hot_key_split_count"], facts["hot_key_folded_count"] = seen.hot_keys
    if outcomes.every > 1:
        facts["rows_kept_ratio"], facts["answers_count"] = 1.0 / outcomes.every, outcomes.count
    if prepared.program.notes:
        facts["assumed"] = list(prepared.program.notes)
    return facts


def _log_facts(seen: Observed) -> dict[str, Any]:
    """By job: how long events were on the log before their work began, how many still are, and were handled twice."""
    jobs: dict[str, list[LogAccount]] = {}
    for log in seen.logs:
        jobs.setdefault(log.job, []).append(log)
    counts = {job: sum(log.lag_count for log in logs) for job, logs in jobs.items()}
    started = {job: logs for job, logs in jobs.items() if counts[job]}
    return {
        "consumer_lag_mean_seconds": {
            job: sum(log.lag_seconds for log in logs) / counts[job] for job, logs in started.items()
        },
        "consumer_lag_max_seconds": {job: max(log.lag_max_seconds for log in logs) for job, logs in started.items()},
        "log_unhandled_count": {job: sum(log.found for log in logs) for job, logs in jobs.items()},
        "log_redelivered_count": {job: sum(log.redelivered_count for log in logs) for job, logs in jobs.items()},
    }


def _ledger(acknowledged: Mapping[str, int], lost_count: Mapping[str, int]) -> dict[str, int]:
    """Writes that were acknowledged, and how many of them were lost. Writes are durable before they are acknowledged,
    so only those are lost that a dead primary had and no replica."""
    found: dict[str, int] = {}
    for operation, count in sorted(acknowledged.items()):
        if OPERATIONS[operation].method != "GET":
            found[f"{operation}.acknowledged"] = count
            found[f"{operation}.lost"] = lost_count.get(operation, 0)
    return found
