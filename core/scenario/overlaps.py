"""Faults that hide each other: each fault of a scenario must make a change of its own at some time.

Two latencies on one link add up and both can be seen; a latency on a link that is cut cannot. The real side
would end as void and the model would not notice, so such a scenario is refused before either of them runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from core import faults
from core.names import Component
from core.scenario import processes
from core.scenario.fault import AnyFault, LinkFault, ProcessFault
from core.scenario.faults import Fault, Pause
from core.scenario.model import Scenario
from core.scenario.units import format_seconds

FieldPath = tuple[str | int, ...]

#: Time within which a process that was killed or restarted answers again.
BACK_SECONDS: Final = 5.0


def impossible(scenario: Scenario) -> Iterator[tuple[FieldPath, str]]:
    """Fields of faults that cannot be proven to act in any run."""
    for index, fault in enumerate(scenario.faults):
        if isinstance(fault, LinkFault):
            yield from _on_link(scenario, index, fault)
        elif isinstance(fault, ProcessFault):
            yield from _on_process(scenario, index, fault)


def _on_link(scenario: Scenario, index: int, fault: LinkFault) -> Iterator[tuple[FieldPath, str]]:
    path: FieldPath = ("faults", index)
    speaks = faults.protocol(fault.link)
    if (mild := fault.too_mild()) is not None:
        yield (*path, mild[0]), mild[1]
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
        on_link = [other.effect for other in acting if isinstance(other, LinkFault)]
        if len(on_link) < len(acting) or not faults.is_provable(fault.effect, on_link, speaks):
            continue
        if ends - begins >= min(faults.probe_seconds(fault.effect, on_link, speaks), fault.for_seconds):
            return
    names = ", ".join(f"faults[{number}]" for number, _ in hiding)
    yield path, f"expected a time in which it can be seen to act; {names} hides it"


def _on_process(scenario: Scenario, index: int, fault: ProcessFault) -> Iterator[tuple[FieldPath, str]]:
    for number, other in enumerate(scenario.faults):
        if number == index or not isinstance(other, ProcessFault) or other.process != fault.process:
            continue
        begins, ends = _span(other)
        first = (other.at_seconds, number) < (fault.at_seconds, index)
        if not first or not begins <= fault.at_seconds < ends:
            continue
        if other.ends:
            yield (
                ("faults", index, "at"),
                f"expected a time from {format_seconds(ends)} on: faults[{number}] has stopped {fault.process}",
            )
        elif isinstance(fault, Pause):
            yield ("faults", index, "at"), f"expected a time from {format_seconds(ends)} on: faults[{number}] pauses it"


def _span(fault: AnyFault) -> tuple[float, float]:
    """The time in which a fault has an effect."""
    back = BACK_SECONDS if isinstance(fault, ProcessFault) and fault.ends else 0.0
    return fault.at_seconds, fault.end_seconds + back


def _meet(fault: AnyFault, other: AnyFault) -> bool:
    begins, ends = _span(other)
    return begins < fault.end_seconds and ends > fault.at_seconds


def _hides(scenario: Scenario, fault: LinkFault, other: Fault) -> bool:
    """Whether ``other`` acts on the same link, or on a process behind it."""
    if isinstance(other, LinkFault):
        return other.link == fault.link and (other.region == fault.region or None in (other.region, fault.region))
    callee = fault.link.partition("_")[2]
    if not isinstance(other, ProcessFault):
        return False  # a region is lost: its other links show that
    group = processes.group_of(other.process)
    if sum(processes.group_of(name) == group for name in processes.all_of(scenario)) > 1:
        return False  # the others of its group still answer
    members = scenario.system.placement.processes.get(group, ())
    return group == callee or any(member == callee for member in members if member in tuple(Component))
