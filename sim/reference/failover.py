"""Failover: a database's primary that stays dead is replaced by a replica, a region by another; what those had not is
lost.

A primary is seen to be dead after a time, and a replica serves in its place after another; where it is back before, it
goes on as it was. Back later, it is a replica. Of a region that is lost the people and the data are at home again when
it is back, which health checks see in their time.
"""

from __future__ import annotations

from core.policies.replica import successor
from core.run import Event
from sim.reference.state import RunState


def died(state: RunState, process: int, journal: list[Event]) -> None:
    """A process has ended; where it was a primary with replicas, one of them takes its place in due time."""
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
    place = state.primary[first] = (primary + role) % nodes
    for operation, count in missing.items():
        state.lost_count[operation] = state.lost_count.get(operation, 0) + count
    names = state.layout.processes
    values = {"process": names[first + place].name, "instead_of": names[dead].name, "lost": sum(missing.values())}
    journal.append(Event(at_seconds=state.kernel.now, event="replica_promoted", values=values))


def lost(state: RunState, region: int, journal: list[Event]) -> None:
    """A region is gone: when health checks see it, others serve its people, with what they have of their data."""
    state.geography.lose(region)
    missing = state.geography.missing(region)
    state.kernel.after(state.geography.health_check_seconds, lambda: _reroute(state, region, missing, journal))


def back(state: RunState, region: int, journal: list[Event]) -> None:
    """It is back: when health checks see it, it serves its people again."""
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
