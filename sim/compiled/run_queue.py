"""The run queue of one core in compiled code: `sim.reference.run_queue`, whose rules these are.

Waiting workers, and those that are asleep in debt, are a list from ``first`` to ``last``.
"""

from __future__ import annotations

import math

from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.records import NOBODY
from sim.model.scheduler import AT_TICK, EQUAL_SECONDS


@compiled
def use(memory: Address, core: int, seconds: float) -> None:
    """Account for ``seconds`` of the core up to now; at ticks among them a deadline that is over is renewed."""
    workers, worker, clock = r.workers(memory), r.cores(memory)[core].running, r.clock(memory)[0]
    tick = math.floor(clock.now / clock.tick + AT_TICK) * clock.tick
    began = clock.now - seconds
    if tick > began:
        at_tick = workers[worker].virtual + (tick - began) / workers[worker].weight
        if at_tick >= workers[worker].deadline - EQUAL_SECONDS:
            workers[worker].deadline = at_tick + clock.slice / workers[worker].weight
        workers[worker].noted = at_tick
    workers[worker].virtual += seconds / workers[worker].weight


@compiled
def next_look(memory: Address, core: int) -> float:
    """Seconds until the tick at which the running worker may lose the core; infinite where no other waits."""
    cores, clock = r.cores(memory), r.clock(memory)[0]
    if cores[core].running < 0 or cores[core].first < 0:
        return math.inf
    worker = r.workers(memory)[cores[core].running]
    unprotected = clock.now + max(0.0, (worker.protected - worker.virtual) * worker.weight)
    number = max(math.ceil(unprotected / clock.tick - AT_TICK), math.floor(clock.now / clock.tick + AT_TICK) + 1)
    return number * clock.tick - clock.now


@compiled
def wake(memory: Address, core: int, worker: int) -> None:
    """Queue a worker that has work again, or that comes from another core; it may get the core at once."""
    cores, workers = r.cores(memory), r.workers(memory)
    running = cores[core].running
    if running < 0:
        workers[worker].virtual = 0.0
        workers[worker].deadline = r.clock(memory)[0].slice / workers[worker].weight
        workers[worker].queued = 1
        _run(memory, core, worker)
        return
    others = cores[core].waiting
    if workers[worker].asleep:
        workers[worker].asleep = 0
        others -= 1
        virtual = workers[running].virtual
        workers[running].virtual = workers[running].noted
        mean, _ = _mean(memory, core)
        if mean > workers[worker].virtual:
            _drop(memory, core, worker)
            workers[worker].lag = 0.0
            _place(memory, core, worker)
        workers[running].virtual = virtual
    else:
        workers[worker].queued = 1
        _place(memory, core, worker)
    _renew(memory, core)
    chosen = _choose(memory, core, running)
    if chosen == worker or (others and workers[running].virtual >= workers[running].protected - EQUAL_SECONDS):
        _switch(memory, core, chosen)


@compiled
def look(memory: Address, core: int) -> None:
    """Decide at a tick who runs."""
    _renew(memory, core)
    _switch(memory, core, _choose(memory, core, r.cores(memory)[core].running))


@compiled
def sleep(memory: Address, core: int) -> None:
    """The running worker has no more work; the next one runs."""
    cores, workers = r.cores(memory), r.workers(memory)
    worker = cores[core].running
    _renew(memory, core)
    workers[worker].lag = _lag(memory, core, worker)
    cores[core].running = NOBODY
    in_debt = workers[worker].lag < -EQUAL_SECONDS and cores[core].first >= 0
    workers[worker].queued = int(in_debt)
    workers[worker].asleep = int(in_debt)
    if in_debt:
        _append(memory, core, worker)
    _next(memory, core)


@compiled
def doze(memory: Address, core: int, worker: int) -> None:
    """A waiting worker, which lost the core after its last job, has no more work."""
    workers = r.workers(memory)
    workers[worker].lag = _lag(memory, core, worker)
    in_debt = workers[worker].lag < -EQUAL_SECONDS
    workers[worker].queued = int(in_debt)
    workers[worker].asleep = int(in_debt)
    if not in_debt:
        _drop(memory, core, worker)


@compiled
def remove(memory: Address, core: int, worker: int) -> None:
    """Take a worker out of the queue, whether it runs or waits."""
    cores, workers = r.cores(memory), r.workers(memory)
    workers[worker].lag = _lag(memory, core, worker)
    workers[worker].queued = 0
    workers[worker].asleep = 0
    if cores[core].running == worker:
        cores[core].running = NOBODY
        _next(memory, core)
    else:
        _drop(memory, core, worker)


@compiled
def _lag(memory: Address, core: int, worker: int) -> float:
    worker_row, clock = r.workers(memory)[worker], r.clock(memory)[0]
    limit = max(2.0 * clock.slice, clock.tick) / worker_row.weight
    mean, _ = _mean(memory, core)
    return max(-limit, min(limit, mean - worker_row.virtual))


@compiled
def _mean(memory: Address, core: int) -> tuple[float, float]:
    """The weighted mean of the virtual times, and the weight of all."""
    cores, workers = r.cores(memory), r.workers(memory)
    running, worker = cores[core].running, cores[core].first
    base, load, ahead = workers[running if running >= 0 else worker].virtual, 0.0, 0.0
    if running >= 0:
        load = workers[running].weight
    while worker >= 0:
        load += workers[worker].weight
        ahead += workers[worker].weight * (workers[worker].virtual - base)
        worker = workers[worker].next
    return base + ahead / load, load


@compiled
def _place(memory: Address, core: int, worker: int) -> None:
    workers = r.workers(memory)
    mean, load = _mean(memory, core)
    weight = workers[worker].weight
    workers[worker].virtual = mean - workers[worker].lag * (load + weight) / load
    workers[worker].deadline = workers[worker].virtual + r.clock(memory)[0].slice / weight
    _append(memory, core, worker)


@compiled
def _renew(memory: Address, core: int) -> None:
    workers, worker = r.workers(memory), r.cores(memory)[core].running
    if worker < 0:
        return
    workers[worker].noted = workers[worker].virtual
    if workers[worker].virtual >= workers[worker].deadline - EQUAL_SECONDS:
        workers[worker].deadline = workers[worker].virtual + r.clock(memory)[0].slice / workers[worker].weight


@compiled
def _choose(memory: Address, core: int, running: int) -> int:
    """The worker to run, or NOBODY; workers that are asleep and no longer in debt leave the queue."""
    cores, workers = r.cores(memory), r.workers(memory)
    while True:
        mean, _ = _mean(memory, core)
        best = NOBODY
        if running >= 0 and workers[running].virtual <= mean + EQUAL_SECONDS:
            if workers[running].virtual < workers[running].protected - EQUAL_SECONDS:
                return running
            best = running
        worker = cores[core].first
        while worker >= 0:
            slack = EQUAL_SECONDS if best == running else 0.0
            if workers[worker].virtual <= mean + EQUAL_SECONDS and (
                best < 0 or workers[worker].deadline < workers[best].deadline + slack
            ):
                best = worker
            worker = workers[worker].next
        if best == running or workers[best].asleep == 0:
            return best
        _drop(memory, core, best)
        workers[best].queued = 0
        workers[best].asleep = 0
        workers[best].lag = 0.0
        if running < 0 and cores[core].first < 0:
            return NOBODY


@compiled
def _next(memory: Address, core: int) -> None:
    if r.cores(memory)[core].first >= 0:
        chosen = _choose(memory, core, NOBODY)
        if chosen >= 0:
            _switch(memory, core, chosen)


@compiled
def _switch(memory: Address, core: int, worker: int) -> None:
    running = r.cores(memory)[core].running
    if worker == running:
        return
    if running >= 0:
        _append(memory, core, running)
    _drop(memory, core, worker)
    _run(memory, core, worker)


@compiled
def _run(memory: Address, core: int, worker: int) -> None:
    workers = r.workers(memory)
    r.cores(memory)[core].running = worker
    workers[worker].protected = workers[worker].deadline
    workers[worker].noted = workers[worker].virtual


@compiled
def _append(memory: Address, core: int, worker: int) -> None:
    cores, workers = r.cores(memory), r.workers(memory)
    last = cores[core].last
    workers[worker].next = NOBODY
    workers[worker].previous = last
    if last < 0:
        cores[core].first = worker
    else:
        workers[last].next = worker
    cores[core].last = worker
    cores[core].waiting += 1


@compiled
def _drop(memory: Address, core: int, worker: int) -> None:
    cores, workers = r.cores(memory), r.workers(memory)
    earlier, later = workers[worker].previous, workers[worker].next
    if earlier < 0:
        cores[core].first = later
    else:
        workers[earlier].next = later
    if later < 0:
        cores[core].last = earlier
    else:
        workers[later].previous = earlier
    cores[core].waiting -= 1
