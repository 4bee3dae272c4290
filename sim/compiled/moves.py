"""What a frame can do next, and what every kind of instruction asks of its frame.

An instruction's function is called when its frame begins (phase 0), when a frame below it has ended, and when what it
waited for has happened; ``value`` is the ending, or what the event says. It answers what is to be done next: `WAIT`,
`enter` a child, or `end`.
"""

from __future__ import annotations

import numpy as np

from sim.compiled import draws
from sim.compiled import records as r
from sim.compiled.jit import Bits, World, compiled
from sim.model.flow import Ending, Per

#: What is to be done next, as one number: a pair would be written to memory and read again at every step.
WAIT = 0

OK = int(Ending.OK)
LIMITED = int(Ending.LIMITED)
OVERLOADED = int(Ending.OVERLOADED)
UNAVAILABLE = int(Ending.UNAVAILABLE)
BROKEN = int(Ending.BROKEN)
EXPIRED = int(Ending.EXPIRED)
CANCELLED = int(Ending.CANCELLED)


@compiled
def end(ending: int) -> int:
    """The frame is over, with this ending: an odd number."""
    return 2 * ending + 1


@compiled
def enter(instruction: int) -> int:
    """A frame below begins with this instruction: an even number."""
    return 2 * instruction + 2


#: An enumeration of flows by number, as the tables hold it.
PER_CODES = {each: number for number, each in enumerate(Per)}
_PUSH = PER_CODES[Per.PUSH]
_PULL = PER_CODES[Per.PULL]
_MERGE = PER_CODES[Per.MERGE]

_ATTEMPT_BITS = np.uint64(56)


@compiled
def visit_of(world: World, instruction: int, task: int) -> Bits:
    """What tells this try's random draws from those of all others."""
    attempt = np.uint64(r.tasks(world)[task].attempt)
    return r.instructions(world)[instruction].visit + (attempt << _ATTEMPT_BITS)


@compiled
def request_of(world: World, frame: int) -> int:
    """The request that a frame works on."""
    return r.tasks(world)[r.frames(world)[frame].task].request


@compiled
def cpu_seconds(world: World, frame: int, row: int, visit: Bits) -> float:
    """CPU time that this execution needs."""
    at, task = r.frames(world)[frame].instruction, r.frames(world)[frame].task
    step, demand = r.instructions(world)[at], r.demands(world)[row]
    request = r.requests(world)[r.tasks(world)[task].request]
    factor = draws.demand_factor(r.clock(world)[0].demand_key, demand.sigma, request.entity, visit)
    if step.per == _PUSH:
        clock = r.clock(world)[0]
        factor *= r.arrivals(world)[request.arrival].push_count * r.shares(world)[request.region] / clock.push_mean
    elif step.per == _PULL:
        factor *= r.arrivals(world)[request.arrival].pull_factor
    elif step.per == _MERGE:
        factor *= r.arrivals(world)[request.arrival].merge_factor
    second = min(max(request.second, 0), demand.seconds_count - 1)
    return r.means(world)[demand.means + second] * step.share * factor


@compiled
def unless_cancelled(world: World, frame: int, ending: int) -> int:
    return CANCELLED if r.tasks(world)[r.frames(world)[frame].task].cancelled else ending


@compiled
def child_of(world: World, frame: int, place: int) -> int:
    step = r.instructions(world)[r.frames(world)[frame].instruction]
    return r.children(world)[step.children + place]


@compiled
def link_of(world: World, frame: int) -> int:
    """The link that a call crosses: that of the request's region."""
    step = r.instructions(world)[r.frames(world)[frame].instruction]
    return step.index + r.requests(world)[request_of(world, frame)].region * r.clock(world)[0].links_count


@compiled
def cache_of(world: World, frame: int) -> int:
    """The cache that a step asks: that of the request's region."""
    step = r.instructions(world)[r.frames(world)[frame].instruction]
    return step.index + r.requests(world)[request_of(world, frame)].region * r.clock(world)[0].caches_count
