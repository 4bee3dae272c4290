"""Hosts and their cores in compiled code: `sim.reference.host`.

A core has no events of its own: `sim.compiled.due` holds the time at which its job ends or its queue is looked at.
"""

from __future__ import annotations

import math

from sim.compiled import agenda, due, run_queue
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.records import NOBODY, EventKind


@compiled
def settle(memory: Address, host: int) -> None:
    """Bring a host's accounts up to now, without those of its cores."""
    hosts, now = r.hosts(memory), r.clock(memory)[0].now
    elapsed = now - hosts[host].settled
    hosts[host].settled = now
    if hosts[host].stalls:
        hosts[host].stalled += elapsed
    else:
        hosts[host].possible += min(hosts[host].serving, hosts[host].cores) * elapsed


@compiled
def advance(memory: Address, core: int) -> None:
    """Bring the worker that runs on a core up to now."""
    cores, workers, hosts = r.cores(memory), r.workers(memory), r.hosts(memory)
    now = r.clock(memory)[0].now
    elapsed = now - cores[core].changed
    cores[core].changed = now
    worker, host = cores[core].running, cores[core].host
    if hosts[host].stalls or elapsed <= 0.0 or worker < 0 or workers[worker].job < 0:
        return
    run_queue.use(memory, core, elapsed)
    r.jobs(memory)[workers[worker].job].remaining -= elapsed
    hosts[host].given += elapsed
    r.processes(memory)[workers[worker].process].cpu += elapsed


@compiled
def enter(memory: Address, host: int, job: int, worker: int) -> None:
    """Let ``worker`` begin or resume a job."""
    hosts, cores, workers = r.hosts(memory), r.cores(memory), r.workers(memory)
    settle(memory, host)
    hosts[host].jobs += 1
    r.jobs(memory)[job].worker = worker
    workers[worker].job = job
    before = workers[worker].core
    if workers[worker].queued and not workers[worker].asleep:  # it has just ended another
        advance(memory, before)
        cores[before].jobs += 1
        arm(memory, before)
        return
    core = _core_for(memory, host, worker)
    if workers[worker].queued and core != before:
        advance(memory, before)
        run_queue.remove(memory, before, worker)
        arm(memory, before)
    _wake(memory, core, worker)


@compiled
def leave(memory: Address, host: int, job: int) -> None:
    """Take a job off before it is done; it keeps the seconds that remain."""
    hosts, cores, workers, jobs = r.hosts(memory), r.cores(memory), r.workers(memory), r.jobs(memory)
    worker = jobs[job].worker
    core = workers[worker].core
    settle(memory, host)
    advance(memory, core)
    hosts[host].jobs -= 1
    cores[core].jobs -= 1
    jobs[job].worker = NOBODY
    workers[worker].job = NOBODY
    run_queue.remove(memory, core, worker)
    hosts[host].done += jobs[job].seconds - jobs[job].remaining
    jobs[job].seconds = jobs[job].remaining
    _idle_or_arm(memory, core)


@compiled
def stall(memory: Address, host: int, seconds: float) -> None:
    """Take all cores away for a time; stalls may overlap."""
    _change_stalls(memory, host, 1)
    agenda.at(memory, r.clock(memory)[0].now + seconds, EventKind.STALL_ENDS, host, 0)


@compiled
def stall_ends(memory: Address, host: int) -> None:
    """Give the cores back."""
    _change_stalls(memory, host, -1)


@compiled
def _change_stalls(memory: Address, host: int, change: int) -> None:
    hosts = r.hosts(memory)
    settle(memory, host)
    first, following = hosts[host].first, hosts[host].first + hosts[host].cores
    for core in range(first, following):
        advance(memory, core)
    hosts[host].stalls += change
    for core in range(first, following):
        arm(memory, core)


@compiled
def end(memory: Address, core: int) -> int:
    """End the job of a core's worker; returns the job. Its station then gives the worker another, or calls `ended`."""
    hosts, cores, workers = r.hosts(memory), r.cores(memory), r.workers(memory)
    host, worker = cores[core].host, cores[core].running
    settle(memory, host)
    advance(memory, core)
    job = workers[worker].job
    workers[worker].job = NOBODY
    hosts[host].jobs -= 1
    cores[core].jobs -= 1
    hosts[host].done += r.jobs(memory)[job].seconds
    return int(job)


@compiled
def ended(memory: Address, core: int, is_kept: bool) -> None:
    """Let the worker of a core go to sleep, at once if no other waits and its station is not kept: else what waits for
    its last job may at once have more for it, and then it keeps the core."""
    cores, workers = r.cores(memory), r.workers(memory)
    if cores[core].first < 0 and not is_kept:
        run_queue.sleep(memory, core)
        _idle_or_arm(memory, core)
        return
    due.put(memory, r.clock(memory)[0].lanes_count + core, math.inf, 0)
    worker = cores[core].running
    if not workers[worker].ending:
        workers[worker].ending = 1
        agenda.ready(memory, EventKind.SLEEP, core, worker)


@compiled
def sleep(memory: Address, core: int, worker: int) -> None:
    """Let a worker go to sleep unless it has got more work since `ended`."""
    workers = r.workers(memory)
    workers[worker].ending = 0
    if workers[worker].core != core or not workers[worker].queued:
        return
    if workers[worker].asleep or workers[worker].job >= 0:
        return
    advance(memory, core)
    if r.cores(memory)[core].running == worker:
        run_queue.sleep(memory, core)
        _idle_or_arm(memory, core)
    else:
        run_queue.doze(memory, core, worker)
        arm(memory, core)


@compiled
def look(memory: Address, core: int) -> None:
    """Look at a core's queue at a tick."""
    advance(memory, core)
    run_queue.look(memory, core)
    arm(memory, core)


@compiled
def _core_for(memory: Address, host: int, worker: int) -> int:
    """The core that it was on if that is idle, else the first idle one, else the one that it was on."""
    hosts, cores, before = r.hosts(memory), r.cores(memory), r.workers(memory)[worker].core
    if before >= 0 and cores[before].running < 0:
        return int(before)
    first, following = hosts[host].first, hosts[host].first + hosts[host].cores
    if hosts[host].jobs <= hosts[host].cores:
        for core in range(first, following):
            if cores[core].running < 0:
                return int(core)
    if before >= 0:
        return int(before)
    best = first
    for core in range(first, following):
        if cores[core].jobs < cores[best].jobs:
            best = core
    return int(best)


@compiled
def _wake(memory: Address, core: int, worker: int) -> None:
    advance(memory, core)
    r.workers(memory)[worker].core = core
    r.cores(memory)[core].jobs += 1
    run_queue.wake(memory, core, worker)
    arm(memory, core)


@compiled
def _idle_or_arm(memory: Address, core: int) -> None:
    """Go on with a core whose worker may have gone; if it is idle, it takes a waiting worker from another core."""
    hosts, cores, workers = r.hosts(memory), r.cores(memory), r.workers(memory)
    host = cores[core].host
    if cores[core].running < 0 and hosts[host].cores > 1:
        busiest = hosts[host].first
        for other in range(hosts[host].first, hosts[host].first + hosts[host].cores):
            if cores[other].jobs > cores[busiest].jobs:
                busiest = other
        if cores[busiest].jobs > 1:
            advance(memory, busiest)
            worker = cores[busiest].first
            while workers[worker].job < 0:
                worker = workers[worker].next
            run_queue.remove(memory, busiest, worker)
            cores[busiest].jobs -= 1
            arm(memory, busiest)
            _wake(memory, core, worker)
            return
    arm(memory, core)


@compiled
def arm(memory: Address, core: int) -> None:
    """Work out when a core's job ends or its queue is looked at next."""
    cores, clock = r.cores(memory), r.clock(memory)
    source, worker = clock[0].lanes_count + core, cores[core].running
    if r.hosts(memory)[cores[core].host].stalls or worker < 0 or r.workers(memory)[worker].job < 0:
        due.put(memory, source, math.inf, 0)
        return
    seq = clock[0].seq
    clock[0].seq = seq + 1
    end_wait = max(0.0, r.jobs(memory)[r.workers(memory)[worker].job].remaining)
    look_wait = run_queue.next_look(memory, core)
    cores[core].ends = int(end_wait <= look_wait)
    due.put(memory, source, clock[0].now + min(end_wait, look_wait), seq)
