"""Failover in compiled code: `sim.reference.failover`."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.policies import geo
from sim.compiled import agenda, routing
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.records import EventKind

_serving: Any = compiled(geo.serving)  # an array is no Sequence to mypy


@compiled
def died(memory: Address, row: int) -> None:
    """A process has ended; if it was a primary with replicas, schedule the promotion of one."""
    clock, promotion = r.clock(memory)[0], r.promotions(memory)[row]
    if promotion.nodes < 2 or promotion.first + r.primaries(memory)[promotion.first] != promotion.dead:
        return
    count = clock.operations_count
    for operation in range(count):
        r.missing(memory)[row * count + operation] = r.unreplicated(memory)[promotion.first * count + operation]
    agenda.at(memory, clock.now + clock.failover, EventKind.PROMOTE, row, 0)


@compiled
def promote(memory: Address, row: int) -> None:
    """Promote a replica if the primary is still dead."""
    clock, stations = r.clock(memory)[0], r.stations(memory)
    promotions, primaries = r.promotions(memory), r.primaries(memory)
    first, nodes, dead = promotions[row].first, promotions[row].nodes, promotions[row].dead
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
    promotions[row].promoted = first + primaries[first]
    promotions[row].at = clock.now
    count = clock.operations_count
    for operation in range(count):
        lost = r.missing(memory)[row * count + operation]
        promotions[row].lost += lost
        r.lost(memory)[operation] += lost


@compiled
def committed(memory: Address, region: int, operation: int, count: int) -> None:
    """Add ``count`` commits of a region that no other region has."""
    clock = r.clock(memory)[0]
    for other in range(clock.regions):
        if other != region:
            r.not_there(memory)[(region * clock.regions + other) * clock.operations_count + operation] += count


@compiled
def followed(memory: Address, region: int, other: int, operation: int) -> None:
    """Another region has applied one commit."""
    clock = r.clock(memory)[0]
    r.not_there(memory)[(region * clock.regions + other) * clock.operations_count + operation] -= 1


@compiled
def region_lost(memory: Address, fault: int) -> None:
    """A region is lost: once health checks notice, other regions serve its people, with the data they have."""
    clock, region = r.clock(memory), r.faults(memory)[fault].region
    clock[0].regions_up &= ~(1 << region)
    width = clock[0].regions * clock[0].operations_count
    for index in range(width):
        r.lacking(memory)[fault * width + index] = r.not_there(memory)[region * width + index]
    agenda.at(memory, clock[0].now + clock[0].health_check, EventKind.REROUTE, fault, 1)


@compiled
def region_back(memory: Address, fault: int) -> None:
    """A region is back: once health checks notice, it serves its people again."""
    clock = r.clock(memory)
    clock[0].regions_up |= 1 << r.faults(memory)[fault].region
    agenda.at(memory, clock[0].now + clock[0].health_check, EventKind.REROUTE, fault, 0)


@compiled
def reroute(memory: Address, fault: int, lost: int) -> None:
    """Health checks have noticed which regions are up: change who serves whom."""
    clock, serving, reroutes = r.clock(memory), r.serving(memory), r.reroutes(memory)
    region, count, regions = r.faults(memory)[fault].region, clock[0].operations_count, clock[0].regions
    rtt_seconds = np.empty(regions)
    for home in range(regions):
        for other in range(regions):
            rtt_seconds[other] = r.rtts(memory)[home * regions + other]
        before, now = serving[home], _serving(home, clock[0].regions_up, rtt_seconds)
        if now == before:
            continue
        serving[home] = now
        row = clock[0].reroutes_count
        clock[0].reroutes_count = row + 1
        reroutes[row].at = clock[0].now
        reroutes[row].home = home
        reroutes[row].before = before
        reroutes[row].now = now
        if not (lost and before == region and home == region):
            continue
        for operation in range(count):
            lacks = r.lacking(memory)[(fault * regions + now) * count + operation]
            reroutes[row].lost += lacks
            r.lost(memory)[operation] += max(0, lacks)
