"""Hosts and stations in compiled code: `sim.reference.host` and `sim.reference.station`, row by row.

A host has no events of its own: the time at which its next job ends is one of those of `sim.compiled.due`.
"""

from __future__ import annotations

import math

from sim.compiled import agenda, due, ends, tallies
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.records import NOBODY, Broken, Free, Kind


@compiled
def advance(world: World, host: int) -> None:
    """Bring a host's accounts up to now."""
    one = r.hosts(world)
    now = r.clock(world)[0].now
    elapsed = now - one[host].changed
    if elapsed <= 0.0:
        return
    one[host].changed = now
    if one[host].stalls:
        one[host].stalled += elapsed
        return
    one[host].possible += min(one[host].serving, one[host].cores) * elapsed
    if one[host].active:
        step = min(1.0, one[host].cores / one[host].active) * elapsed
        one[host].virtual += step
        one[host].given += one[host].active * step


@compiled
def settle(world: World, process: int) -> None:
    """Bring a process's account of CPU time up to its host's; before its number of jobs changes."""
    one = r.processes(world)
    virtual = r.hosts(world)[one[process].host].virtual
    one[process].cpu += one[process].busy * (virtual - one[process].virtual)
    one[process].virtual = virtual


@compiled
def _arm(world: World, host: int) -> None:
    """Work out when the host's next job ends."""
    one, clock = r.hosts(world), r.clock(world)
    source = clock[0].lanes_count + host
    if one[host].stalls or not one[host].active:
        due.put(world, source, math.inf, 0)
        return
    seq = clock[0].seq
    clock[0].seq = seq + 1
    rate = min(1.0, one[host].cores / one[host].active)
    left = max(0.0, r.jobs(world)[one[host].top].finish - one[host].virtual)
    due.put(world, source, clock[0].now + left / rate, seq)


@compiled
def _enter(world: World, host: int, job: int) -> None:
    """Begin, or go on with, a job."""
    advance(world, host)
    one, jobs, processes, stations = r.hosts(world), r.jobs(world), r.processes(world), r.stations(world)
    process = stations[jobs[job].station].process
    stations[jobs[job].station].on_host += 1
    jobs[job].finish += one[host].virtual
    jobs[job].place = one[host].entered
    one[host].entered += 1
    ends.add(world, host, job)
    settle(world, process)
    processes[process].busy += 1
    one[host].active += 1
    _arm(world, host)


@compiled
def _off(world: World, host: int, job: int) -> None:
    one, jobs, processes, stations = r.hosts(world), r.jobs(world), r.processes(world), r.stations(world)
    process = stations[jobs[job].station].process
    stations[jobs[job].station].on_host -= 1
    jobs[job].place = NOBODY
    ends.remove(world, host, job)
    settle(world, process)
    processes[process].busy -= 1
    one[host].active -= 1


@compiled
def _leave(world: World, host: int, job: int) -> None:
    """Take a job off before it is done; it keeps what it still needs."""
    advance(world, host)
    one, jobs = r.hosts(world), r.jobs(world)
    left = max(0.0, jobs[job].finish - one[host].virtual)
    _off(world, host, job)
    one[host].done += jobs[job].seconds - left
    jobs[job].seconds = left
    jobs[job].finish = left
    _arm(world, host)


@compiled
def stall(world: World, host: int, seconds: float) -> None:
    """Take all cores away for a time; stalls may overlap."""
    advance(world, host)
    r.hosts(world)[host].stalls += 1
    _arm(world, host)
    agenda.at(world, r.clock(world)[0].now + seconds, Kind.STALL_ENDS, host, 0)


@compiled
def stall_ends(world: World, host: int) -> None:
    """Give the cores back."""
    advance(world, host)
    r.hosts(world)[host].stalls -= 1
    _arm(world, host)


@compiled
def _begin(world: World, station: int, job: int) -> None:
    stations, jobs, hosts = r.stations(world), r.jobs(world), r.hosts(world)
    if stations[station].on_host >= stations[station].workers:  # counted by the host, where callers ask the station
        r.clock(world)[0].error = Broken.CAPACITY
        r.clock(world)[0].error_place = station
    jobs[job].next = NOBODY
    jobs[job].previous = stations[station].last
    if stations[station].last < 0:
        stations[station].first = job
    else:
        jobs[stations[station].last].next = job
    stations[station].last = job
    stations[station].serving_count += 1
    host = stations[station].host
    _enter(world, host, job)
    hosts[host].serving += 1


@compiled
def submit(world: World, station: int, seconds: float, frame: int) -> None:
    """Have ``seconds`` of CPU time done; the frame is told whether it was. Nobody waits where ``frame`` is NOBODY."""
    stations, jobs = r.stations(world), r.jobs(world)
    if stations[station].down:
        if frame >= 0:
            agenda.ready(world, Kind.RESUME, frame, 0)
        return
    tallies.came(world, stations[station].tally)
    free = r.frees(world)[Free.JOBS].first
    job = agenda.take(world, Free.JOBS, jobs[free].next)
    jobs[job].seconds = seconds
    jobs[job].finish = seconds
    jobs[job].entered = r.clock(world)[0].now
    jobs[job].place = NOBODY
    jobs[job].station = station
    jobs[job].frame = frame
    jobs[job].next = NOBODY
    if stations[station].paused or stations[station].serving_count >= stations[station].workers:
        if stations[station].waiting < 0:
            stations[station].waiting = job
        else:
            jobs[stations[station].waiting_last].next = job
        stations[station].waiting_last = job
        stations[station].waiting_count += 1
    else:
        _begin(world, station, job)


@compiled
def _takes_another(world: World, station: int) -> bool:
    one = r.stations(world)[station]
    return one.waiting >= 0 and one.paused == 0 and one.serving_count < one.workers


@compiled
def _next(world: World, station: int) -> None:
    stations, jobs = r.stations(world), r.jobs(world)
    while _takes_another(world, station):
        job = stations[station].waiting
        stations[station].waiting = jobs[job].next
        stations[station].waiting_count -= 1
        _begin(world, station, job)


@compiled
def _end(world: World, station: int, job: int, served: int) -> None:
    jobs = r.jobs(world)
    tallies.left(world, r.stations(world)[station].tally, jobs[job].entered)
    if jobs[job].frame >= 0:
        agenda.ready(world, Kind.RESUME, jobs[job].frame, served)
    jobs[job].next = agenda.give_back(world, Free.JOBS, job)


@compiled
def ring(world: World, host: int) -> None:
    """The host's next job has ended."""
    advance(world, host)
    one, jobs, stations = r.hosts(world), r.jobs(world), r.stations(world)
    job = one[host].top
    one[host].virtual = max(one[host].virtual, jobs[job].finish)
    _off(world, host, job)
    one[host].done += jobs[job].seconds
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
    one[host].serving -= 1
    if _takes_another(world, station):
        _next(world, station)
    else:  # else a job that begins arms the host
        _arm(world, host)
    _end(world, station, job, 1)


@compiled
def pause(world: World, station: int) -> None:
    """Stop all progress."""
    stations, jobs, hosts = r.stations(world), r.jobs(world), r.hosts(world)
    stations[station].paused += 1
    if stations[station].paused == 1:
        job = stations[station].first
        while job >= 0:
            _leave(world, stations[station].host, job)
            hosts[stations[station].host].serving -= 1
            job = jobs[job].next


@compiled
def resume(world: World, station: int) -> None:
    """Go on."""
    stations, jobs, hosts = r.stations(world), r.jobs(world), r.hosts(world)
    stations[station].paused -= 1
    if stations[station].paused == 0:
        job = stations[station].first
        while job >= 0:
            _enter(world, stations[station].host, job)
            hosts[stations[station].host].serving += 1
            job = jobs[job].next
        _next(world, station)


@compiled
def die(world: World, station: int) -> None:
    """Lose everything under way and refuse what comes, until `revive`."""
    stations, jobs, hosts = r.stations(world), r.jobs(world), r.hosts(world)
    stations[station].down += 1
    if stations[station].down > 1:
        return
    host = stations[station].host
    job = stations[station].first
    while job >= 0:
        if jobs[job].place >= 0:
            _leave(world, host, job)
            hosts[host].serving -= 1
        job = jobs[job].next
    for which in range(2):
        job = stations[station].first if which == 0 else stations[station].waiting
        while job >= 0:
            following = jobs[job].next
            _end(world, station, job, 0)
            job = following
    stations[station].first = NOBODY
    stations[station].last = NOBODY
    stations[station].serving_count = 0
    stations[station].waiting = NOBODY
    stations[station].waiting_count = 0


@compiled
def revive(world: World, station: int) -> None:
    """Take work again."""
    r.stations(world)[station].down -= 1
