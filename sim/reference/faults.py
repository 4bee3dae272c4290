"""The faults of a scenario during a run: each begins, acts on the state, and ends."""

from __future__ import annotations

from collections.abc import Sequence

from core.run import Event
from core.scenario.fault import LinkFault
from core.scenario.faults import Lost, Pause, Restart
from sim.model.faults import ScheduledFault
from sim.reference import failover
from sim.reference.kernel import Steps
from sim.reference.state import RunState


def start(state: RunState, faults: Sequence[ScheduledFault], journal: list[Event]) -> None:
    """Schedule all faults; their beginnings and ends go to ``journal``."""
    for fault in faults:
        state.kernel.start(_do(state, fault, journal))


def _do(state: RunState, fault: ScheduledFault, journal: list[Event]) -> Steps[None]:
    kernel, stations = state.kernel, [state.stations[index] for index in fault.stations]
    found = (state.link(fault.link, region) for region in fault.regions if fault.link is not None)
    links = [link for link in found if link is not None]
    processes = [index for index in fault.stations if index < len(state.layout.processes)]
    yield kernel.wait(fault.at_seconds - kernel.now)
    journal.append(Event(at_seconds=kernel.now, event="fault_begins", values=fault.values))
    if isinstance(fault.fault, LinkFault):
        for link in links:
            link.begin(fault.fault)
    for station in stations:
        if isinstance(fault.fault, Pause):
            station.pause()
        else:
            station.die()
    for process in processes if not isinstance(fault.fault, Pause) else ():
        for log in state.logs:
            log.died(process, goodbye=isinstance(fault.fault, Restart))
        failover.died(state, process, journal)
    if isinstance(fault.fault, Lost):
        failover.lost(state, fault.regions[0], journal)
    for cache in fault.caches:
        if fault.nodes == 1:
            state.caches[cache].clear()
        else:
            state.caches[cache].clear_node(fault.node, fault.nodes)
    yield kernel.wait(fault.for_seconds)
    if isinstance(fault.fault, LinkFault):
        for link in links:
            link.end(fault.fault)
    for station in stations:
        if isinstance(fault.fault, Pause):
            station.resume()
        else:
            station.revive()
    for process in processes:
        for log in state.logs:
            log.back(process)
    if isinstance(fault.fault, Lost):
        failover.back(state, fault.regions[0], journal)
    journal.append(Event(at_seconds=kernel.now, event="fault_ends", values=fault.values))
