"""A host: all jobs share its cores equally, as an operating system's scheduler does on average.

Egalitarian processor sharing over c cores: each of n jobs in service progresses at rate min(1, c / n); a stall of the
host is a vacation of all cores. The state is in virtual time (Parekh and Gallager 1993): V grows at that rate, and a
job that enters at V and needs x seconds is done when V reaches V + x, so nothing is recomputed for other jobs.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Protocol

from sim.reference.kernel import Kernel
from sim.results.accounts import HostAccount


class Worker(Protocol):
    """A station, whose work a host does."""

    process: int  # the account of its CPU time

    def finished(self, job: Job) -> None:
        """The host is done with ``job``."""


@dataclass(slots=True, eq=False)
class Job:
    """One piece of CPU work in service: the seconds it needs, and when it is done in the host's virtual time."""

    station: Worker
    seconds: float
    remaining_seconds: float
    finish: float = 0.0
    entry_number: int = -1  # of its valid entry in the host's heap; < 0 when it is not on the host


class HostCpu:
    """Cores of one machine. ``process`` numbers index the accounts of CPU time."""

    def __init__(self, kernel: Kernel, *, name: str, cores: int, processes: int):
        self.name, self.cores = name, cores
        self._kernel = kernel
        self._virtual = 0.0
        self._changed_seconds = kernel.now
        self._heap: list[tuple[float, int, Job]] = []
        self._entered = 0
        self._active = 0
        self._busy = [0] * processes  # jobs in service by process
        self._stalls = 0
        self._timer = 0
        self.cpu_seconds = [0.0] * processes
        self.given_seconds = 0.0
        self.done_seconds = 0.0
        self.possible_seconds = 0.0
        self.stalled_seconds = 0.0

    def enter(self, job: Job) -> None:
        """Begin or resume a job."""
        self.settle()
        job.finish = self._virtual + job.remaining_seconds
        job.entry_number = self._entered
        heapq.heappush(self._heap, (job.finish, job.entry_number, job))
        self._entered += 1
        self._active += 1
        self._busy[job.station.process] += 1
        self._arm()

    def leave(self, job: Job) -> None:
        """Take a job off before it is done; it keeps the seconds that remain."""
        self.settle()
        job.remaining_seconds = max(0.0, job.finish - self._virtual)
        self._off(job)
        self.done_seconds += job.seconds - job.remaining_seconds
        job.seconds = job.remaining_seconds
        self._arm()

    def stall(self, seconds: float) -> None:
        """Take all cores away for ``seconds``; stalls may overlap."""
        self.settle()
        self._stalls += 1
        self._arm()
        self._kernel.after(seconds, self._resume)

    def account(self) -> HostAccount:
        """The accounts up to now."""
        self.settle()
        inside = sum(
            j.seconds - max(0.0, j.finish - self._virtual)
            for _, entry_number, j in self._heap
            if j.entry_number == entry_number
        )
        return HostAccount(
            name=self.name,
            given_seconds=self.given_seconds,
            done_seconds=self.done_seconds + inside,
            possible_seconds=self.possible_seconds,
            stalled_seconds=self.stalled_seconds,
        )

    def _resume(self) -> None:
        self.settle()
        self._stalls -= 1
        self._arm()

    def _rate(self) -> float:
        if self._stalls or not self._active:
            return 0.0
        return min(1.0, self.cores / self._active)

    def settle(self) -> None:
        """Bring the accounts up to now."""
        elapsed = self._kernel.now - self._changed_seconds
        if elapsed <= 0.0:
            return
        self._changed_seconds = self._kernel.now
        if self._stalls:
            self.stalled_seconds += elapsed
            return
        self.possible_seconds += min(sum(self._busy), self.cores) * elapsed
        step = self._rate() * elapsed
        if step:
            self._virtual += step
            self.given_seconds += self._active * step
            for process, jobs in enumerate(self._busy):
                if jobs:
                    self.cpu_seconds[process] += jobs * step

    def _arm(self) -> None:
        """Set the timer to the next end of a job; older timers are then invalid."""
        self._timer += 1
        while self._heap and self._heap[0][2].entry_number != self._heap[0][1]:
            heapq.heappop(self._heap)
        rate = self._rate()
        if not rate:
            return
        timer = self._timer
        wait = max(0.0, self._heap[0][0] - self._virtual) / rate
        self._kernel.after(wait, lambda: self._ring(timer))

    def _ring(self, timer: int) -> None:
        if timer != self._timer:
            return
        self.settle()
        finish, _, job = heapq.heappop(self._heap)
        self._virtual = max(self._virtual, finish)  # the division in `_arm` may be short by a rounding error
        self._off(job)
        self.done_seconds += job.seconds
        self._arm()
        job.station.finished(job)

    def _off(self, job: Job) -> None:
        job.entry_number = -1
        self._active -= 1
        self._busy[job.station.process] -= 1
