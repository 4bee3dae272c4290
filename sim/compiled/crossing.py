"""Calls: over the wire and back, through the toxics that act on the link."""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np

from sim.compiled import agenda, draws, processing, routing, stores
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.moves import (
    BROKEN,
    CANCELLED,
    OK,
    UNAVAILABLE,
    WAIT,
    child_of,
    cpu_seconds,
    end,
    enter,
    link_of,
    request_of,
    unless_cancelled,
    visit_of,
)

#: Draws of one call: the wire, the jitter.
_ONE = np.uint64(1)
_TWO = np.uint64(2)


class CallPhase(IntEnum):
    """Progress of a call."""

    BEGIN = 0
    AT_PROXY = 1
    ON_THE_WAY = 2
    SENDING = 3  # through a narrow link
    INSIDE = 4  # the callee works on it
    RETURNING = 5
    CUT = 6  # the connection is cut, but the caller has not noticed yet


@compiled
def _arrive(memory: Address, frame: int) -> int:
    frames = r.frames(memory)
    if r.tasks(memory)[frames[frame].task].cancelled:
        return end(CANCELLED)
    frames[frame].phase = CallPhase.INSIDE
    frames[frame].b = r.clock(memory)[0].now
    return enter(child_of(memory, frame, 0))


@compiled
def _send(memory: Address, frame: int) -> int:
    """Send the request through the link, whose bandwidth a toxic may limit."""
    frames = r.frames(memory)
    step = r.instructions(memory)[frames[frame].instruction]
    link = link_of(memory, frame)
    if r.links(memory)[link].acting_count:
        narrow, is_cut = stores.send(memory, link, step.sent_bytes)
        if narrow != 0.0:
            frames[frame].phase = CallPhase.CUT if is_cut else CallPhase.SENDING
            agenda.wait(memory, narrow, frame)
            return WAIT
        if is_cut:
            return end(BROKEN)
    return _arrive(memory, frame)


@compiled
def _cross(memory: Address, frame: int) -> int:
    """Spend the time on the wire to the other side."""
    frames = r.frames(memory)
    at, request = frames[frame].instruction, request_of(memory, frame)
    step, link = r.instructions(memory)[at], r.links(memory)[link_of(memory, frame)]
    half = 0.0
    if link.mu != -math.inf:
        visit, entity = visit_of(memory, at, frames[frame].task), r.requests(memory)[request].entity
        half = 0.5 * draws.wait_seconds(r.clock(memory)[0].wait_key, link.mu, link.sigma, entity, visit + _ONE)
    if step.home:
        half += routing.away_seconds(memory, at, request)
    frames[frame].a = half
    if half != 0.0:
        frames[frame].phase = CallPhase.ON_THE_WAY
        agenda.wait(memory, half * (2.0 * step.trips - 1.0), frame)
        return WAIT
    return _send(memory, frame)


@compiled
def _return(memory: Address, frame: int, value: int) -> int:
    """Return over the wire, through the toxics that act on the link."""
    frames = r.frames(memory)
    step = r.instructions(memory)[frames[frame].instruction]
    frames[frame].i = value
    link, task = link_of(memory, frame), frames[frame].task
    died = r.tasks(memory)[task].died != 0 and value != OK and r.clock(memory)[0].now > frames[frame].b
    r.tasks(memory)[task].died = 0
    if r.links(memory)[link].acting_count:
        visit = visit_of(memory, frames[frame].instruction, frames[frame].task)
        entity = r.requests(memory)[request_of(memory, frame)].entity
        uniform = draws.uniform(r.clock(memory)[0].plain_key, entity, visit + _TWO)
        held, is_cut = stores.answer(memory, link, step.trips, step.answer_bytes, uniform, died)
        if is_cut:
            if held == 0.0:
                return end(BROKEN)
            frames[frame].phase = CallPhase.CUT
            agenda.wait(memory, held, frame)
            return WAIT
        frames[frame].a += held
    if frames[frame].a != 0.0:
        frames[frame].phase = CallPhase.RETURNING
        agenda.wait(memory, frames[frame].a, frame)
        return WAIT
    return end(unless_cancelled(memory, frame, value))


@compiled
def call(memory: Address, frame: int, value: int) -> int:
    frames = r.frames(memory)
    phase = frames[frame].phase
    if phase == CallPhase.BEGIN:
        at = frames[frame].instruction
        step = r.instructions(memory)[at]
        link = link_of(memory, frame)
        if r.links(memory)[link].acting_count and stores.cut(memory, link):
            return end(UNAVAILABLE)
        if step.proxy < 0 or step.choices_count == 0:
            return _cross(memory, frame)
        frames[frame].phase = CallPhase.AT_PROXY
        seconds = cpu_seconds(memory, frame, step.proxy, visit_of(memory, at, frames[frame].task))
        shift = r.requests(memory)[request_of(memory, frame)].region * r.clock(memory)[0].span
        processing.submit(memory, r.choices(memory)[step.choices] + shift, seconds, frame, r.NOBODY, 0.0)
        return WAIT
    if phase == CallPhase.AT_PROXY:
        if value == 0:
            return end(BROKEN)
        return _cross(memory, frame)
    if phase == CallPhase.ON_THE_WAY:
        return _send(memory, frame)
    if phase == CallPhase.SENDING:
        return _arrive(memory, frame)
    if phase == CallPhase.INSIDE:
        return _return(memory, frame, value)
    if phase == CallPhase.RETURNING:
        return end(unless_cancelled(memory, frame, frames[frame].i))
    return end(BROKEN)
