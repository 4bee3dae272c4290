"""Which job of a host ends next: a pairing heap (Fredman, Sedgewick, Sleator and Tarjan 1986) that is made of the jobs.

So a host needs no room of its own for whatever may come to it, a job that is taken off leaves nothing behind, and with
the few jobs that a host mostly has, little is moved. Of jobs that end at one time, who entered first is first.
"""

from __future__ import annotations

from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.records import NOBODY


@compiled
def _joined(world: World, one: int, other: int) -> int:
    """The job at the top of two heaps that become one."""
    jobs = r.jobs(world)
    if jobs[other].finish < jobs[one].finish or (
        jobs[other].finish == jobs[one].finish and jobs[other].place < jobs[one].place
    ):
        one, other = other, one
    below = jobs[one].below
    jobs[other].above = one
    jobs[other].beside = below
    if below >= 0:
        jobs[below].above = other
    jobs[one].below = other
    return one


@compiled
def add(world: World, host: int, job: int) -> None:
    """A job enters."""
    hosts, jobs = r.hosts(world), r.jobs(world)
    jobs[job].below = NOBODY
    top = hosts[host].top
    hosts[host].top = job if top < 0 else _joined(world, top, job)


@compiled
def _without(world: World, job: int) -> int:
    """The top of the heap of all below a job; NOBODY where there is nothing."""
    jobs = r.jobs(world)
    pairs, left = NOBODY, jobs[job].below
    while left >= 0:  # pairs, each pointing to the one before
        other = jobs[left].beside
        if other < 0:
            jobs[left].beside = pairs
            pairs = left
            break
        following = jobs[other].beside
        pair = _joined(world, left, other)
        jobs[pair].beside = pairs
        pairs, left = pair, following
    if pairs < 0:
        return NOBODY
    top, pairs = pairs, jobs[pairs].beside
    while pairs >= 0:
        earlier = jobs[pairs].beside
        top = _joined(world, top, pairs)
        pairs = earlier
    return top


@compiled
def remove(world: World, host: int, job: int) -> None:
    """A job leaves, the first or another one."""
    hosts, jobs = r.hosts(world), r.jobs(world)
    rest = _without(world, job)
    if hosts[host].top == job:
        hosts[host].top = rest
        return
    above, beside = jobs[job].above, jobs[job].beside
    if jobs[above].below == job:
        jobs[above].below = beside
    else:
        jobs[above].beside = beside
    if beside >= 0:
        jobs[beside].above = above
    if rest >= 0:
        hosts[host].top = _joined(world, hosts[host].top, rest)
