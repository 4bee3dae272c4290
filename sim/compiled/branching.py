"""Instructions that decide what is done next: parallel branches, deadlines, rescues, breakers, retries, policies."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from sim.compiled import agenda, draws, stores, tasks
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.moves import CANCELLED, EXPIRED, OK, WAIT, Phase, child_of, end, enter, request_of, unless_cancelled
from sim.compiled.records import EventKind
from sim.model.program import DRAWS_MAX


class RescuePhase(IntEnum):
    """Progress of a rescue, or of a call behind a breaker."""

    BEGIN = 0
    INNER = 1
    OTHERWISE = 2


class RetryPhase(IntEnum):
    BEGIN = 0
    TRY = 1
    PAUSE = 2


@compiled
def parallel(memory: Address, frame: int) -> int:
    frames = r.frames(memory)
    if frames[frame].phase == Phase.BEGIN:
        step = r.instructions(memory)[frames[frame].instruction]
        frames[frame].phase = Phase.UNDER_WAY
        frames[frame].i = step.children_count  # still under way
        frames[frame].j = OK  # the worst so far
        for index in range(step.children_count):
            agenda.urgent(memory, EventKind.BRANCH, frame, r.children(memory)[step.children + index], 0)
        r.requests(memory)[request_of(memory, frame)].users += step.children_count
        return WAIT
    return end(unless_cancelled(memory, frame, frames[frame].j))


@compiled
def deadline(memory: Address, frame: int, value: int) -> int:
    frames = r.frames(memory)
    task = frames[frame].task
    if frames[frame].phase == Phase.BEGIN:
        step = r.instructions(memory)[frames[frame].instruction]
        frames[frame].phase = Phase.UNDER_WAY
        frames[frame].i = tasks.new_child(memory, task)
        frames[frame].j = 0  # whether it is over
        r.requests(memory)[request_of(memory, frame)].users += 1
        agenda.urgent(memory, EventKind.INNER, frame, r.children(memory)[step.children], frames[frame].turn)
        agenda.set_timer(memory, step.lane, EventKind.EXPIRE, frame, frames[frame].turn)
        return WAIT
    below = frames[frame].i
    r.tasks(memory)[task].died |= r.tasks(memory)[below].died
    if r.tasks(memory)[below].cancelled or value != EXPIRED:
        tasks.part(memory, below)
    return end(unless_cancelled(memory, frame, value))


@compiled
def expire(memory: Address, frame: int) -> None:
    """The time of a deadline is over."""
    frames = r.frames(memory)
    if frames[frame].j:
        return
    frames[frame].j = 1
    agenda.ready(memory, EventKind.RESUME, frame, EXPIRED)
    if r.instructions(memory)[frames[frame].instruction].cancels:
        tasks.cancel(memory, frames[frame].i)


@compiled
def rescue(memory: Address, frame: int, value: int) -> int:
    frames = r.frames(memory)
    phase = frames[frame].phase
    if phase == RescuePhase.BEGIN:
        frames[frame].phase = RescuePhase.INNER
        return enter(child_of(memory, frame, 0))
    if phase == RescuePhase.INNER and value != OK and not r.tasks(memory)[frames[frame].task].cancelled:
        frames[frame].phase = RescuePhase.OTHERWISE
        return enter(child_of(memory, frame, 1))
    return end(value)


@compiled
def breaker(memory: Address, frame: int, value: int) -> int:
    frames = r.frames(memory)
    family = r.instructions(memory)[frames[frame].instruction].index
    breakers = r.breaker_families(memory)[family]
    asked = r.requests(memory)[request_of(memory, frame)]
    row = breakers.first + asked.region * breakers.instances + asked.instance % breakers.instances
    if frames[frame].phase == RescuePhase.BEGIN:
        if stores.try_breaker(memory, row):
            frames[frame].phase = RescuePhase.INNER
            return enter(child_of(memory, frame, 0))
    elif frames[frame].phase == RescuePhase.INNER:
        stores.record_outcome(memory, family, row, value == OK)
        if value == OK or r.tasks(memory)[frames[frame].task].cancelled:
            return end(value)
    else:
        return end(value)
    frames[frame].phase = RescuePhase.OTHERWISE
    return enter(child_of(memory, frame, 1))


@compiled
def retry(memory: Address, frame: int, value: int) -> int:
    frames, clock, all_tasks = r.frames(memory), r.clock(memory), r.tasks(memory)
    step, task = r.instructions(memory)[frames[frame].instruction], frames[frame].task
    endless = step.endless != 0
    if frames[frame].phase == RetryPhase.BEGIN:
        if not endless:
            clock[0].retry_tokens = stores.earned(clock[0].retry_tokens, clock[0].retry_ratio)
        frames[frame].i = all_tasks[task].attempt
        frames[frame].j = 1  # this try
        frames[frame].phase = RetryPhase.TRY
        return enter(child_of(memory, frame, 0))
    tried, again = frames[frame].j, value != OK and not all_tasks[task].cancelled
    if frames[frame].phase == RetryPhase.PAUSE:
        if not (endless and all_tasks[task].cancelled):
            frames[frame].phase = RetryPhase.TRY
            frames[frame].j += 1
            all_tasks[task].attempt += 1
            return enter(child_of(memory, frame, 0))
        again, value = False, CANCELLED
    if not again or not (endless or stores.affords(clock[0].retry_tokens, tried, clock[0].retry_attempts)):
        all_tasks[task].attempt = frames[frame].i
        return end(unless_cancelled(memory, frame, value) if endless else value)
    entity = r.requests(memory)[request_of(memory, frame)].entity
    frames[frame].phase = RetryPhase.PAUSE
    if endless:
        uniform = draws.uniform(clock[0].plain_key, entity, step.visit + np.uint64(1 + (tried - 1) % (DRAWS_MAX - 1)))
        agenda.wait(memory, stores.pause_seconds(tried, uniform), frame)
    else:
        clock[0].retry_tokens -= 1.0
        uniform = draws.uniform(clock[0].plain_key, entity, step.visit + np.uint64(tried))
        agenda.wait(memory, stores.backoff_seconds(clock[0].retry_base, clock[0].retry_cap, tried, uniform), frame)
    return WAIT


@compiled
def decide(memory: Address, frame: int, value: int) -> int:
    frames = r.frames(memory)
    if frames[frame].phase == Phase.UNDER_WAY:
        return end(value)
    frames[frame].phase = Phase.UNDER_WAY
    arrival = r.requests(memory)[request_of(memory, frame)].arrival
    return enter(child_of(memory, frame, 0 if r.arrivals(memory)[arrival].pushes else 1))
