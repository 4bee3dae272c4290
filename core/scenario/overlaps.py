"""Faults that hide each other: each fault of a scenario must make a change of its own at some time.

Two latencies on one link add up and both can be seen; what is slow behind a link that is cut cannot. The real side
would end as void and the model would not notice, so such a scenario is refused before either of them runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from core import faults
from core.names import Component, FaultKind
from core.scenario import processes
from core.scenario.model import Fault, Scenario
from core.scenario.units import format_seconds, format_size

FieldPath = tuple[str | int, ...]

#: A process that was killed or restarted answers again within this.
BACK_SECONDS: Final = 5.0
_DEADLY: Final = (FaultKind.KILL, FaultKind.RESTART)


def impossible(scenario: Scenario) -> Iterator[tuple[FieldPath, str]]:
    """Fields of faults that no run could show to act."""
    for index, fault in enumerate(scenario.faults):
        if fault.link is not None:
            yield from _on_link(scenario, index, fault)
        elif fault.process is not None:
            yield from _on_process(scenario, index, fault)


def _on_link(scenario: Scenario, index: int, fault: Fault) -> Iterator[tuple[FieldPath, str]]:
    path: FieldPath = ("faults", index)
    assert fault.link is not None
    speaks = faults.protocol(fault.link)
    if fault.kind is FaultKind.LATENCY and not faults.is_provable(fault, (), speaks):
        yield (*path, "latency"), f"expected at least {_mildest(fault)}: a smaller one cannot be seen to act"
        return
    if fault.kind is FaultKind.BANDWIDTH and not faults.is_provable(fault, (), speaks):
        widest = int(faults.QUESTION_BYTES_MAX[speaks] / faults.PROVABLE_SECONDS / 2)
        yield (
            (*path, "bandwidth"),
            f"expected at most {format_size(widest)}: a wider way to {speaks} cannot be seen to be narrow",
        )
        return
    beside = [
        (number, other) for number, other in enumerate(scenario.faults) if number != index and _meet(fault, other)
    ]
    hiding = [(number, other) for number, other in beside if _hides(scenario, fault, other)]
    if not hiding:
        return
    cuts = sorted({fault.at_seconds, fault.end_seconds, *(at for _, other in hiding for at in _span(other))})
    for begins, ends in itertools.pairwise(cuts):
        if begins < fault.at_seconds or ends > fault.end_seconds:
            continue
        acting = [other for _, other in hiding if _span(other)[0] < ends and _span(other)[1] > begins]
        on_link = [other for other in acting if other.link is not None]
        if len(on_link) < len(acting) or not faults.is_provable(fault, on_link, speaks):
            continue
        if ends - begins >= min(faults.probe_seconds(fault, on_link, speaks), fault.for_seconds):
            return
    names = ", ".join(f"faults[{number}]" for number, _ in hiding)
    yield path, f"expected a time in which it can be seen to act; {names} hides it"


def _on_process(scenario: Scenario, index: int, fault: Fault) -> Iterator[tuple[FieldPath, str]]:
    for number, other in enumerate(scenario.faults):
        if number == index or other.process != fault.process:
            continue
        begins, ends = _span(other)
        first = (other.at_seconds, number) < (fault.at_seconds, index)
        if not first or not begins <= fault.at_seconds < ends:
            continue
        if other.kind in _DEADLY:
            yield (
                ("faults", index, "at"),
                f"expected a time from {format_seconds(ends)} on: faults[{number}] has ended {fault.process}",
            )
        elif fault.kind is FaultKind.PAUSE:
            yield ("faults", index, "at"), f"expected a time from {format_seconds(ends)} on: faults[{number}] pauses it"


def _span(fault: Fault) -> tuple[float, float]:
    """From when to when a fault is felt."""
    back = BACK_SECONDS if fault.kind in _DEADLY else 0.0
    return fault.at_seconds, fault.end_seconds + back


def _meet(fault: Fault, other: Fault) -> bool:
    begins, ends = _span(other)
    return begins < fault.end_seconds and ends > fault.at_seconds


def _hides(scenario: Scenario, fault: Fault, other: Fault) -> bool:
    """Whether ``other`` acts on the same link, or on a process behind it."""
    if other.link is not None:
        return other.link == fault.link and (other.region == fault.region or None in (other.region, fault.region))
    callee = (fault.link or "").partition("_")[2]
    if other.process is None:
        return False  # of a region that is lost other links speak
    group = processes.group_of(other.process)
    if sum(processes.group_of(name) == group for name in processes.all_of(scenario)) > 1:
        return False  # the others of its group still answer
    members = scenario.system.placement.processes.get(group, ())
    return group == callee or any(member == callee for member in members if member in tuple(Component))


def _mildest(fault: Fault) -> str:
    latency = faults.PROVABLE_SECONDS + 0.001
    return format_seconds(min(2 * latency, latency + fault.jitter_seconds))
