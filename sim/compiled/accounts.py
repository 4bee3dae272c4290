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
def unfinished_seconds(world: World, host: int, stations_count: int) -> float:
    """CPU received so far by jobs that are not done."""
    one, stations, jobs = r.hosts(world), r.stations(world), r.jobs(world)
    total = 0.0
    for station in range(stations_count):
        job = stations[station].first if stations[station].host == host else r.NOBODY
        while job >= 0:
            if jobs[job].place >= 0:
                total += jobs[job].seconds - max(0.0, jobs[job].finish - one[host].virtual)
            job = jobs[job].next
    return total
