"""Instructions that decide what is done next: forks, deadlines, rescues, breakers, retries, policies."""

from __future__ import annotations

import numpy as np

from sim.compiled import agenda, draws, stores, tasks
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.moves import CANCELLED, EXPIRED, OK, WAIT, child_of, end, enter, request_of, unless_cancelled
from sim.compiled.records import Kind
from sim.model.program import DRAWS_MAX


@compiled
def fork(world: World, frame: int) -> int:
    one = r.frames(world)
    if one[frame].phase == 0:
        step = r.instructions(world)[one[frame].instruction]
        one[frame].phase = 1
        one[frame].i = step.children_count  # still under way
        one[frame].j = OK  # the worst so far
        for place in range(step.children_count):
            agenda.urgent(world, Kind.BRANCH, frame, r.children(world)[step.children + place], 0)
        r.requests(world)[request_of(world, frame)].users += step.children_count
        return WAIT
    return end(unless_cancelled(world, frame, one[frame].j))


@compiled
def deadline(world: World, frame: int, value: int) -> int:
    one = r.frames(world)
    task = one[frame].task
    if one[frame].phase == 0:
        step = r.instructions(world)[one[frame].instruction]
        one[frame].phase = 1
        one[frame].i = tasks.new_child(world, task)
        one[frame].j = 0  # whether it is over
        r.requests(world)[request_of(world, frame)].users += 1
        agenda.urgent(world, Kind.INNER, frame, r.children(world)[step.children], one[frame].turn)
        agenda.set_timer(world, step.lane, Kind.EXPIRE, frame, one[frame].turn)
        return WAIT
    below = one[frame].i
    if r.tasks(world)[below].cancelled or value != EXPIRED:
        tasks.part(world, below)
    return end(unless_cancelled(world, frame, value))


@compiled
def expire(world: World, frame: int) -> None:
    """A deadline's time is over."""
    one = r.frames(world)
    if one[frame].j:
        return
    one[frame].j = 1
    agenda.ready(world, Kind.RESUME, frame, EXPIRED)
    if r.instructions(world)[one[frame].instruction].size:
        tasks.cancel(world, one[frame].i)


@compiled
def rescue(world: World, frame: int, value: int) -> int:
    one = r.frames(world)
    phase = one[frame].phase
    one[frame].phase = phase + 1
    if phase == 0:
        return enter(child_of(world, frame, 0))
    if phase == 1 and value != OK and not r.tasks(world)[one[frame].task].cancelled:
        return enter(child_of(world, frame, 1))
    return end(value)


@compiled
def breaker(world: World, frame: int, value: int) -> int:
    one = r.frames(world)
    family = r.instructions(world)[one[frame].instruction].index
    told = r.breaker_families(world)[family]
    asked = r.requests(world)[request_of(world, frame)]
    row = told.first + asked.region * told.instances + asked.instance % told.instances
    if one[frame].phase == 0:
        if stores.try_breaker(world, row):
            one[frame].phase = 1
            return enter(child_of(world, frame, 0))
    elif one[frame].phase == 1:
        stores.tell_breaker(world, family, row, value == OK)
        if value == OK or r.tasks(world)[one[frame].task].cancelled:
            return end(value)
    else:
        return end(value)
    one[frame].phase = 2
    return enter(child_of(world, frame, 1))


@compiled
def retry(world: World, frame: int, value: int) -> int:
    one, clock, all_tasks = r.frames(world), r.clock(world), r.tasks(world)
    step, task = r.instructions(world)[one[frame].instruction], one[frame].task
    endless = step.size != 0
    if one[frame].phase == 0:
        if not endless:
            clock[0].retry_tokens = stores.earned(clock[0].retry_tokens, clock[0].retry_ratio)
        one[frame].i = all_tasks[task].attempt
        one[frame].j = 1  # this try
        one[frame].phase = 1
        return enter(child_of(world, frame, 0))
    tried, again = one[frame].j, value != OK and not all_tasks[task].cancelled
    if one[frame].phase == 2:  # the pause is over
        if not (endless and all_tasks[task].cancelled):
            one[frame].phase = 1
            one[frame].j += 1
            all_tasks[task].attempt += 1
            return enter(child_of(world, frame, 0))
        again, value = False, CANCELLED
    if not again or not (endless or stores.affords(clock[0].retry_tokens, tried, clock[0].retry_attempts)):
        all_tasks[task].attempt = one[frame].i
        return end(unless_cancelled(world, frame, value) if endless else value)
    entity = r.requests(world)[request_of(world, frame)].entity
    one[frame].phase = 2
    if endless:
        uniform = draws.uniform(clock[0].plain_key, entity, step.visit + np.uint64(1 + (tried - 1) % (DRAWS_MAX - 1)))
        agenda.wait(world, stores.pause_seconds(tried, uniform), frame)
    else:
        clock[0].retry_tokens -= 1.0
        uniform = draws.uniform(clock[0].plain_key, entity, step.visit + np.uint64(tried))
        agenda.wait(world, stores.backoff_seconds(clock[0].retry_base, clock[0].retry_cap, tried, uniform), frame)
    return WAIT


@compiled
def decide(world: World, frame: int, value: int) -> int:
    one = r.frames(world)
    if one[frame].phase:
        return end(value)
    one[frame].phase = 1
    arrival = r.requests(world)[request_of(world, frame)].arrival
    return enter(child_of(world, frame, 0 if r.arrivals(world)[arrival].pushes else 1))
