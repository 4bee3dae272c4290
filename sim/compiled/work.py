"""Instructions that do something and go on: CPU, waits, limits, stages, marks, what a commit means."""

from __future__ import annotations

import math

from sim.compiled import agenda, draws, failover, places, routing, stores
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.moves import (
    BROKEN,
    CANCELLED,
    LIMITED,
    OK,
    WAIT,
    child_of,
    cpu_seconds,
    end,
    enter,
    request_of,
    unless_cancelled,
    visit_of,
)
from sim.compiled.records import Kind


@compiled
def sequence(world: World, frame: int, value: int) -> int:
    one = r.frames(world)
    step = r.instructions(world)[one[frame].instruction]
    if one[frame].phase == 0:
        one[frame].phase = 1
        one[frame].i = 0
    else:
        if value != OK:
            return end(value)
        if r.tasks(world)[one[frame].task].cancelled:
            return end(CANCELLED)
        one[frame].i += 1
    if one[frame].i == step.children_count:
        return end(OK)
    return enter(r.children(world)[step.children + one[frame].i])


@compiled
def use(world: World, frame: int, value: int) -> int:
    one = r.frames(world)
    if one[frame].phase == 0:
        one[frame].phase = 1
        at = one[frame].instruction
        step = r.instructions(world)[at]
        station = routing.station(world, at, request_of(world, frame))
        seconds = cpu_seconds(world, frame, step.index, visit_of(world, at, one[frame].task))
        places.submit(world, station, seconds, frame)
        return WAIT
    if value == 0:
        r.tasks(world)[one[frame].task].died = 1
        return end(BROKEN)
    return end(unless_cancelled(world, frame, OK))


@compiled
def limit(world: World, frame: int) -> int:
    request = r.requests(world)[request_of(world, frame)]
    row = r.arrivals(world)[request.arrival].limit_row
    return end(LIMITED if stores.limited(world, request.entry, row) else OK)


@compiled
def delay(world: World, frame: int) -> int:
    one = r.frames(world)
    at = one[frame].instruction
    delay = r.delays(world)[r.instructions(world)[at].index]
    if one[frame].phase == 0 and delay.mu != -math.inf:
        one[frame].phase = 1
        visit = visit_of(world, at, one[frame].task)
        entity = r.requests(world)[request_of(world, frame)].entity
        seconds = draws.wait_seconds(r.clock(world)[0].wait_key, delay.mu, delay.sigma, entity, visit)
        if r.instructions(world)[at].hop:
            seconds += routing.away_seconds(world, at, request_of(world, frame))
        agenda.wait(world, seconds, frame)
        return WAIT
    return end(unless_cancelled(world, frame, OK))


@compiled
def stage(world: World, frame: int, value: int) -> int:
    one, clock = r.frames(world), r.clock(world)[0]
    if one[frame].phase == 0:
        one[frame].phase = 1
        one[frame].a = clock.now
        return enter(child_of(world, frame, 0))
    if clock.counting:
        row = r.instructions(world)[one[frame].instruction].index
        r.stages(world)[row].count += 1
        r.stages(world)[row].seconds += clock.now - one[frame].a
    return end(value)


@compiled
def mark(world: World, frame: int) -> int:
    one = r.frames(world)
    task = r.tasks(world)[one[frame].task]
    if not task.cancelled:
        r.requests(world)[task.request].degraded = 1
        if r.clock(world)[0].counting:
            r.reasons(world)[r.instructions(world)[one[frame].instruction].keys] += 1
    return end(OK)


@compiled
def aside(world: World, frame: int) -> int:
    request = request_of(world, frame)
    r.requests(world)[request].users += 1
    agenda.urgent(world, Kind.BACKGROUND, request, child_of(world, frame, 0), 0)
    return end(OK)


@compiled
def committed(world: World, frame: int) -> int:
    at, request = r.frames(world)[frame].instruction, request_of(world, frame)
    one, clock = r.instructions(world)[at], r.clock(world)[0]
    if one.size and one.nodes > 1 and not one.hop:
        r.unreplicated(world)[routing.database(world, at, request) * clock.operations_count + one.keys] += one.size
    if one.home:
        region = routing.region(world, at, request)
        if one.hop:
            failover.followed(world, (region - one.hop) % clock.regions, region, one.keys)
        elif one.size >= 0:
            failover.committed(world, region, one.keys, 1)
    if one.size >= 0:
        r.wrote(world)[r.arrivals(world)[r.requests(world)[request].arrival].limit_row] = clock.now
    return end(OK)
