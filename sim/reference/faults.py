"""The faults of a scenario during a run: each begins, acts on the state, and ends."""

from __future__ import annotations

from collections.abc import Sequence

from core.run import Event
from core.scenario.fault import LinkFault
from core.scenario.faults import Lost, Pause, Restart
from sim.model.faults import ScheduledFault
from sim.reference import failover
from sim.reference.kernel import Steps
from sim.reference.link import LinkState
from sim.reference.state import RunState


def start(state: RunState, faults: Sequence[ScheduledFault], journal: list[Event]) -> None:
    """Schedule all faults; their beginnings and ends go to ``journal``."""
    for fault in faults:
        state.kernel.start(_do(state, fault, journal))


def _do(state: RunState, scheduled: ScheduledFault, journal: list[Event]) -> Steps[None]:
    kernel, fault = state.kernel, scheduled.fault
    stations = [state.stations[index] for index in scheduled.stations]
    processes = [index for index in scheduled.stations if index < len(state.layout.processes)]
    yield kernel.wait(scheduled.at_seconds - kernel.now)
    journal.append(Event(at_seconds=kernel.now, event="fault_begins", values=scheduled.values))
    if isinstance(fault, LinkFault):
        for link in _links(state, scheduled):
            link.begin(fault)
    for station in stations:
        if isinstance(fault, Pause):
            station.pause()
        else:
            station.die()
    for process in processes if not isinstance(fault, Pause) else ():
        for log in state.logs:
            log.died(process, goodbye=isinstance(fault, Restart))
        failover.died(state, process, journal)
    if isinstance(fault, Lost):
        failover.lost(state, scheduled.regions[0], journal)
    for index in scheduled.caches:
        if scheduled.nodes == 1:
            state.caches[index].clear()
        else:
            state.caches[index].clear_node(scheduled.node, scheduled.nodes)
    yield kernel.wait(scheduled.for_seconds)
    if isinstance(fault, LinkFault):
        for link in _links(state, scheduled):
            link.end(fault)
    for station in stations:
        if isinstance(fault, Pause):
            station.resume()
        else:
            station.revive()
    for process in processes:
        for log in state.logs:
            log.back(process)
    if isinstance(fault, Lost):
        failover.back(state, scheduled.regions[0], journal)
    journal.append(Event(at_seconds=kernel.now, event="fault_ends", values=scheduled.values))


def _links(state: RunState, scheduled: ScheduledFault) -> list[LinkState]:
    return [state.link(scheduled.link, region) for region in scheduled.regions] if scheduled.link is not None else []
