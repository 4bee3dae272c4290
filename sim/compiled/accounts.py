"""What Python asks of a world between two events: accounts of CPU time, brought up to now."""

from __future__ import annotations

from sim.compiled import places
from sim.compiled import records as r
from sim.compiled.jit import World, entry


@entry
def settle(world: World, processes_count: int) -> None:
    """Bring the accounts of every host and process up to now."""
    for host in range(r.clock(world)[0].hosts_count):
        places.advance(world, host)
    for process in range(processes_count):
        places.settle(world, process)


@entry
def unfinished_seconds(world: World, host: int) -> float:
    """CPU received so far by jobs that are not done."""
    one, ends, jobs = r.hosts(world), r.job_ends(world), r.jobs(world)
    total = 0.0
    for place in range(one[host].heap, one[host].heap + one[host].heap_count):
        job = ends[place].job
        if jobs[job].place == ends[place].place:
            total += jobs[job].seconds - max(0.0, jobs[job].finish - one[host].virtual)
    return total
