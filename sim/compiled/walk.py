"""Dispatch: the function of each kind of instruction, as `sim.reference.interpreter` has a generator for each."""

from __future__ import annotations

from sim.compiled import logs
from sim.compiled import records as r
from sim.compiled.branching import breaker, deadline, decide, parallel, rescue, retry
from sim.compiled.crossing import call
from sim.compiled.holding import admit, hold
from sim.compiled.jit import Address, compiled
from sim.compiled.lookups import lookup, missed
from sim.compiled.moves import OK, end, request_of
from sim.compiled.work import aside, backlog, committed, limit, mark, sequence, stage, use, wait
from sim.model.program import Op


@compiled
def step(memory: Address, frame: int, value: int) -> int:
    """Run one frame until it waits, enters a child or ends."""
    at = r.frames(memory)[frame].instruction
    instruction = r.instructions(memory)[at]
    op = instruction.op
    if op == Op.SEQUENCE:
        return sequence(memory, frame, value)
    if op == Op.USE:
        return use(memory, frame, value)
    if op == Op.CALL:
        return call(memory, frame, value)
    if op == Op.RESCUE:
        return rescue(memory, frame, value)
    if op == Op.DEADLINE:
        return deadline(memory, frame, value)
    if op == Op.HOLD:
        return hold(memory, frame, value)
    if op == Op.STAGE:
        return stage(memory, frame, value)
    if op == Op.LOOKUP:
        return lookup(memory, frame, value)
    if op == Op.BREAKER:
        return breaker(memory, frame, value)
    if op == Op.PARALLEL:
        return parallel(memory, frame)
    if op == Op.ADMIT:
        return admit(memory, frame, value)
    if op == Op.LIMIT:
        return limit(memory, frame)
    if op == Op.BACKLOG:
        return backlog(memory, frame)
    if op == Op.WAIT:
        return wait(memory, frame)
    if op == Op.RETRY:
        return retry(memory, frame, value)
    if op == Op.DECIDE:
        return decide(memory, frame, value)
    if op == Op.EMIT:
        logs.emit(memory, instruction.index, request_of(memory, frame), instruction.everywhere)
        return end(OK)
    if op == Op.ASIDE:
        return aside(memory, frame)
    if op == Op.MARK:
        return mark(memory, frame)
    if op == Op.MISSED:
        return missed(memory, frame)
    if op == Op.COMMITTED:
        return committed(memory, frame)
    return end(instruction.ending)  # Op.FAIL
