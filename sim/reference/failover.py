"""Failover: a replica replaces a primary that stays dead, and another region replaces a lost one; commits that the
replacement does not have are lost.

A primary is replaced after the times for detection and promotion. If it is back before that, nothing changes; if it is
back later, it is a replica. When a lost region is back and health checks have noticed, it serves its people again with
its own data.
"""

from __future__ import annotations

from core.policies.replica import successor
from core.run import Event
from sim.reference.state import RunState


def died(state: RunState, process: int, journal: list[Event]) -> None:
    """Handle the end of a process: if it was a primary with replicas, schedule the promotion of one."""
    first = process - state.layout.processes[process].replica
    nodes = state.layout.nodes(state.layout.processes[first].group)
    if nodes > 1 and (first + state.primary[first]) == process:
        missing = dict(state.unreplicated[first])
        after_seconds = state.resources.failover_seconds
        state.kernel.after(after_seconds, lambda: _promote(state, first, nodes, process, missing, journal))


def _promote(state: RunState, first: int, nodes: int, dead: int, missing: dict[str, int], journal: list[Event]) -> None:
    primary = state.primary[first]
    if state.stations[dead].up or first + primary != dead:
        return
    up = 0
    for role in range(nodes):
        up |= state.stations[first + (primary + role) % nodes].up << role
    role = successor(replicas=nodes - 1, up=up)
    if role < 0:
        return
    promoted = state.primary[first] = (primary + role) % nodes
    for operation, count in missing.items():
        state.lost_count[operation] = state.lost_count.get(operation, 0) + count
    names = state.layout.processes
    values = {"process": names[first + promoted].name, "instead_of": names[dead].name, "lost": sum(missing.values())}
    journal.append(Event(at_seconds=state.kernel.now, event="replica_promoted", values=values))


def lost(state: RunState, region: int, journal: list[Event]) -> None:
    """Handle the loss of a region: once health checks notice, others serve its people, with the data that they have."""
    state.geography.lose(region)
    missing = state.geography.missing(region)
    state.kernel.after(state.geography.health_check_seconds, lambda: _reroute(state, region, missing, journal))


def back(state: RunState, region: int, journal: list[Event]) -> None:
    """Handle the return of a region: once health checks notice, it serves its people again."""
    state.geography.regain(region)
    state.kernel.after(state.geography.health_check_seconds, lambda: _reroute(state, region, {}, journal))


def _reroute(state: RunState, region: int, missing: dict[int, dict[str, int]], journal: list[Event]) -> None:
    names = state.geography.names
    for home, before, now in state.geography.reroute():
        lacks = missing.get(now, {}) if before == region and home == region else {}
        for operation, count in lacks.items():
            state.lost_count[operation] = state.lost_count.get(operation, 0) + max(0, count)
        values = {"home": names[home], "from": names[before], "to": names[now], "lost": sum(lacks.values())}
        journal.append(Event(at_seconds=state.kernel.now, event="region_rerouted", values=values))
