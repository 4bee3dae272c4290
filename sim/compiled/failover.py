"""Failover in compiled code: `sim.failover`."""

from __future__ import annotations

from sim.compiled import agenda, routing
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.records import Kind


@compiled
def died(world: World, deed: int, process: int) -> None:
    """A process has ended; where it was a primary with replicas, one of them takes its place in due time."""
    clock, one = r.clock(world)[0], r.promotions(world)
    if one[deed].nodes < 2 or one[deed].first + r.primaries(world)[one[deed].first] != process:
        return
    count = clock.operations_count
    for operation in range(count):
        here = r.unreplicated(world)[one[deed].first * count + operation]
        r.missing(world)[deed * count + operation] = here
    agenda.at(world, clock.now + clock.failover, Kind.PROMOTE, deed, 0)


@compiled
def promote(world: World, deed: int) -> None:
    """A replica takes the place of a primary that is still dead."""
    clock, one, primaries, stations = r.clock(world)[0], r.promotions(world), r.primaries(world), r.stations(world)
    first, nodes, dead = one[deed].first, one[deed].nodes, one[deed].dead
    primary = primaries[first]
    if stations[dead].down == 0 or first + primary != dead:
        return
    up = 0
    for role in range(nodes):
        up |= int(stations[first + (primary + role) % nodes].down == 0) << role
    role = routing.successor(nodes - 1, up)
    if role < 0:
        return
    primaries[first] = (primary + role) % nodes
    one[deed].place = first + primaries[first]
    one[deed].at = clock.now
    count = clock.operations_count
    for operation in range(count):
        lost = r.missing(world)[deed * count + operation]
        one[deed].lost += lost
        r.lost(world)[operation] += lost
