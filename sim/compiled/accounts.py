"""Accounts of CPU time up to now, which Python reads between two events."""

from __future__ import annotations

from sim.compiled import cores
from sim.compiled import records as r
from sim.compiled.jit import Address, entry


@entry
def settle(memory: Address) -> None:
    """Bring the accounts of every host and process up to now."""
    for host in range(r.clock(memory)[0].hosts_count):
        cores.settle(memory, host)
    for core in range(r.clock(memory)[0].cores_count):
        cores.advance(memory, core)


@entry
def unfinished_seconds(memory: Address, host: int, stations_count: int) -> float:
    """CPU received so far by jobs that are not done."""
    stations, jobs = r.stations(memory), r.jobs(memory)
    total = 0.0
    for station in range(stations_count):
        job = stations[station].first if stations[station].host == host else r.NOBODY
        while job >= 0:
            if jobs[job].worker >= 0:
                total += jobs[job].seconds - jobs[job].remaining
            job = jobs[job].next
    return total
