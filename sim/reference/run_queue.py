"""The run queue of one core: which worker runs, as Linux decides since version 6.6.

The policy is earliest eligible virtual deadline first (Stoica and Abdel-Wahab 1995). A worker's virtual time grows by
the CPU time that it uses over its weight. It is eligible while it is not ahead of the weighted mean of the queue, and
of the eligible workers the one with the earliest deadline runs; a deadline is one slice after the virtual time at which
it was set. What the kernel (`kernel/sched/fair.c`, 6.12 to 6.18) adds to this:

- It looks at the running worker at ticks only. Two busy workers therefore take turns of one tick, not of one slice.
- The running worker is protected until the deadline that it had when it began, but only while it is eligible.
- A worker that wakes up keeps the lag that it had when it went to sleep, so one that uses less than its share gets the
  core at once. One that has used more stays in the queue, asleep, until the mean has caught up. When it wakes up, the
  kernel decides on its debt by the virtual time that the running worker had at the last event or tick. So it is often
  put before the running worker, and then gets the core at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.profile import CpuScheduler
from sim.model.scheduler import AT_TICK, EQUAL_SECONDS

if TYPE_CHECKING:
    from sim.reference.host import Job


@dataclass(slots=True, eq=False)
class Worker:
    """A thread of a station, as the kernel knows it."""

    process: int  # the account of its CPU time
    weight: float  # 1 for a niceness of 0
    job: Job | None = None
    virtual: float = 0.0
    noted: float = 0.0  # `virtual` at the last event or tick of its core
    deadline: float = 0.0
    protected: float = 0.0  # virtual time until which it keeps the core while it is eligible
    lag: float = 0.0  # by how much the mean was ahead of it when it went to sleep
    core: int = -1  # where it is queued, or was last
    queued: bool = False
    asleep: bool = False  # queued because of its debt only; another one without a job may still get one at this instant


@dataclass(slots=True)
class RunQueue:
    """Workers of one core: the running one, and those that wait or are asleep."""

    scheduler: CpuScheduler
    running: Worker | None = None
    waiting: list[Worker] = field(default_factory=list)
    jobs: int = 0

    def use(self, seconds: float, *, now: float) -> None:
        """Account for ``seconds`` of the core up to ``now``; at ticks among them a deadline that is over is renewed."""
        worker = self.running
        assert worker is not None
        tick = math.floor(now / self.scheduler.tick_seconds + AT_TICK) * self.scheduler.tick_seconds
        began = now - seconds
        if tick > began:
            at_tick = worker.virtual + (tick - began) / worker.weight
            if at_tick >= worker.deadline - EQUAL_SECONDS:
                worker.deadline = at_tick + self.scheduler.slice_seconds / worker.weight
            worker.noted = at_tick
        worker.virtual += seconds / worker.weight

    def next_look(self, now: float) -> float:
        """Seconds until the tick at which the running worker may lose the core; infinite where no other waits."""
        worker, tick_seconds = self.running, self.scheduler.tick_seconds
        if worker is None or not self.waiting:
            return math.inf
        unprotected = now + max(0.0, (worker.protected - worker.virtual) * worker.weight)
        number = max(math.ceil(unprotected / tick_seconds - AT_TICK), math.floor(now / tick_seconds + AT_TICK) + 1)
        return number * tick_seconds - now

    def wake(self, worker: Worker) -> None:
        """Queue a worker that has work again, or that comes from another core; it may get the core at once."""
        if self.running is None:
            worker.virtual = 0.0
            worker.deadline = self.scheduler.slice_seconds / worker.weight
            worker.queued = True
            self._run(worker)
            return
        others = len(self.waiting)
        if worker.asleep:
            worker.asleep = False
            others -= 1
            virtual, self.running.virtual = self.running.virtual, self.running.noted
            if self._mean()[0] > worker.virtual:
                self.waiting.remove(worker)
                worker.lag = 0.0
                self._place(worker)
            self.running.virtual = virtual
        else:
            worker.queued = True
            self._place(worker)
        self._renew()
        chosen = self._choose(self.running)
        if chosen is worker or (others and self.running.virtual >= self.running.protected - EQUAL_SECONDS):
            self._switch(chosen)

    def look(self) -> None:
        """Decide at a tick who runs."""
        assert self.running is not None
        self._renew()
        self._switch(self._choose(self.running))

    def sleep(self) -> None:
        """The running worker has no more work; the next one runs."""
        worker = self.running
        assert worker is not None
        self._renew()
        worker.lag = self._lag(worker)
        self.running = None
        worker.queued = worker.asleep = worker.lag < -EQUAL_SECONDS and bool(self.waiting)
        if worker.asleep:
            self.waiting.append(worker)
        self._next()

    def doze(self, worker: Worker) -> None:
        """A waiting worker, which lost the core after its last job, has no more work."""
        worker.lag = self._lag(worker)
        worker.queued = worker.asleep = worker.lag < -EQUAL_SECONDS
        if not worker.asleep:
            self.waiting.remove(worker)

    def remove(self, worker: Worker) -> None:
        """Take a worker out of the queue, whether it runs or waits."""
        worker.lag = self._lag(worker)
        worker.queued = worker.asleep = False
        if worker is self.running:
            self.running = None
            self._next()
        else:
            self.waiting.remove(worker)

    def _lag(self, worker: Worker) -> float:
        limit = max(2.0 * self.scheduler.slice_seconds, self.scheduler.tick_seconds) / worker.weight
        return max(-limit, min(limit, self._mean()[0] - worker.virtual))

    def _mean(self) -> tuple[float, float]:
        """The weighted mean of the virtual times, and the weight of all."""
        workers = self.waiting if self.running is None else [self.running, *self.waiting]
        base, load, ahead = workers[0].virtual, 0.0, 0.0
        for worker in workers:
            load += worker.weight
            ahead += worker.weight * (worker.virtual - base)
        return base + ahead / load, load

    def _place(self, worker: Worker) -> None:
        mean, load = self._mean()
        # once it is in the queue it moves the mean, so that its lag is again what it was
        worker.virtual = mean - worker.lag * (load + worker.weight) / load
        worker.deadline = worker.virtual + self.scheduler.slice_seconds / worker.weight
        self.waiting.append(worker)

    def _renew(self) -> None:
        worker = self.running
        if worker is None:
            return
        worker.noted = worker.virtual
        if worker.virtual >= worker.deadline - EQUAL_SECONDS:
            worker.deadline = worker.virtual + self.scheduler.slice_seconds / worker.weight

    def _choose(self, running: Worker | None) -> Worker:
        """The worker to run; workers that are asleep and no longer in debt leave the queue."""
        while True:
            mean, _ = self._mean()
            best = None
            if running is not None and running.virtual <= mean + EQUAL_SECONDS:
                if running.virtual < running.protected - EQUAL_SECONDS:
                    return running
                best = running
            for worker in self.waiting:
                slack = EQUAL_SECONDS if best is running else 0.0  # at the same time it is another's turn
                if worker.virtual <= mean + EQUAL_SECONDS and (best is None or worker.deadline < best.deadline + slack):
                    best = worker
            assert best is not None  # not all are ahead of their mean
            if best is running or not best.asleep:
                return best
            self.waiting.remove(best)
            best.queued, best.asleep, best.lag = False, False, 0.0
            if running is None and not self.waiting:
                return best

    def _next(self) -> None:
        if not self.waiting:
            return
        chosen = self._choose(None)
        if chosen.queued:
            self._switch(chosen)

    def _switch(self, worker: Worker) -> None:
        if worker is self.running:
            return
        if self.running is not None:
            self.waiting.append(self.running)
        self.waiting.remove(worker)
        self._run(worker)

    def _run(self, worker: Worker) -> None:
        self.running, worker.protected, worker.noted = worker, worker.deadline, worker.virtual
