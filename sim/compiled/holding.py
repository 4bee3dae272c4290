"""Slots of pools, and admission to a component."""

from __future__ import annotations

from enum import IntEnum

from sim.compiled import admission, pools, routing
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.moves import CANCELLED, OVERLOADED, WAIT, child_of, end, enter, request_of


class HoldPhase(IntEnum):
    """Progress of a frame that needs a slot of a pool."""

    BEGIN = 0
    WAITING = 1
    INSIDE = 2


@compiled
def hold(memory: Address, frame: int, value: int) -> int:
    frames = r.frames(memory)
    task = frames[frame].task
    if frames[frame].phase == HoldPhase.BEGIN:
        frames[frame].phase = HoldPhase.WAITING
        frames[frame].i = pools.claim(
            memory, routing.pool(memory, frames[frame].instruction, request_of(memory, frame)), frame, task
        )
        pools.keep(memory, task, frames[frame].i)
        return WAIT
    if frames[frame].phase == HoldPhase.WAITING:
        if value == 0:
            return end(CANCELLED)
        frames[frame].phase = HoldPhase.INSIDE
        return enter(child_of(memory, frame, 0))
    if not r.tasks(memory)[task].cancelled:
        pools.forget(memory, task, frames[frame].i)
        pools.give_back(memory, frames[frame].i)
    return end(value)


@compiled
def admit(memory: Address, frame: int, value: int) -> int:
    frames = r.frames(memory)
    if frames[frame].phase == HoldPhase.BEGIN:
        request = request_of(memory, frame)
        routing.balance(memory, frames[frame].instruction, request)
        pool = routing.pool(memory, frames[frame].instruction, request)
        at = frames[frame].instruction
        if not admission.admits(memory, pool, r.instructions(memory)[at].urgent):
            return end(OVERLOADED)
        if r.pools(memory)[pool].adaptive:
            requests = r.requests(memory)
            requests[request].unbegun = pool
            requests[request].unbegun_station = routing.station(memory, at, request)
            requests[request].admitted = r.clock(memory)[0].now
        frames[frame].phase = HoldPhase.WAITING
        frames[frame].i = pools.claim(memory, pool, frame, frames[frame].task)
        return WAIT
    if frames[frame].phase == HoldPhase.WAITING:
        frames[frame].phase = HoldPhase.INSIDE
        return enter(child_of(memory, frame, 0))
    pools.give_back(memory, frames[frame].i)
    return end(value)
