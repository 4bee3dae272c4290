"""Walks a program: the function of each kind of instruction, as `sim.reference.interpreter` has a generator for
each."""

from __future__ import annotations

from sim.compiled import logs
from sim.compiled import records as r
from sim.compiled.branching import breaker, deadline, decide, fork, rescue, retry
from sim.compiled.crossing import call
from sim.compiled.holding import admit, hold
from sim.compiled.jit import World, compiled
from sim.compiled.lookups import lookup, missed
from sim.compiled.moves import OK, end, request_of
from sim.compiled.work import aside, committed, delay, limit, mark, sequence, stage, use
from sim.model.program import Op


@compiled
def step(world: World, frame: int, value: int) -> int:
    """Let one frame go on."""
    at = r.frames(world)[frame].instruction
    one = r.instructions(world)[at]
    op = one.op
    if op == Op.SEQUENCE:
        return sequence(world, frame, value)
    if op == Op.USE:
        return use(world, frame, value)
    if op == Op.CALL:
        return call(world, frame, value)
    if op == Op.RESCUE:
        return rescue(world, frame, value)
    if op == Op.DEADLINE:
        return deadline(world, frame, value)
    if op == Op.HOLD:
        return hold(world, frame, value)
    if op == Op.STAGE:
        return stage(world, frame, value)
    if op == Op.LOOKUP:
        return lookup(world, frame, value)
    if op == Op.BREAKER:
        return breaker(world, frame, value)
    if op == Op.FORK:
        return fork(world, frame)
    if op == Op.ADMIT:
        return admit(world, frame, value)
    if op == Op.LIMIT:
        return limit(world, frame)
    if op == Op.DELAY:
        return delay(world, frame)
    if op == Op.RETRY:
        return retry(world, frame, value)
    if op == Op.DECIDE:
        return decide(world, frame, value)
    if op == Op.EMIT:
        logs.emit(world, one.index, request_of(world, frame), one.size)
        return end(OK)
    if op == Op.ASIDE:
        return aside(world, frame)
    if op == Op.MARK:
        return mark(world, frame)
    if op == Op.MISSED:
        return missed(world, frame)
    if op == Op.COMMITTED:
        return committed(world, frame)
    return end(one.index)  # Op.FAIL
