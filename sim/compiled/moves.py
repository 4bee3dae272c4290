"""What a frame can do next, and what the functions of all kinds of instruction read of their frame.

The function of an instruction is called when its frame begins (phase `BEGIN`, 0), when a frame below it has ended, and
when the event that it waited for has happened; ``value`` is the ending, or the value of the event. It returns what to
do next: `WAIT`, `enter` a child, or `end`.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from sim.compiled import draws
from sim.compiled import records as r
from sim.compiled.jit import Address, Bits, compiled
from sim.model.flow import Ending, Per

#: What to do next, as one number: a pair would be written to memory and read again at every step.
WAIT = 0


class Phase(IntEnum):
    """Progress of a frame that starts something once and ends when that has ended."""

    BEGIN = 0
    UNDER_WAY = 1


OK = int(Ending.OK)
LIMITED = int(Ending.LIMITED)
OVERLOADED = int(Ending.OVERLOADED)
UNAVAILABLE = int(Ending.UNAVAILABLE)
BROKEN = int(Ending.BROKEN)
EXPIRED = int(Ending.EXPIRED)
CANCELLED = int(Ending.CANCELLED)


@compiled
def end(ending: int) -> int:
    """End the frame with this ending: an odd number."""
    return 2 * ending + 1


@compiled
def enter(instruction: int) -> int:
    """Begin a frame below with this instruction: an even number."""
    return 2 * instruction + 2


#: Members of an enumeration of `sim.model.flow` by number, as the tables hold them.
PER_CODES = {each: number for number, each in enumerate(Per)}
_PUSH = PER_CODES[Per.PUSH]
_PULL = PER_CODES[Per.PULL]
_MERGE = PER_CODES[Per.MERGE]

_ATTEMPT_BITS = np.uint64(56)


@compiled
def visit_of(memory: Address, instruction: int, task: int) -> Bits:
    """The coordinate that makes the random draws of this attempt independent of those of all others."""
    attempt = np.uint64(r.tasks(memory)[task].attempt)
    return r.instructions(memory)[instruction].visit + (attempt << _ATTEMPT_BITS)


@compiled
def request_of(memory: Address, frame: int) -> int:
    """The request that a frame works on."""
    return r.tasks(memory)[r.frames(memory)[frame].task].request


@compiled
def cpu_seconds(memory: Address, frame: int, row: int, visit: Bits) -> float:
    """CPU seconds that this execution needs."""
    at, task = r.frames(memory)[frame].instruction, r.frames(memory)[frame].task
    step, demand = r.instructions(memory)[at], r.demands(memory)[row]
    request = r.requests(memory)[r.tasks(memory)[task].request]
    factor = draws.demand_factor(r.clock(memory)[0].demand_key, demand.sigma, request.entity, visit)
    if step.per == _PUSH:
        clock = r.clock(memory)[0]
        factor *= r.arrivals(memory)[request.arrival].push_count * r.shares(memory)[request.region] / clock.push_mean
    elif step.per == _PULL:
        factor *= r.arrivals(memory)[request.arrival].pull_factor
    elif step.per == _MERGE:
        factor *= r.arrivals(memory)[request.arrival].merge_factor
    second = min(max(request.second, 0), demand.seconds_count - 1)
    return r.means(memory)[demand.means + second] * step.share * factor


@compiled
def unless_cancelled(memory: Address, frame: int, ending: int) -> int:
    return CANCELLED if r.tasks(memory)[r.frames(memory)[frame].task].cancelled else ending


@compiled
def child_of(memory: Address, frame: int, index: int) -> int:
    step = r.instructions(memory)[r.frames(memory)[frame].instruction]
    return r.children(memory)[step.children + index]


@compiled
def link_of(memory: Address, frame: int) -> int:
    """The link that a call crosses, in the region of the request."""
    step = r.instructions(memory)[r.frames(memory)[frame].instruction]
    return step.index + r.requests(memory)[request_of(memory, frame)].region * r.clock(memory)[0].links_count


@compiled
def cache_of(memory: Address, frame: int) -> int:
    """The cache that a step uses, in the region of the request."""
    step = r.instructions(memory)[r.frames(memory)[frame].instruction]
    return step.index + r.requests(memory)[request_of(memory, frame)].region * r.clock(memory)[0].caches_count
