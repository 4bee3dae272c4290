"""Instructions without branches: sequences, CPU work, waits, rate limits, stages, marks, commits."""

from __future__ import annotations

import math

from core.policies.backlog import WAIT_SECONDS_MAX
from sim.compiled import agenda, draws, failover, logs, processing, routing, stores
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.moves import (
    BROKEN,
    CANCELLED,
    LIMITED,
    OK,
    OVERLOADED,
    WAIT,
    Phase,
    child_of,
    cpu_seconds,
    end,
    enter,
    request_of,
    unless_cancelled,
    visit_of,
)
from sim.compiled.records import NOBODY, EventKind


@compiled
def sequence(memory: Address, frame: int, value: int) -> int:
    frames = r.frames(memory)
    step = r.instructions(memory)[frames[frame].instruction]
    if frames[frame].phase == Phase.BEGIN:
        frames[frame].phase = Phase.UNDER_WAY
        frames[frame].i = 0
    else:
        if value != OK:
            return end(value)
        if r.tasks(memory)[frames[frame].task].cancelled:
            return end(CANCELLED)
        frames[frame].i += 1
    if frames[frame].i == step.children_count:
        return end(OK)
    return enter(r.children(memory)[step.children + frames[frame].i])


@compiled
def use(memory: Address, frame: int, value: int) -> int:
    frames = r.frames(memory)
    if frames[frame].phase == Phase.BEGIN:
        frames[frame].phase = Phase.UNDER_WAY
        at = frames[frame].instruction
        step = r.instructions(memory)[at]
        station = routing.station(memory, at, request_of(memory, frame))
        seconds = cpu_seconds(memory, frame, step.index, visit_of(memory, at, frames[frame].task))
        requests, request = r.requests(memory), request_of(memory, frame)
        pool = NOBODY
        if requests[request].unbegun >= 0 and requests[request].unbegun_station == station:
            pool = requests[request].unbegun
            requests[request].unbegun = NOBODY
        processing.submit(memory, station, seconds, frame, pool, requests[request].admitted)
        return WAIT
    if value == 0:
        r.tasks(memory)[frames[frame].task].died = 1
        return end(BROKEN)
    return end(unless_cancelled(memory, frame, OK))


@compiled
def limit(memory: Address, frame: int) -> int:
    request = r.requests(memory)[request_of(memory, frame)]
    row = r.arrivals(memory)[request.arrival].limit_row
    return end(LIMITED if stores.limited(memory, request.entry, row) else OK)


@compiled
def backlog(memory: Address, frame: int) -> int:
    step = r.instructions(memory)[r.frames(memory)[frame].instruction]
    topic = step.index + r.requests(memory)[request_of(memory, frame)].region * r.clock(memory)[0].jobs_count
    return end(OVERLOADED if logs.wait_seconds(memory, topic, step.seconds) > WAIT_SECONDS_MAX else OK)


@compiled
def wait(memory: Address, frame: int) -> int:
    frames = r.frames(memory)
    at = frames[frame].instruction
    delay = r.delays(memory)[r.instructions(memory)[at].index]
    if frames[frame].phase == Phase.BEGIN and delay.mu != -math.inf:
        frames[frame].phase = Phase.UNDER_WAY
        visit = visit_of(memory, at, frames[frame].task)
        entity = r.requests(memory)[request_of(memory, frame)].entity
        seconds = draws.wait_seconds(r.clock(memory)[0].wait_key, delay.mu, delay.sigma, entity, visit)
        if r.instructions(memory)[at].hop:
            seconds += routing.away_seconds(memory, at, request_of(memory, frame))
        agenda.wait(memory, seconds, frame)
        return WAIT
    return end(unless_cancelled(memory, frame, OK))


@compiled
def stage(memory: Address, frame: int, value: int) -> int:
    frames, clock = r.frames(memory), r.clock(memory)[0]
    if frames[frame].phase == Phase.BEGIN:
        frames[frame].phase = Phase.UNDER_WAY
        frames[frame].a = clock.now
        return enter(child_of(memory, frame, 0))
    if clock.counting:
        row = r.instructions(memory)[frames[frame].instruction].index
        r.stages(memory)[row].count += 1
        r.stages(memory)[row].seconds += clock.now - frames[frame].a
    return end(value)


@compiled
def mark(memory: Address, frame: int) -> int:
    frames = r.frames(memory)
    task = r.tasks(memory)[frames[frame].task]
    if not task.cancelled:
        r.requests(memory)[task.request].degraded = 1
        if r.clock(memory)[0].counting:
            r.reasons(memory)[r.instructions(memory)[frames[frame].instruction].reason] += 1
    return end(OK)


@compiled
def aside(memory: Address, frame: int) -> int:
    request = request_of(memory, frame)
    r.requests(memory)[request].users += 1
    agenda.urgent(memory, EventKind.BACKGROUND, request, child_of(memory, frame, 0), 0)
    return end(OK)


@compiled
def committed(memory: Address, frame: int) -> int:
    at, request = r.frames(memory)[frame].instruction, request_of(memory, frame)
    instruction, clock = r.instructions(memory)[at], r.clock(memory)[0]
    if instruction.commits and instruction.nodes > 1 and not instruction.hop:
        r.unreplicated(memory)[
            routing.database(memory, at, request) * clock.operations_count + instruction.operation
        ] += instruction.commits
    if instruction.home:
        region = routing.region(memory, at, request)
        if instruction.hop:
            failover.followed(memory, (region - instruction.hop) % clock.regions, region, instruction.operation)
        elif instruction.commits >= 0:
            failover.committed(memory, region, instruction.operation, 1)
    if instruction.commits >= 0:
        r.wrote(memory)[r.arrivals(memory)[r.requests(memory)[request].arrival].limit_row] = clock.now
    return end(OK)
