"""CPU work on stations and hosts in compiled code: `sim.reference.station` and `sim.reference.host`.

A host has no events of its own: `sim.compiled.due` holds the time at which its next job ends.
"""

from __future__ import annotations

import math

from sim.compiled import admission, agenda, due, ends, tallies
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.records import NOBODY, BrokenLaw, EventKind, TableId


@compiled
def advance(memory: Address, host: int) -> None:
    """Bring a host's accounts up to now."""
    hosts = r.hosts(memory)
    now = r.clock(memory)[0].now
    elapsed = now - hosts[host].changed
    if elapsed <= 0.0:
        return
    hosts[host].changed = now
    if hosts[host].stalls:
        hosts[host].stalled += elapsed
        return
    hosts[host].possible += min(hosts[host].serving, hosts[host].cores) * elapsed
    if hosts[host].active:
        step = min(1.0, hosts[host].cores / hosts[host].active) * elapsed
        hosts[host].virtual += step
        hosts[host].given += hosts[host].active * step


@compiled
def settle(memory: Address, process: int) -> None:
    """Bring a process's account of CPU time up to its host's; called before its number of jobs changes."""
    processes = r.processes(memory)
    virtual = r.hosts(memory)[processes[process].host].virtual
    processes[process].cpu += processes[process].busy * (virtual - processes[process].virtual)
    processes[process].virtual = virtual


@compiled
def _arm(memory: Address, host: int) -> None:
    """Work out when the host's next job ends."""
    hosts, clock = r.hosts(memory), r.clock(memory)
    source = clock[0].lanes_count + host
    if hosts[host].stalls or not hosts[host].active:
        due.put(memory, source, math.inf, 0)
        return
    seq = clock[0].seq
    clock[0].seq = seq + 1
    rate = min(1.0, hosts[host].cores / hosts[host].active)
    left = max(0.0, r.jobs(memory)[hosts[host].top].finish - hosts[host].virtual)
    due.put(memory, source, clock[0].now + left / rate, seq)


@compiled
def _enter(memory: Address, host: int, job: int) -> None:
    """Put a job on the host: its beginning, or its resumption."""
    advance(memory, host)
    hosts, jobs, processes, stations = r.hosts(memory), r.jobs(memory), r.processes(memory), r.stations(memory)
    process = stations[jobs[job].station].process
    stations[jobs[job].station].on_host += 1
    jobs[job].finish += hosts[host].virtual
    jobs[job].entry_number = hosts[host].entered
    hosts[host].entered += 1
    ends.add(memory, host, job)
    settle(memory, process)
    processes[process].busy += 1
    hosts[host].active += 1
    _arm(memory, host)


@compiled
def _off(memory: Address, host: int, job: int) -> None:
    hosts, jobs, processes, stations = r.hosts(memory), r.jobs(memory), r.processes(memory), r.stations(memory)
    process = stations[jobs[job].station].process
    stations[jobs[job].station].on_host -= 1
    jobs[job].entry_number = NOBODY
    ends.remove(memory, host, job)
    settle(memory, process)
    processes[process].busy -= 1
    hosts[host].active -= 1


@compiled
def _leave(memory: Address, host: int, job: int) -> None:
    """Take a job off before it is done; it keeps the seconds that are left."""
    advance(memory, host)
    hosts, jobs = r.hosts(memory), r.jobs(memory)
    left = max(0.0, jobs[job].finish - hosts[host].virtual)
    _off(memory, host, job)
    hosts[host].done += jobs[job].seconds - left
    jobs[job].seconds = left
    jobs[job].finish = left
    _arm(memory, host)


@compiled
def stall(memory: Address, host: int, seconds: float) -> None:
    """Take all cores away for a time; stalls may overlap."""
    advance(memory, host)
    r.hosts(memory)[host].stalls += 1
    _arm(memory, host)
    agenda.at(memory, r.clock(memory)[0].now + seconds, EventKind.STALL_ENDS, host, 0)


@compiled
def stall_ends(memory: Address, host: int) -> None:
    """Give the cores back."""
    advance(memory, host)
    r.hosts(memory)[host].stalls -= 1
    _arm(memory, host)


@compiled
def _begin(memory: Address, station: int, job: int) -> None:
    stations, jobs, hosts = r.stations(memory), r.jobs(memory), r.hosts(memory)
    if stations[station].on_host >= stations[station].workers:  # counted by the host; callers ask the station
        r.clock(memory)[0].error = BrokenLaw.CAPACITY
        r.clock(memory)[0].error_row = station
    if jobs[job].pool >= 0:
        admission.began(memory, jobs[job].pool, jobs[job].since)
    jobs[job].next = NOBODY
    jobs[job].previous = stations[station].last
    if stations[station].last < 0:
        stations[station].first = job
    else:
        jobs[stations[station].last].next = job
    stations[station].last = job
    stations[station].serving_count += 1
    host = stations[station].host
    _enter(memory, host, job)
    hosts[host].serving += 1


@compiled
def submit(memory: Address, station: int, seconds: float, frame: int, pool: int, since: float) -> None:
    """Queue ``seconds`` of CPU work; the frame is resumed with 1 when it is done, 0 when the process died. ``frame`` is
    NOBODY where nothing waits for it. Once it begins, ``pool``, if not NOBODY, has begun a request that it admitted at
    ``since``."""
    stations, jobs = r.stations(memory), r.jobs(memory)
    if stations[station].down:
        if frame >= 0:
            agenda.ready(memory, EventKind.RESUME, frame, 0)
        return
    tallies.came(memory, stations[station].tally)
    job = agenda.take(memory, TableId.JOBS, jobs)
    jobs[job].seconds = seconds
    jobs[job].finish = seconds
    jobs[job].entered = r.clock(memory)[0].now
    jobs[job].entry_number = NOBODY
    jobs[job].station = station
    jobs[job].frame = frame
    jobs[job].pool = pool
    jobs[job].since = since
    jobs[job].next = NOBODY
    if stations[station].paused or stations[station].serving_count >= stations[station].workers:
        if stations[station].waiting < 0:
            stations[station].waiting = job
        else:
            jobs[stations[station].waiting_last].next = job
        stations[station].waiting_last = job
        stations[station].waiting_count += 1
    else:
        _begin(memory, station, job)


@compiled
def _takes_another(memory: Address, station: int) -> bool:
    station_row = r.stations(memory)[station]
    return station_row.waiting >= 0 and station_row.paused == 0 and station_row.serving_count < station_row.workers


@compiled
def _next(memory: Address, station: int) -> None:
    stations, jobs = r.stations(memory), r.jobs(memory)
    while _takes_another(memory, station):
        job = stations[station].waiting
        stations[station].waiting = jobs[job].next
        stations[station].waiting_count -= 1
        _begin(memory, station, job)


@compiled
def _end(memory: Address, station: int, job: int, served: int) -> None:
    jobs = r.jobs(memory)
    tallies.left(memory, r.stations(memory)[station].tally, jobs[job].entered)
    if jobs[job].frame >= 0:
        agenda.ready(memory, EventKind.RESUME, jobs[job].frame, served)
    agenda.give_back(memory, TableId.JOBS, jobs, job)


@compiled
def ring(memory: Address, host: int) -> None:
    """The host's next job has ended."""
    advance(memory, host)
    hosts, jobs, stations = r.hosts(memory), r.jobs(memory), r.stations(memory)
    job = hosts[host].top
    hosts[host].virtual = max(hosts[host].virtual, jobs[job].finish)
    _off(memory, host, job)
    hosts[host].done += jobs[job].seconds
    station = jobs[job].station
    earlier, later = jobs[job].previous, jobs[job].next
    if earlier < 0:
        stations[station].first = later
    else:
        jobs[earlier].next = later
    if later < 0:
        stations[station].last = earlier
    else:
        jobs[later].previous = earlier
    stations[station].serving_count -= 1
    hosts[host].serving -= 1
    if _takes_another(memory, station):
        _next(memory, station)
    else:  # else a job that begins arms the host
        _arm(memory, host)
    _end(memory, station, job, 1)


@compiled
def pause(memory: Address, station: int) -> None:
    """Stop all progress."""
    stations, jobs, hosts = r.stations(memory), r.jobs(memory), r.hosts(memory)
    stations[station].paused += 1
    if stations[station].paused == 1:
        job = stations[station].first
        while job >= 0:
            _leave(memory, stations[station].host, job)
            hosts[stations[station].host].serving -= 1
            job = jobs[job].next


@compiled
def resume(memory: Address, station: int) -> None:
    """Resume all jobs."""
    stations, jobs, hosts = r.stations(memory), r.jobs(memory), r.hosts(memory)
    stations[station].paused -= 1
    if stations[station].paused == 0:
        job = stations[station].first
        while job >= 0:
            _enter(memory, stations[station].host, job)
            hosts[stations[station].host].serving += 1
            job = jobs[job].next
        _next(memory, station)


@compiled
def die(memory: Address, station: int) -> None:
    """Lose everything under way and refuse new work, until `revive`."""
    stations, jobs, hosts = r.stations(memory), r.jobs(memory), r.hosts(memory)
    stations[station].down += 1
    if stations[station].down > 1:
        return
    host = stations[station].host
    job = stations[station].first
    while job >= 0:
        if jobs[job].entry_number >= 0:
            _leave(memory, host, job)
            hosts[host].serving -= 1
        job = jobs[job].next
    for which in range(2):
        job = stations[station].first if which == 0 else stations[station].waiting
        while job >= 0:
            following = jobs[job].next
            _end(memory, station, job, 0)
            job = following
    stations[station].first = NOBODY
    stations[station].last = NOBODY
    stations[station].serving_count = 0
    stations[station].waiting = NOBODY
    stations[station].waiting_count = 0


@compiled
def revive(memory: Address, station: int) -> None:
    """Take work again."""
    r.stations(memory)[station].down -= 1
