"""Calls: over the wire and back, through the toxics that act on the link."""

from __future__ import annotations

import math

import numpy as np

from sim.compiled import agenda, draws, places, routing, stores
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
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


@compiled
def _arrive(world: World, frame: int) -> int:
    one = r.frames(world)
    if r.tasks(world)[one[frame].task].cancelled:
        return end(CANCELLED)
    one[frame].phase = 3
    one[frame].b = r.clock(world)[0].now
    return enter(child_of(world, frame, 0))


@compiled
def _squeeze(world: World, frame: int) -> int:
    """What is sent goes through a link that may be narrow."""
    one = r.frames(world)
    step = r.instructions(world)[one[frame].instruction]
    link = link_of(world, frame)
    if r.links(world)[link].acting_count:
        narrow, is_cut = stores.send(world, link, step.sent)
        if narrow != 0.0:
            one[frame].phase = 5 if is_cut else 6
            agenda.wait(world, narrow, frame)
            return WAIT
        if is_cut:
            return end(BROKEN)
    return _arrive(world, frame)


@compiled
def _cross(world: World, frame: int) -> int:
    """Go over the wire, to the other side."""
    one = r.frames(world)
    at, request = one[frame].instruction, request_of(world, frame)
    step, link = r.instructions(world)[at], r.links(world)[link_of(world, frame)]
    half = 0.0
    if link.mu != -math.inf:
        visit, entity = visit_of(world, at, one[frame].task), r.requests(world)[request].entity
        half = 0.5 * draws.wait_seconds(r.clock(world)[0].wait_key, link.mu, link.sigma, entity, visit + _ONE)
    if step.home:
        half += routing.away_seconds(world, at, request)
    one[frame].a = half
    if half != 0.0:
        one[frame].phase = 2
        agenda.wait(world, half * (2.0 * step.trips - 1.0), frame)
        return WAIT
    return _squeeze(world, frame)


@compiled
def _return(world: World, frame: int, value: int) -> int:
    """Come back over the wire, through what acts on the link."""
    one = r.frames(world)
    step = r.instructions(world)[one[frame].instruction]
    one[frame].i = value
    link, task = link_of(world, frame), one[frame].task
    died = r.tasks(world)[task].died != 0 and value != OK and r.clock(world)[0].now > one[frame].b
    r.tasks(world)[task].died = 0
    if r.links(world)[link].acting_count:
        visit = visit_of(world, one[frame].instruction, one[frame].task)
        entity = r.requests(world)[request_of(world, frame)].entity
        uniform = draws.uniform(r.clock(world)[0].plain_key, entity, visit + _TWO)
        held, is_cut = stores.answer(world, link, step.trips, step.size, uniform, died)
        if is_cut:
            if held == 0.0:
                return end(BROKEN)
            one[frame].phase = 5
            agenda.wait(world, held, frame)
            return WAIT
        one[frame].a += held
    if one[frame].a != 0.0:
        one[frame].phase = 4
        agenda.wait(world, one[frame].a, frame)
        return WAIT
    return end(unless_cancelled(world, frame, value))


@compiled
def call(world: World, frame: int, value: int) -> int:
    one = r.frames(world)
    phase = one[frame].phase
    if phase == 0:
        at = one[frame].instruction
        step = r.instructions(world)[at]
        link = link_of(world, frame)
        if r.links(world)[link].acting_count and stores.cut(world, link):
            return end(UNAVAILABLE)
        if step.proxy < 0 or step.choices_count == 0:
            return _cross(world, frame)
        one[frame].phase = 1
        seconds = cpu_seconds(world, frame, step.proxy, visit_of(world, at, one[frame].task))
        shift = r.requests(world)[request_of(world, frame)].region * r.clock(world)[0].span
        places.submit(world, r.choices(world)[step.choices] + shift, seconds, frame)
        return WAIT
    if phase == 1:
        if value == 0:
            return end(BROKEN)
        return _cross(world, frame)
    if phase == 2:
        return _squeeze(world, frame)
    if phase == 6:
        return _arrive(world, frame)
    if phase == 3:
        return _return(world, frame, value)
    if phase == 4:
        return end(unless_cancelled(world, frame, one[frame].i))
    return end(BROKEN)
