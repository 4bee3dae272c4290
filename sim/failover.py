"""Failover: a database's primary that stays dead is replaced by a replica, a region by another; what those had not is
lost.

A primary is seen to be dead after a time, and a replica serves in its place after another; where it is back before, it
goes on as it was. Back later, it is a replica. Of a region that is lost the people and the data are at home again when
it is back, which health checks see in their time.
"""

from __future__ import annotations

from core.policies.replica import successor
from core.run import Event
from sim.plant import Plant


def died(plant: Plant, process: int, journal: list[Event]) -> None:
    """A process has ended; where it was a primary with replicas, one of them takes its place in due time."""
    first = process - plant.layout.processes[process].replica
    nodes = plant.layout.nodes(plant.layout.processes[first].group)
    if nodes > 1 and (first + plant.primary[first]) == process:
        missing = dict(plant.unreplicated[first])
        plant.kernel.after(plant.failover_seconds, lambda: _promote(plant, first, nodes, process, missing, journal))


def _promote(plant: Plant, first: int, nodes: int, dead: int, missing: dict[str, int], journal: list[Event]) -> None:
    primary = plant.primary[first]
    if plant.stations[dead].up or first + primary != dead:
        return
    up = 0
    for role in range(nodes):
        up |= plant.stations[first + (primary + role) % nodes].up << role
    role = successor(replicas=nodes - 1, up=up)
    if role < 0:
        return
    place = plant.primary[first] = (primary + role) % nodes
    for operation, count in missing.items():
        plant.lost_count[operation] = plant.lost_count.get(operation, 0) + count
    names = plant.layout.processes
    values = {"process": names[first + place].name, "instead_of": names[dead].name, "lost": sum(missing.values())}
    journal.append(Event(at_seconds=plant.kernel.now, event="replica_promoted", values=values))


def lost(plant: Plant, region: int, journal: list[Event]) -> None:
    """A region is gone: when health checks see it, others serve its people, with what they have of their data."""
    plant.geography.lose(region)
    missing = plant.geography.missing(region)
    plant.kernel.after(plant.geography.health_check_seconds, lambda: _reroute(plant, region, missing, journal))


def back(plant: Plant, region: int, journal: list[Event]) -> None:
    """It is back: when health checks see it, it serves its people again."""
    plant.geography.regain(region)
    plant.kernel.after(plant.geography.health_check_seconds, lambda: _reroute(plant, region, {}, journal))


def _reroute(plant: Plant, region: int, missing: dict[int, dict[str, int]], journal: list[Event]) -> None:
    names = plant.geography.names
    for home, before, now in plant.geography.reroute():
        lacks = missing.get(now, {}) if before == region and home == region else {}
        for operation, count in lacks.items():
            plant.lost_count[operation] = plant.lost_count.get(operation, 0) + max(0, count)
        values = {"home": names[home], "from": names[before], "to": names[now], "lost": sum(lacks.values())}
        journal.append(Event(at_seconds=plant.kernel.now, event="region_rerouted", values=values))
