"""The journal of a drill: what the warden did and saw, one JSON line each, and reasons that make a run void."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from core.run import Event  # its columns are slow to import, and the warden only writes lines
    from core.scenario.model import Scenario

READY: Final = "warden_ready"  # values: left (what an earlier runner had left behind)
BEGINS: Final = "fault_begins"  # values of this and the next four: fault (its number), target, kind
ACTED: Final = "fault_acted"  # says, before_seconds, seen_seconds, needed_seconds
UNPROVEN: Final = "fault_unproven"  # says
FAILED: Final = "fault_failed"  # reason
ENDS: Final = "fault_ends"  # early: removed before its time
ABORTED: Final = "aborted"  # reason
WARDEN_ENDED: Final = "warden_ended"  # reason: done, runner gone, stopped


def line(at_seconds: float, event: str, values: dict[str, Any]) -> str:
    """One line of the journal, without the line break."""
    return json.dumps({"at_seconds": round(at_seconds, 4), "event": event, **values}, ensure_ascii=False)


def read_line(text: str) -> Event:
    """Read one line; raises ValueError."""
    from core.run import Event  # slow to import, and the warden only writes lines

    values = json.loads(text)
    if not isinstance(values, dict) or "at_seconds" not in values or "event" not in values:
        raise ValueError(f"not a line of a journal: {text!r}")
    return Event(at_seconds=float(values.pop("at_seconds")), event=str(values.pop("event")), values=values)


def void_reasons(scenario: Scenario, events: Iterable[Event]) -> tuple[str, ...]:
    """Reasons why the faults of this run differ from the scenario; empty when each one acted, was proven, and ended.

    Faults that would have begun after an abort do not matter.
    """
    events = tuple(events)
    aborted = next((event.at_seconds for event in events if event.event == ABORTED), None)
    reasons = []
    for number, fault in enumerate(scenario.faults):
        if aborted is not None and fault.at_seconds >= aborted:
            continue
        name = f"the fault on {fault.target} at {fault.at_seconds:g} s"
        mine = [event for event in events if event.values.get("fault") == number]
        kinds = {event.event for event in mine}
        if FAILED in kinds:
            reasons.append(f"{name} failed: {_value(mine, FAILED, 'reason')}")
        elif BEGINS not in kinds:
            reasons.append(f"{name} never began")
        elif ACTED not in kinds and not (aborted is not None and UNPROVEN not in kinds):
            reasons.append(f"{name} was not seen to act: {_value(mine, UNPROVEN, 'says') or 'no probe ended in time'}")
        if BEGINS in kinds and ENDS not in kinds:
            reasons.append(f"{name} was not seen to end")
    return tuple(reasons)


def acted_windows(scenario: Scenario, events: Iterable[Event]) -> tuple[tuple[float, float], ...]:
    """When each fault really acted, from t0; as planned if the journal does not say."""
    events = tuple(events)
    windows = []
    for number, fault in enumerate(scenario.faults):
        times = {event.event: event.at_seconds for event in events if event.values.get("fault") == number}
        windows.append((times.get(BEGINS, fault.at_seconds), times.get(ENDS, fault.end_seconds)))
    return tuple(windows)


def _value(events: Sequence[Event], kind: str, key: str) -> str:
    return next((str(event.values.get(key, "")) for event in events if event.event == kind), "")
