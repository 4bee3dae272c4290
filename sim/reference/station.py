"""Stations, which are workers with a queue, and pools of connections; both serve in order of arrival.

An event loop is a station with one worker: its jobs wait for each other even if cores are free (head-of-line blocking).
What has just been served there goes on before those that wait, until it waits for something else: a coroutine keeps the
loop as long as it does not suspend. Workers do CPU work on the station's host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import simpy

from core.policies.admission import INTERVAL_SECONDS, AdaptiveLimit, admits
from sim.reference.host import HostCpu, Job
from sim.reference.kernel import Kernel
from sim.reference.run_queue import Worker
from sim.results.laws import ModelError, VisitTally


@dataclass(slots=True, eq=False)
class _Visit:
    job: Job
    entered_seconds: float
    done: Callable[[bool], object]
    begun: Callable[[], None] | None = None
    task: object = None


class Station:
    """One process of the system, or the threads of one. Serves at most ``workers`` jobs at a time; ``process`` is its
    account on its host, and ``weight`` that of its workers there.

    The worker that was busy last takes the next job, as a stack of idle threads gives it.
    """

    def __init__(self, kernel: Kernel, host: HostCpu, *, name: str, process: int, workers: int, weight: float = 1.0):
        self.name, self.process, self.workers, self.weight = name, process, workers, weight
        self.tally = VisitTally(name, kernel.now)
        self._kernel, self._host = kernel, host
        self._waiting: deque[_Visit] = deque()
        self._serving: dict[Job, _Visit] = {}
        self._idle: list[Worker] = []
        self._down = 0
        self._paused = 0
        self._keeps: object = None  # the task that was just served, which may go on at once

    @property
    def host(self) -> HostCpu:
        """The host whose cores its workers use."""
        return self._host

    @property
    def up(self) -> bool:
        """Whether it accepts work; a paused process accepts work without doing it."""
        return self._down == 0

    @property
    def works(self) -> bool:
        """Whether it makes progress: it is up and not paused."""
        return self._down == 0 and self._paused == 0

    @property
    def is_kept(self) -> bool:
        """Whether a task that was just served may go on before those that wait."""
        return self._keeps is not None

    def serve(self, seconds: float, *, task: object = None, begun: Callable[[], None] | None = None) -> simpy.Event:
        """Do ``seconds`` of CPU work for ``task``; the event's value is False if the process died before it was done.

        ``begun`` is called when a worker begins.
        """
        event = self._kernel.event()
        self.submit(seconds, event.succeed, task=task, begun=begun)
        return event

    def submit(
        self,
        seconds: float,
        done: Callable[[bool], object],
        *,
        task: object = None,
        begun: Callable[[], None] | None = None,
    ) -> None:
        """Like `serve`, with a callback instead of an event."""
        if not self.up:
            done(False)
            return
        now = self._kernel.now
        self.tally.came(now)
        visit = _Visit(Job(self, seconds, seconds), now, done, begun, task)
        kept_by_other = self.is_kept and self._keeps is not task
        if self._paused or kept_by_other or len(self._serving) >= self.workers:
            self._waiting.append(visit)
        else:
            self._keeps = None
            self._begin(visit)

    def finished(self, job: Job) -> None:
        """Handle the end of ``job`` on the host."""
        visit = self._serving.pop(job)
        assert job.worker is not None
        self._idle.append(job.worker)
        if self.workers == 1 and self._waiting and visit.task is not None:
            self._keeps = visit.task
            self._end(visit, served=True)
            self._kernel.after(0.0, self._go_on)
        else:
            self._next()
            self._end(visit, served=True)

    def _go_on(self) -> None:
        """Serve those that wait, unless the last task has gone on."""
        self._keeps = None
        self._next()

    def pause(self) -> None:
        """Stop all progress (SIGSTOP); calls may overlap and end with as many `resume`."""
        self._paused += 1
        if self._paused == 1:
            for job in self._serving:
                self._leave(job)

    def resume(self) -> None:
        """Resume all progress (SIGCONT)."""
        self._paused -= 1
        if self._paused == 0:
            for job in self._serving:
                self._enter(job)
            self._next()

    def die(self) -> None:
        """Lose everything under way and refuse new work until `revive`."""
        self._down += 1
        if self._down > 1:
            return
        lost = [*self._serving.values(), *self._waiting]
        for job in self._serving:
            if job.worker is not None:
                self._leave(job)
        self._serving.clear()
        self._waiting.clear()
        self._keeps = None
        for visit in lost:
            self._end(visit, served=False)

    def revive(self) -> None:
        """Take work again."""
        self._down -= 1

    def found(self) -> int:
        """Number of jobs that wait or are served, counted one by one."""
        return len(self._waiting) + len(self._serving)

    def _begin(self, visit: _Visit) -> None:
        if len(self._serving) >= self.workers:
            raise ModelError("capacity", f"{self.name}: more than {self.workers} jobs in service")
        if visit.begun is not None:
            visit.begun()
        self._serving[visit.job] = visit
        self._enter(visit.job)

    def _enter(self, job: Job) -> None:
        self._host.enter(job, self._idle.pop() if self._idle else Worker(process=self.process, weight=self.weight))

    def _leave(self, job: Job) -> None:
        self._idle.append(self._host.leave(job))

    def _next(self) -> None:
        while self._waiting and not self._paused and len(self._serving) < self.workers:
            self._begin(self._waiting.popleft())

    def _end(self, visit: _Visit, *, served: bool) -> None:
        self.tally.left(self._kernel.now, entered_seconds=visit.entered_seconds)
        visit.done(served)


@dataclass(slots=True, eq=False)
class PoolClaim:
    """One caller's claim to a slot of a pool: it waits, then holds the slot, then gives it back; or gives up."""

    granted: simpy.Event
    entered_seconds: float
    held: bool = False
    over: bool = False


class BoundedPool:
    """Slots for the connections of one caller, or for requests under way; claims wait in order if all are in use."""

    def __init__(self, kernel: Kernel, *, name: str, size: int):
        self.name, self.size = name, size
        self.tally = VisitTally(name, kernel.now)
        self.taken = 0
        self._kernel = kernel
        self._waiting: deque[PoolClaim] = deque()

    @property
    def full(self) -> bool:
        """Whether a claim would have to wait."""
        return self.taken >= self.size

    def admits(self, *, urgent: bool) -> bool:
        """Whether one more request finds room."""
        return not self.full

    def began(self, since_seconds: float) -> None:
        """Take account of a request that is begun now and that has waited since then."""

    def claim(self) -> PoolClaim:
        """Claim a slot; ``claim.granted`` happens with True, or with False if the caller gave up before."""
        claim = PoolClaim(self._kernel.event(), self._kernel.now)
        self.tally.came(self._kernel.now)
        if self.full:
            self._waiting.append(claim)
        else:
            self._grant(claim)
        return claim

    def give_back(self, claim: PoolClaim) -> None:
        """End a claim, whether it holds a slot or still waits; a second call does nothing."""
        if claim.over:
            return
        claim.over = True
        self.tally.left(self._kernel.now, entered_seconds=claim.entered_seconds)
        if not claim.held:
            claim.granted.succeed(False)
            return
        self.taken -= 1
        while self._waiting and not self.full:
            following = self._waiting.popleft()
            if not following.over:
                self._grant(following)

    def found(self) -> int:
        """Number of claims that wait or hold a slot, counted one by one."""
        return self.taken + sum(not claim.over for claim in self._waiting)

    def _grant(self, claim: PoolClaim) -> None:
        claim.held = True
        self.taken += 1
        claim.granted.succeed(True)


class AdmissionPool(BoundedPool):
    """Slots for requests under way in one instance of a component; `core.policies.admission` may leave some empty."""

    def __init__(self, kernel: Kernel, *, name: str, size: int):
        super().__init__(kernel, name=name, size=size)
        self._limit = AdaptiveLimit(limit_max=size, until_seconds=kernel.now + INTERVAL_SECONDS)

    def admits(self, *, urgent: bool) -> bool:
        return not self.full and admits(self.taken, int(self._limit.limit), urgent)

    def began(self, since_seconds: float) -> None:
        now = self._kernel.now
        self._limit.began(waited_seconds=now - since_seconds, under_way=self.taken, now_seconds=now)
