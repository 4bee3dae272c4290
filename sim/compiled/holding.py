"""Places in pools, and admission to a component."""

from __future__ import annotations

from sim.compiled import pools, routing
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.moves import CANCELLED, OVERLOADED, WAIT, child_of, end, enter, request_of


@compiled
def hold(world: World, frame: int, value: int) -> int:
    one = r.frames(world)
    task = one[frame].task
    if one[frame].phase == 0:
        one[frame].phase = 1
        one[frame].i = pools.claim(
            world, routing.pool(world, one[frame].instruction, request_of(world, frame)), frame, task
        )
        pools.keep(world, task, one[frame].i)
        return WAIT
    if one[frame].phase == 1:
        if value == 0:
            return end(CANCELLED)
        one[frame].phase = 2
        return enter(child_of(world, frame, 0))
    if not r.tasks(world)[task].cancelled:
        pools.forget(world, task, one[frame].i)
        pools.give_back(world, one[frame].i)
    return end(value)


@compiled
def admit(world: World, frame: int, value: int) -> int:
    one = r.frames(world)
    if one[frame].phase == 0:
        request = request_of(world, frame)
        routing.balance(world, one[frame].instruction, request)
        pool = routing.pool(world, one[frame].instruction, request)
        if pools.full(world, pool):
            return end(OVERLOADED)
        one[frame].phase = 1
        one[frame].i = pools.claim(world, pool, frame, one[frame].task)
        return WAIT
    if one[frame].phase == 1:
        one[frame].phase = 2
        return enter(child_of(world, frame, 0))
    pools.give_back(world, one[frame].i)
    return end(value)
