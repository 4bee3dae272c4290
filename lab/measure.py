"""Measures a scenario on the real stack: up, seed, drive with faults, check acknowledged writes, down.

The result is one run. The run is void, with reasons, when it cannot be judged: the generator lagged, the host stalled,
a fault did not act, or a process died that no fault had killed.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chaos import journal as faults_journal
from chaos import ledger
from core.errors import UserError
from core.names import Origin
from core.run import Event, RunRecord, Validity, Written
from core.scenario import Scenario
from lab import load, stacks
from lab.counters import CounterReadings, JudgedCounters
from lab.sampler import UsageSampler
from lab.under_way import UnderWay
from present.progress import task
from records import provenance, run
from stack import autogroup, cores, stalls
from stack.control import RunningStack, StackFailure
from stack.usage import Accounting

START_SECONDS_MAX: Final = 60.0  # from starting the generator until it is ready
LEAD_SECONDS: Final = 4.0  # from then to its first arrival: the warden starts in it
STALL_PROBE_SECONDS: Final = 2.0
STALL_RATIO_MAX: Final = 0.05  # of a spinning loop's time; the calibrated noise of such machines is 0.006–0.014
CHECK_SECONDS_MAX: Final = 300.0  # for checking everything that was acknowledged


#: Events of the supervisor's journal that belong in a run.
_ABOUT_PROCESSES: Final = ("died", "restarted", "restart failed", "unresponsive")


def _deaths(data: Path, *, since_unix: float) -> list[dict[str, Any]]:
    """Lines of the supervisor's journal about processes that ended or started since ``since_unix``."""
    path = data / "journal.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else ()
    entries = (json.loads(line) for line in lines)
    return [entry for entry in entries if entry["at"] >= since_unix and entry["event"] in _ABOUT_PROCESSES]


def measure(
    scenario: Scenario,
    scenario_text: str,
    folder: Path,
    *,
    data: Path,
    keep_data: bool = False,
) -> RunRecord:
    """Measure and write a run into ``folder``; returns its record. Raises UserError where nothing was recorded; leaves
    nothing running.

    If the traffic ends early (a drill's abort condition, a stack that hangs, a generator or warden that dies, Ctrl-C),
    the run holds what was recorded until then; it is void unless the drill itself ended it. KeyboardInterrupt is raised
    again when the run is written.
    """
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    scenario_path = work / "scenario.yaml"  # the exact input, even if the file changes meanwhile
    scenario_path.write_text(scenario_text, encoding="utf-8")
    started, clock = provenance.now(), time.monotonic()
    try:
        with stacks.running(scenario_path.absolute(), data, wipe=not keep_data) as stack:
            gone = _watch(stack)
            with stacks.on_every_core(stack):
                load.seed(scenario_path, stack, work / "seeded", meanwhile=gone)
            seen = _observe(scenario, scenario_path, stack, work, gone)
            lost = {} if seen.interrupted else _check(stack, work, seen.reasons)
            record = _record(scenario, stack, seen, lost, started, time.monotonic() - clock)
            # before the stack stops, so that the run exists even if that fails
            _write(folder, work, record, scenario_text, seen)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if seen.interrupted:
        raise KeyboardInterrupt
    return record


def _write(folder: Path, work: Path, record: RunRecord, scenario_text: str, seen: TrafficReadings) -> None:
    with suppress(OSError):
        shutil.copy(work / "load" / "latency.hdr.json", folder / "latency.hdr.json")
    run.write(
        folder,
        record=record,
        scenario_text=scenario_text,
        samples=run.read_samples(work / "load" / "samples.parquet"),
        usage=seen.usage,
        stages=seen.after.stage_rows_since(seen.before),
        caches=seen.after.cache_rows_since(seen.before),
        journal=seen.journal,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficReadings:
    """What was recorded while the traffic ran."""

    load: dict[str, Any]
    usage: list[tuple[str, int, float]]
    before: CounterReadings  # at the end of the warm-up
    after: CounterReadings
    journal: list[Event]
    stall_ratio: float
    grouped: bool  # by the kernel's automatic groups, which are switched on again when the stack is gone
    reasons: list[str]
    interrupted: bool = False


def _watch(stack: RunningStack) -> Callable[[], str | None]:
    def gone() -> str | None:
        return None if stack.is_alive else "the stack's supervisor is gone; nothing can be measured"

    return gone


def _observe(
    scenario: Scenario,
    scenario_path: Path,
    stack: RunningStack,
    work: Path,
    gone: Callable[[], str | None],
) -> TrafficReadings:
    traffic = scenario.traffic
    load_cores = scenario.system.placement.cores.load
    span = traffic.warm_up_seconds + traffic.duration_seconds
    with cores.keep_awake(stack.cores), task("traffic") as report:
        stall_ratio = stalls.probe((load_cores or stack.cores)[0], STALL_PROBE_SECONDS).lost_ratio
        counters = JudgedCounters(stack)
        began_unix = time.time()
        accounting = Accounting()
        sampler = UsageSampler(lambda: _usage(accounting, stack), t0_unix=time.time())
        under_way = UnderWay(scenario, stack, sampler, report, on_start=counters.begin_at)
        trouble, interrupted, load_record = "", False, None
        try:
            with sampler:
                load_record = load.drive(
                    scenario_path,
                    stack,
                    work / "seeded",
                    work / "load",
                    lead_seconds=LEAD_SECONDS,
                    duration_seconds=START_SECONDS_MAX + LEAD_SECONDS + span,
                    cores=load_cores,
                    meanwhile=lambda: under_way.meanwhile(gone),
                    on_line=under_way.on_line,
                    stop_when=lambda: under_way.is_aborted,
                )
        except (UserError, KeyboardInterrupt) as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            trouble = "the run was interrupted" if interrupted else str(error)
            load_record = load.recorded(work / "load")
            if load_record is None or not load_record["sent_count"]:  # nothing was recorded, so there is no run
                raise
        finally:
            faults = under_way.stop()
            counters.stop()
        before = counters.begin
        after = before if interrupted else CounterReadings.read(stack)
    died = _deaths(stack.data, since_unix=began_unix)
    journal = sorted(
        [*faults, *(_event(entry, under_way.t0_unix) for entry in died)], key=lambda event: event.at_seconds
    )
    return TrafficReadings(
        load=load_record,
        usage=sampler.rows(first_second=-int(traffic.warm_up_seconds), last_second=int(traffic.duration_seconds)),
        before=before,
        after=after,
        journal=journal,
        stall_ratio=stall_ratio,
        grouped=autogroup.is_on(),
        reasons=([trouble] if trouble else []) + _reasons(scenario, load_record, stall_ratio, journal),
        interrupted=interrupted,
    )


def _usage(accounting: Accounting, stack: RunningStack) -> dict[str, float]:
    try:
        return accounting.read(stack.refresh())
    except StackFailure:
        return {}


def _event(entry: dict[str, Any], t0_unix: float) -> Event:
    name = {"died": "process_died", "restarted": "process_restarted"}.get(entry["event"], entry["event"])
    values = {key: value for key, value in entry.items() if key not in ("at", "event")}
    return Event(at_seconds=round(entry["at"] - t0_unix, 3), event=name.replace(" ", "_"), values=values)


def _reasons(scenario: Scenario, load_record: dict[str, Any], stall_ratio: float, journal: list[Event]) -> list[str]:
    """Reasons why this run cannot be judged; empty if it can."""
    aborted = any(event.event == faults_journal.ABORTED for event in journal)
    # an abort stops the generator, so what the generator reports about that is no reason
    reasons = [] if aborted else [str(reason) for reason in load_record.get("reasons", ())]
    if stall_ratio > STALL_RATIO_MAX:
        reasons.append(f"the host took {stall_ratio:.1%} of a spinning loop's time; at most {STALL_RATIO_MAX:.0%}")
    meant = scenario.broken_processes
    for event in journal:
        if event.event == "process_died" and event.values.get("name") not in meant:
            how = event.values.get("how", "ended")
            reasons.append(
                f"{event.values.get('name')} died at {event.at_seconds:.1f} s ({how}); no fault had killed it"
            )
    if not aborted:
        reasons += faults_journal.void_reasons(scenario, journal)
    return reasons


def _check(stack: RunningStack, work: Path, reasons: list[str]) -> dict[str, int]:
    """Check what was acknowledged; if the stack does not answer, add that to ``reasons``."""
    path = work / "load" / "acknowledged.jsonl"

    async def bounded() -> Mapping[str, int]:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            return await ledger.check(path, stack.gateway_url, work / "seeded")

    with task("check ledger"):
        try:
            return dict(asyncio.run(bounded()))
        except TimeoutError:
            reasons.append(f"what was acknowledged could not be checked within {CHECK_SECONDS_MAX:.0f} s")
        except OSError as error:
            reasons.append(f"what was acknowledged could not be checked: {error}")
    return {}


def _record(
    scenario: Scenario,
    stack: RunningStack,
    seen: TrafficReadings,
    lost: dict[str, int],
    started: str,
    wall_seconds: float,
) -> RunRecord:
    return RunRecord(
        origin=Origin.MEASURED,
        scenario=scenario.name,
        seed=scenario.seed,
        commit=provenance.commit(),
        warm_up_seconds=scenario.traffic.warm_up_seconds,
        duration_seconds=scenario.traffic.duration_seconds,
        machine=dict(provenance.machine()),
        placement={
            "stack_cores": list(stack.cores),
            "load_cores": list(scenario.system.placement.cores.load),
            "kept_awake_cores": list(stack.cores),
            "autogroup": "on" if seen.grouped else "off",
            "generator": "real-time" if seen.load.get("real_time") else "fair",
        },
        facts={
            "stack_up_seconds": stack.seconds_to_start,
            **{name: seen.load[name] for name in ("late_count", "connections_opened") if name in seen.load},
        },
        ledger=lost,
        validity=Validity(
            void=bool(seen.reasons),
            reasons=tuple(seen.reasons),
            lag_p99_seconds=seen.load.get("lag_p99_seconds"),
            scheduled_count=int(seen.load.get("scheduled_count", 0)),
            sent_count=int(seen.load.get("sent_count", 0)),
            stall_ratio=seen.stall_ratio,
        ),
        written=Written(started=started, finished=provenance.now(), wall_seconds=round(wall_seconds, 3)),
    )
