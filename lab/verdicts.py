"""Verdicts and faults of a pair: both sides judged by `core.judge`, and the journal's times and proofs of the faults.

The measured side is judged by the times at which faults really acted, the simulated side by the planned times. A fault
without a proof in the journal is shown as planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core import judge
from core.run import Event, Run
from core.scenario import Fault as Planned
from core.scenario import Scenario
from core.scenario.units import format_spaced_seconds
from records.comparison import ExpectationPair, Fault, Judged


def pair(simulated: judge.Judgement | None, measured: judge.Judgement | None) -> tuple[ExpectationPair, ...]:
    """Each expectation on both sides: first those missed, the worst first, then the others in the scenario's order."""
    ours = {each.name: each for each in simulated.verdicts} if simulated is not None else {}
    real = {each.name: each for each in measured.verdicts} if measured is not None else {}
    found = []
    for name in dict.fromkeys([*real, *ours]):
        known = real.get(name) or ours[name]
        found.append(
            ExpectationPair(
                name=name,
                unit=known.unit,
                limit=known.limit,
                simulated=_judged(ours.get(name)),
                measured=_judged(real.get(name)),
            )
        )
    return tuple(sorted(found, key=_order))


def faults(scenario: Scenario, measured: Run | None) -> tuple[Fault, ...]:
    """Every fault of the scenario, with its times and proof from the journal of the measured run."""
    journal = measured.journal if measured is not None else ()
    found = []
    for number, planned in enumerate(scenario.faults):
        begins = _event(journal, "fault_begins", number, planned)
        ends = _event(journal, "fault_ends", number, planned)
        acted = _event(journal, "fault_acted", number, planned)
        found.append(
            Fault(
                target=planned.target,
                what=planned.short,
                begins_seconds=begins.at_seconds if begins else planned.at_seconds,
                ends_seconds=ends.at_seconds if ends else planned.end_seconds,
                proof=_proof(acted.values) if acted else "",
            )
        )
    return tuple(found)


def aborted(side: Run) -> str:
    """Why the run was rolled back before its end; empty where it was not."""
    for event in side.journal:
        if event.event == "aborted":
            return str(event.values.get("reason") or event.values.get("why") or "abort condition reached")
    return ""


def deaths(side: Run) -> tuple[str, ...]:
    """Processes that died without a fault that kills them, with the time from t0."""
    meant = side.scenario.broken_processes
    found = []
    for event in side.journal:
        name = str(event.values.get("process") or event.values.get("name") or "")
        if event.event == "process_died" and name not in meant:
            found.append(f"{name} at {event.at_seconds:.1f} s")
    return tuple(found)


def _judged(verdict: judge.Verdict | None) -> Judged | None:
    if verdict is None:
        return None
    return Judged(
        value=verdict.value,
        held=verdict.held,
        count=verdict.count,
        reason=verdict.reason,
        interval=verdict.interval,
    )


def _order(verdict: ExpectationPair) -> tuple[int, float]:
    decided = verdict.deciding
    if decided is None or decided.held is None:
        return 1, 0.0
    if decided.held:
        return 2, 0.0
    over = (decided.value - verdict.limit) / verdict.limit if decided.value is not None and verdict.limit else 1.0
    return 0, -over


def _event(journal: tuple[Event, ...], kind: str, number: int, planned: Planned) -> Event | None:
    """The journal's event of one fault, by its number if the journal has one, else by its target."""
    for event in journal:
        if event.event != kind:
            continue
        fault = event.values.get("fault")
        if isinstance(fault, int):
            if fault == number:
                return event
        elif planned.target in (event.values.get("target"), event.values.get("link"), event.values.get("process")):
            return event
    return None


def _proof(values: Mapping[str, Any]) -> str:
    for key in ("proof", "seen", "says"):
        if values.get(key):
            return str(values[key])
    for key, value in values.items():
        if key.endswith("_seconds") and isinstance(value, int | float):
            return f"{key.removesuffix('_seconds').replace('_', ' ')} {format_spaced_seconds(float(value))}"
    return "seen to act"
