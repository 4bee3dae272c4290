"""Compares the two sides of a pair of runs: what the model said, what the stack did, and whether expectations held.

A pair folder holds ``simulated/`` and ``measured/``, and optionally ``simulated_matched/``: a second simulation at the
speed that the machine had in this run. A side that is missing or void is reported as such. Only run records are read,
so any pair can be compared again at any time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chaos import experiment
from chaos.experiment import ExperimentResult
from core import judge
from core.names import ERRORS, Origin
from core.run import NotARunError, Run, Samples
from lab import agreement, billing, verdicts
from records import run
from records.comparison import (
    ABORTED,
    HELD,
    MISSED,
    VOID,
    CachePair,
    CacheSide,
    Comparison,
    ExpectationPair,
    OperationPair,
    Pair,
    SideFacts,
    Speed,
    write_comparison,
)

MATCHED = "simulated_matched"
_ERROR_KINDS_MAX = 20


class NothingToCompareError(ValueError):
    """Neither side can be read; the message says why."""


def compare(pair_folder: Path) -> Comparison:
    """Compare the sides of ``pair_folder`` and write ``comparison.json`` there; raises NothingToCompareError."""
    simulated, why_not_simulated = _read(pair_folder / Origin.SIMULATED.value)
    measured, why_not_measured = _read(pair_folder / Origin.MEASURED.value)
    matched, _ = _read(pair_folder / MATCHED)
    known = measured or simulated
    if known is None:
        raise NothingToCompareError(f"{pair_folder}: {why_not_simulated}; {why_not_measured}")
    scenario = known.scenario
    seconds = scenario.traffic.duration_seconds
    faults = verdicts.faults(scenario, measured)
    windows = tuple((each.begins_seconds, each.ends_seconds) for each in faults)
    planned = judge.fault_windows(scenario)
    ours = _judge(simulated, planned)
    real = _judge(measured, windows)
    judged = verdicts.pair(ours, real)
    cores = len(scenario.system.placement.cores.stack)
    busy = None
    if measured is not None:
        busy = agreement.busy_by_second(agreement.cpu_by_second(measured.usage, seconds).values(), cores)
    parts = _parts(simulated, measured, planned, windows, busy)
    sides = _facts(simulated, why_not_simulated, cores), _facts(measured, why_not_measured, cores)
    code = _exit_code(sides[0], sides[1], judged)
    sentence = _sentence(code, sides[0], sides[1], judged, (*parts[1], *parts[2]) or parts[0])
    if measured is not None and scenario.drill is not None:
        # a drill has a separate, stricter verdict: the system must have been healthy before the fault
        outcome = drill_outcome(measured)
        if outcome.exit_code != code:
            code, sentence = outcome.exit_code, outcome.sentence
    found = Comparison(
        id=pair_folder.name,
        scenario=scenario.name,
        says=scenario.description,
        seed=known.record.seed,
        duration_seconds=seconds,
        exit_code=code,
        sentence=sentence,
        simulated=sides[0],
        measured=sides[1],
        verdicts=judged,
        operations=parts[0],
        outside_faults=parts[1],
        in_faults=parts[2],
        matched=_matched(matched, measured, busy),
        caches=_caches(simulated, measured),
        processes=_processes(simulated, measured),
        faults=faults,
        viral_at_seconds=scenario.traffic.viral.at_seconds if scenario.traffic.viral else None,
        recovery_seconds=_judged_pair("recovery", ours, real, "recovery_seconds"),
        depth_seconds=_judged_pair("depth", ours, real, "depth_seconds"),
        speed=speed_of(simulated, measured) if simulated is not None and measured is not None else None,
        cost=billing.cost(simulated, measured),
        notes=_notes(simulated, measured, matched),
    )
    write_comparison(pair_folder, found)
    return found


def drill_outcome(measured: Run) -> ExperimentResult:
    """Whether the measured side confirms its scenario's hypothesis."""
    return experiment.judge(
        measured.scenario,
        measured.samples,
        events=measured.journal,
        ledger=measured.record.ledger,
        void_reasons=measured.record.validity.reasons,
    )


def speed_of(simulated: Run, measured: Run) -> Speed | None:
    """CPU demand of the measured run over the calibrated one, of the kinds of process that both sides know, in the
    judged seconds without faults. None if one side recorded no CPU time."""
    seconds = measured.record.duration_seconds
    ours = agreement.cpu_by_second(simulated.usage, seconds)
    real = agreement.cpu_by_second(measured.usage, seconds)
    both = sorted(ours.keys() & real.keys())
    length = max(1, int(np.ceil(seconds)))
    calm = np.ones(length, dtype=bool)
    for begins, ends in judge.fault_windows(measured.scenario):
        # one second longer, because work that the fault delayed is done after it
        calm[int(np.clip(begins, 0, length)) : int(np.clip(np.ceil(ends) + 1, 0, length))] = False
    if not both or not calm.any():
        return None
    calibrated = sum(float(ours[name][calm].sum()) for name in both) / simulated.record.speed
    used = sum(float(real[name][calm].sum()) for name in both)
    if calibrated <= 0 or used <= 0:
        return None
    return Speed(ratio=used / calibrated, measured_cpu_seconds=used, calibrated_cpu_seconds=calibrated)


def _read(folder: Path) -> tuple[Run | None, str]:
    if not folder.is_dir():
        return None, f"no {folder.name} run"
    try:
        return run.read(folder), ""
    except NotARunError as error:
        return None, f"the {folder.name} run is not complete: {error}"


def _judge(side: Run | None, windows: judge.Windows) -> judge.Judgement | None:
    if side is None:
        return None
    return judge.judge(side.scenario, side.samples, ledger=side.record.ledger or None, windows=windows)


def _parts(
    simulated: Run | None,
    measured: Run | None,
    planned: judge.Windows,
    windows: judge.Windows,
    busy: agreement.Floats | None,
) -> tuple[tuple[OperationPair, ...], ...]:
    """The whole judged time, the time outside of faults, and the time in which faults acted."""
    known = measured or simulated
    assert known is not None
    seconds = known.record.duration_seconds
    inside = agreement.seconds_in(windows, seconds)
    found: list[tuple[OperationPair, ...]] = []
    for part, covered in ((None, seconds), (False, seconds - inside), (True, inside)):
        if part is not None and not windows:
            found.append(())
            continue
        ours = _samples(simulated, planned, part)
        real = _samples(measured, windows, part)
        kept = simulated.rows_kept_ratio if simulated is not None else 1.0
        found.append(agreement.pairs(ours, real, seconds=covered, busy_by_second=busy, kept_ratio=kept))
    return tuple(found)


def _samples(side: Run | None, windows: judge.Windows, inside: bool | None) -> Samples | None:
    if side is None:
        return None
    samples = side.samples.judged()
    if inside is not None:
        samples = samples.where(judge.in_windows(samples, windows) == inside)
    return agreement.waited(samples, side.scenario.traffic.timeout_seconds)


def _matched(matched: Run | None, measured: Run | None, busy: agreement.Floats | None) -> tuple[OperationPair, ...]:
    if matched is None or measured is None:
        return ()
    return agreement.pairs(
        _samples(matched, (), None),
        _samples(measured, (), None),
        seconds=measured.record.duration_seconds,
        busy_by_second=busy,
        kept_ratio=matched.rows_kept_ratio,
    )


def _caches(simulated: Run | None, measured: Run | None) -> tuple[CachePair, ...]:
    ours, real = _lookups(simulated), _lookups(measured)
    names = dict.fromkeys([*real, *ours])
    return tuple(CachePair(cache=name, simulated=ours.get(name), measured=real.get(name)) for name in names)


def _lookups(side: Run | None) -> dict[str, CacheSide]:
    rows = side.caches.to_pylist() if side is not None else []
    return {row["cache"]: CacheSide(hit_count=row["hit_count"], miss_count=row["miss_count"]) for row in rows}


def _processes(simulated: Run | None, measured: Run | None) -> tuple[Pair, ...]:
    """Busy share of one core by kind of process; the busiest measured one first."""
    ours, real = _cores_busy(simulated), _cores_busy(measured)
    names = sorted(ours.keys() | real.keys(), key=lambda each: -real.get(each, ours.get(each, 0.0)))
    return tuple(Pair.of(name, ours.get(name), real.get(name)) for name in names)


def _cores_busy(side: Run | None) -> dict[str, float]:
    if side is None:
        return {}
    seconds = side.record.duration_seconds
    return {name: float(used.sum()) / seconds for name, used in agreement.cpu_by_second(side.usage, seconds).items()}


def _judged_pair(name: str, ours: judge.Judgement | None, real: judge.Judgement | None, field: str) -> Pair | None:
    values = [getattr(side, field) if side is not None else None for side in (ours, real)]
    return Pair.of(name, *values) if any(each is not None for each in values) else None


def _facts(side: Run | None, reason: str, cores: int) -> SideFacts:
    if side is None:
        return SideFacts(present=False, reason=reason)
    record, validity = side.record, side.record.validity
    busy = agreement.busy_by_second(agreement.cpu_by_second(side.usage, record.duration_seconds).values(), cores)
    return SideFacts(
        present=True,
        void=validity.void,
        void_reasons=validity.reasons,
        aborted=verdicts.aborted(side),
        scenario=record.scenario,
        seed=record.seed,
        commit=record.commit,
        calibration=record.calibration,
        speed=record.speed,
        speed_ahead=record.speed_ahead,
        machine=record.machine,
        started=record.written.started,
        wall_seconds=record.written.wall_seconds,
        lag_p99_seconds=validity.lag_p99_seconds,
        scheduled_count=validity.scheduled_count,
        sent_count=validity.sent_count,
        stall_ratio=validity.stall_ratio,
        utilisation_ratio=float(busy.mean()) if busy is not None else None,
        ledger=record.ledger,
        facts=record.facts,
        errors=_errors(side.samples.judged()),
        deaths=verdicts.deaths(side),
    )


def _errors(samples: Samples) -> tuple[tuple[str, str, int, int], ...]:
    bad = samples.where(np.isin(samples.outcome, [each.value for each in ERRORS]))
    counts: dict[tuple[str, str, int], int] = {}
    for operation, outcome, status in zip(bad.operation, bad.outcome, bad.status, strict=True):
        key = (str(operation), str(outcome), int(status))
        counts[key] = counts.get(key, 0) + 1
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return tuple((*key, count) for key, count in ordered[:_ERROR_KINDS_MAX])


def _notes(simulated: Run | None, measured: Run | None, matched: Run | None) -> tuple[str, ...]:
    notes = []
    if simulated is not None and not simulated.record.facts.get("calibrated_here", True):
        notes.append("durations are from another machine: `windtunnel calibrate` measures this one")
    if simulated is not None and measured is not None:
        if simulated.scenario != measured.scenario:
            notes.append("the two sides ran different scenarios, so their errors mean little")
        notes.append("noise is from the sample sizes; how much two measurements differ cannot be known from one run")
        if matched is None:
            notes.append("no speed-matched simulation: errors are those of the prediction only")
    return tuple(notes)


def _exit_code(simulated: SideFacts, measured: SideFacts, judged: tuple[ExpectationPair, ...]) -> int:
    deciding = measured if measured.present else simulated
    if deciding.aborted:  # first, because it explains why the run is incomplete
        return ABORTED
    if deciding.void:
        return VOID
    found = [each.deciding.held for each in judged if each.deciding is not None]
    if False in found:
        return MISSED
    # if none could be judged, the expectations did not hold
    return VOID if found and True not in found else HELD


def _sentence(
    code: int,
    simulated: SideFacts,
    measured: SideFacts,
    judged: tuple[ExpectationPair, ...],
    operations: tuple[OperationPair, ...],
) -> str:
    deciding = measured if measured.present else simulated
    found = [each.deciding.held for each in judged if each.deciding is not None]
    missed, open_count = found.count(False), found.count(None)
    if code == VOID:
        why = "; ".join(deciding.void_reasons) or "no expectation has enough requests to be judged"
        return f"void, not judged: {why}"
    if code == ABORTED:
        return f"aborted: {deciding.aborted}"
    what = "expectation" if len(found) == 1 else "expectations"
    if not found:
        first = "the scenario expects nothing"
    elif missed:
        first = f"{missed} of {len(found)} {what} missed"
    else:
        first = f"{len(found) - open_count} of {len(found)} {what} held"
    if open_count:
        first += f", {open_count} not judged"
    if not measured.present:
        return f"{first} by the simulation; {measured.reason}"
    if not simulated.present:
        return f"{first} · {simulated.reason}"
    can = {each.operation for each in operations if each.beyond_noise is not None}
    beyond = {each.operation for each in operations if each.beyond_noise}
    return f"{first} · model beyond noise on {len(beyond)} of {len(can)} operations"
