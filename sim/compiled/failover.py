"""Failover in compiled code: `sim.reference.failover`."""

from __future__ import annotations

from sim.compiled import agenda, routing
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.records import Kind


@compiled
def died(world: World, row: int) -> None:
    """A process has ended; where it was a primary with replicas, one of them takes its place in due time."""
    clock, one = r.clock(world)[0], r.promotions(world)[row]
    if one.nodes < 2 or one.first + r.primaries(world)[one.first] != one.dead:
        return
    count = clock.operations_count
    for operation in range(count):
        r.missing(world)[row * count + operation] = r.unreplicated(world)[one.first * count + operation]
    agenda.at(world, clock.now + clock.failover, Kind.PROMOTE, row, 0)


@compiled
def promote(world: World, row: int) -> None:
    """A replica takes the place of a primary that is still dead."""
    clock, one, primaries, stations = r.clock(world)[0], r.promotions(world), r.primaries(world), r.stations(world)
    first, nodes, dead = one[row].first, one[row].nodes, one[row].dead
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
    one[row].place = first + primaries[first]
    one[row].at = clock.now
    count = clock.operations_count
    for operation in range(count):
        lost = r.missing(world)[row * count + operation]
        one[row].lost += lost
        r.lost(world)[operation] += lost


@compiled
def committed(world: World, region: int, operation: int, count: int) -> None:
    """So many commits of a region more that no other one has."""
    clock = r.clock(world)[0]
    for other in range(clock.regions):
        if other != region:
            r.not_there(world)[(region * clock.regions + other) * clock.operations_count + operation] += count


@compiled
def followed(world: World, region: int, other: int, operation: int) -> None:
    """One that another region has, too."""
    clock = r.clock(world)[0]
    r.not_there(world)[(region * clock.regions + other) * clock.operations_count + operation] -= 1


@compiled
def region_lost(world: World, deed: int) -> None:
    """A region is gone: when health checks see it, others serve its people, with what they have of their data."""
    clock, region = r.clock(world), r.deeds(world)[deed].region
    clock[0].regions_up &= ~(1 << region)
    width = clock[0].regions * clock[0].operations_count
    for place in range(width):
        r.lacking(world)[deed * width + place] = r.not_there(world)[region * width + place]
    agenda.at(world, clock[0].now + clock[0].health_check, Kind.REROUTE, deed, 1)


@compiled
def region_back(world: World, deed: int) -> None:
    """It is back: when health checks see it, it serves its people again."""
    clock = r.clock(world)
    clock[0].regions_up |= 1 << r.deeds(world)[deed].region
    agenda.at(world, clock[0].now + clock[0].health_check, Kind.REROUTE, deed, 0)


@compiled
def _serving(world: World, home: int) -> int:
    """`core.policies.geo.serving`."""
    clock, rtts = r.clock(world)[0], r.rtts(world)
    if clock.regions_up >> home & 1:
        return home
    best, first = -1, home * clock.regions
    for place in range(clock.regions):
        if clock.regions_up >> place & 1 and (best < 0 or rtts[first + place] < rtts[first + best]):
            best = place
    return best if best >= 0 else home


@compiled
def reroute(world: World, deed: int, lost: int) -> None:
    """Health checks have seen how things stand."""
    clock, serving, told = r.clock(world), r.serving(world), r.reroutes(world)
    region, count = r.deeds(world)[deed].region, clock[0].operations_count
    for home in range(clock[0].regions):
        before, now = serving[home], _serving(world, home)
        if now == before:
            continue
        serving[home] = now
        row = clock[0].reroutes_count
        clock[0].reroutes_count = row + 1
        told[row].at = clock[0].now
        told[row].home = home
        told[row].before = before
        told[row].now = now
        if not (lost and before == region and home == region):
            continue
        for operation in range(count):
            lacks = r.lacking(world)[(deed * clock[0].regions + now) * count + operation]
            told[row].lost += lacks
            r.lost(world)[operation] += max(0, lacks)
