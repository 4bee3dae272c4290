"""Which job of a host ends next: a pairing heap (Fredman, Sedgewick, Sleator and Tarjan 1986) whose nodes are the jobs.

A host therefore needs no separate table, a removed job leaves nothing behind, and with the few jobs that a host usually
has, little is moved. Of jobs that end at the same time, the one that entered first comes first.
"""

from __future__ import annotations

from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.records import NOBODY


@compiled
def _joined(memory: Address, first: int, other: int) -> int:
    """Merge two heaps; return the job at the top."""
    jobs = r.jobs(memory)
    if jobs[other].finish < jobs[first].finish or (
        jobs[other].finish == jobs[first].finish and jobs[other].entry_number < jobs[first].entry_number
    ):
        first, other = other, first
    below = jobs[first].below
    jobs[other].above = first
    jobs[other].beside = below
    if below >= 0:
        jobs[below].above = other
    jobs[first].below = other
    return first


@compiled
def add(memory: Address, host: int, job: int) -> None:
    """Add a job."""
    hosts, jobs = r.hosts(memory), r.jobs(memory)
    jobs[job].below = NOBODY
    top = hosts[host].top
    hosts[host].top = job if top < 0 else _joined(memory, top, job)


@compiled
def _without(memory: Address, job: int) -> int:
    """Merge the heaps below a job; return the top of the result, NOBODY where there are none."""
    jobs = r.jobs(memory)
    pairs, left = NOBODY, jobs[job].below
    while left >= 0:  # merge pairs, each pointing to the previous one
        other = jobs[left].beside
        if other < 0:
            jobs[left].beside = pairs
            pairs = left
            break
        following = jobs[other].beside
        pair = _joined(memory, left, other)
        jobs[pair].beside = pairs
        pairs, left = pair, following
    if pairs < 0:
        return NOBODY
    top, pairs = pairs, jobs[pairs].beside
    while pairs >= 0:
        earlier = jobs[pairs].beside
        top = _joined(memory, top, pairs)
        pairs = earlier
    return top


@compiled
def remove(memory: Address, host: int, job: int) -> None:
    """Remove a job, the first or any other."""
    hosts, jobs = r.hosts(memory), r.jobs(memory)
    rest = _without(memory, job)
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
        hosts[host].top = _joined(memory, hosts[host].top, rest)
