"""Stations in compiled code: `sim.reference.station`."""

from __future__ import annotations

from sim.compiled import admission, agenda, cores, tallies
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.records import NOBODY, BrokenLaw, EventKind, TableId


@compiled
def _begin(memory: Address, station: int, job: int) -> None:
    stations, jobs, hosts = r.stations(memory), r.jobs(memory), r.hosts(memory)
    if stations[station].idle < 0:  # counted by its workers; callers ask the station
        r.clock(memory)[0].error = BrokenLaw.CAPACITY
        r.clock(memory)[0].error_row = station
        return
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
    _enter(memory, station, job)
    hosts[host].serving += 1


@compiled
def _enter(memory: Address, station: int, job: int) -> None:
    """Give a job to the worker that was busy last."""
    stations, workers = r.stations(memory), r.workers(memory)
    worker = stations[station].idle
    stations[station].idle = workers[worker].idle
    cores.enter(memory, stations[station].host, job, worker)


@compiled
def _leave(memory: Address, station: int, job: int) -> None:
    worker = r.jobs(memory)[job].worker
    cores.leave(memory, r.stations(memory)[station].host, job)
    _free(memory, station, worker)


@compiled
def _free(memory: Address, station: int, worker: int) -> None:
    stations = r.stations(memory)
    r.workers(memory)[worker].idle = stations[station].idle
    stations[station].idle = worker


@compiled
def _add_worker(memory: Address, station: int) -> None:
    """Add a worker, which works only once all others do."""
    stations, workers = r.stations(memory), r.workers(memory)
    worker = agenda.take(memory, TableId.WORKERS, workers)
    workers[worker].process = stations[station].process
    workers[worker].weight = stations[station].weight
    workers[worker].job = NOBODY
    workers[worker].core = NOBODY
    workers[worker].idle = NOBODY
    stations[station].made += 1
    last = stations[station].idle
    if last < 0:
        stations[station].idle = worker
        return
    while workers[last].idle >= 0:
        last = workers[last].idle
    workers[last].idle = worker


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
    jobs[job].remaining = seconds
    jobs[job].entered = r.clock(memory)[0].now
    jobs[job].worker = NOBODY
    jobs[job].station = station
    jobs[job].frame = frame
    jobs[job].pool = pool
    jobs[job].since = since
    jobs[job].next = NOBODY
    made = stations[station].made
    if made < stations[station].workers and made <= stations[station].serving_count + stations[station].waiting_count:
        _add_worker(memory, station)
    full = stations[station].serving_count >= stations[station].workers
    if stations[station].paused or full or _is_kept_from(memory, station, frame):
        if stations[station].waiting < 0:
            stations[station].waiting = job
        else:
            jobs[stations[station].waiting_last].next = job
        stations[station].waiting_last = job
        stations[station].waiting_count += 1
    else:
        stations[station].keeps = 0
        _begin(memory, station, job)


@compiled
def _serial(memory: Address, frame: int) -> int:
    return int(r.tasks(memory)[r.frames(memory)[frame].task].serial)


@compiled
def _is_kept_from(memory: Address, station: int, frame: int) -> bool:
    """Whether a station is kept for another task."""
    keeps = r.stations(memory)[station].keeps
    return keeps > 0 and (frame < 0 or keeps != _serial(memory, frame))


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
def ring(memory: Address, core: int) -> None:
    """The job of a core has ended, or its queue is looked at."""
    if not r.cores(memory)[core].ends:
        cores.look(memory, core)
        return
    job = cores.end(memory, core)
    jobs, stations, hosts, workers = r.jobs(memory), r.stations(memory), r.hosts(memory), r.workers(memory)
    station, worker = jobs[job].station, jobs[job].worker
    _free(memory, station, worker)
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
    hosts[stations[station].host].serving -= 1
    frame = jobs[job].frame
    is_kept = stations[station].workers == 1 and stations[station].waiting >= 0 and frame >= 0
    if is_kept:
        stations[station].keeps = _serial(memory, frame)
        _end(memory, station, job, 1)
        agenda.ready(memory, EventKind.GO_ON, station, 0)
    else:
        _next(memory, station)
        _end(memory, station, job, 1)
    if workers[worker].job < 0:
        cores.ended(memory, core, is_kept)


@compiled
def go_on(memory: Address, station: int) -> None:
    """Serve those that wait, unless the task that was served last has gone on."""
    r.stations(memory)[station].keeps = 0
    _next(memory, station)


@compiled
def pause(memory: Address, station: int) -> None:
    """Stop all progress."""
    stations, jobs, hosts = r.stations(memory), r.jobs(memory), r.hosts(memory)
    stations[station].paused += 1
    if stations[station].paused == 1:
        job = stations[station].first
        while job >= 0:
            _leave(memory, station, job)
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
            _enter(memory, station, job)
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
        if jobs[job].worker >= 0:
            _leave(memory, station, job)
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
    stations[station].keeps = 0


@compiled
def revive(memory: Address, station: int) -> None:
    """Take work again."""
    r.stations(memory)[station].down -= 1
