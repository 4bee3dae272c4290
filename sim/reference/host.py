"""A host: its cores have a run queue each (`sim.reference.run_queue`), and an idle core takes work from a busy one.

A stall of the host is a vacation of all cores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from core.profile import CpuScheduler
from sim.reference.kernel import Kernel
from sim.reference.run_queue import RunQueue, Worker
from sim.results.accounts import HostAccount

#: How Linux shares cores unless a profile says otherwise.
_LINUX: Final = CpuScheduler()


class JobStation(Protocol):
    """A station, whose work a host does."""

    @property
    def is_kept(self) -> bool:
        """Whether the worker of the job that has just finished may be given more at once."""

    def finished(self, job: Job) -> None:
        """The host is done with ``job``."""


@dataclass(slots=True, eq=False)
class Job:
    """One piece of CPU work in service, the seconds that it needs, and the worker that does it."""

    station: JobStation
    seconds: float
    remaining_seconds: float
    worker: Worker | None = None


class HostCpu:
    """Cores of one machine. ``process`` numbers index the accounts of CPU time."""

    def __init__(self, kernel: Kernel, *, name: str, cores: int, processes: int, scheduler: CpuScheduler = _LINUX):
        self.name, self.cores = name, cores
        self._kernel = kernel
        self._queues = [RunQueue(scheduler) for _ in range(cores)]
        self._timers = [0] * cores
        self._changed_seconds = [kernel.now] * cores
        self._settled_seconds = kernel.now
        self._jobs = 0
        self._stalls = 0
        self.cpu_seconds = [0.0] * processes
        self.given_seconds = 0.0
        self.done_seconds = 0.0
        self.possible_seconds = 0.0
        self.stalled_seconds = 0.0

    def enter(self, job: Job, worker: Worker) -> None:
        """Let ``worker`` begin or resume a job."""
        self._settle_host()
        self._jobs += 1
        job.worker, worker.job = worker, job
        if worker.queued and not worker.asleep:  # it has just ended another
            self._advance(worker.core)
            self._queues[worker.core].jobs += 1
            self._arm(worker.core)
            return
        core = self._core_for(worker)
        if worker.queued and core != worker.core:
            self._advance(worker.core)
            self._queues[worker.core].remove(worker)
            self._arm(worker.core)
        self._wake(worker, core)

    def leave(self, job: Job) -> Worker:
        """Take a job off before it is done, which keeps the seconds that remain; returns its worker."""
        worker = job.worker
        assert worker is not None
        self._settle_host()
        self._advance(worker.core)
        self._jobs -= 1
        self._queues[worker.core].jobs -= 1
        job.worker, worker.job = None, None
        self._queues[worker.core].remove(worker)
        self.done_seconds += job.seconds - job.remaining_seconds
        job.seconds = job.remaining_seconds
        self._idle_or_arm(worker.core)
        return worker

    def stall(self, seconds: float) -> None:
        """Take all cores away for ``seconds``; stalls may overlap."""
        self.settle()
        self._stalls += 1
        self._arm_all()
        self._kernel.after(seconds, self._resume)

    def account(self) -> HostAccount:
        """The accounts up to now."""
        self.settle()
        workers = [each for queue in self._queues for each in (queue.running, *queue.waiting) if each is not None]
        inside = sum(each.job.seconds - each.job.remaining_seconds for each in workers if each.job is not None)
        return HostAccount(
            name=self.name,
            given_seconds=self.given_seconds,
            done_seconds=self.done_seconds + inside,
            possible_seconds=self.possible_seconds,
            stalled_seconds=self.stalled_seconds,
        )

    def settle(self) -> None:
        """Bring the accounts up to now."""
        self._settle_host()
        for core in range(self.cores):
            self._advance(core)

    def _resume(self) -> None:
        self.settle()
        self._stalls -= 1
        self._arm_all()

    def _settle_host(self) -> None:
        elapsed = self._kernel.now - self._settled_seconds
        self._settled_seconds = self._kernel.now
        if self._stalls:
            self.stalled_seconds += elapsed
        else:
            self.possible_seconds += min(self._jobs, self.cores) * elapsed

    def _advance(self, core: int) -> None:
        """Bring the worker that runs on a core up to now."""
        elapsed = self._kernel.now - self._changed_seconds[core]
        self._changed_seconds[core] = self._kernel.now
        worker = self._queues[core].running
        if self._stalls or elapsed <= 0.0 or worker is None or worker.job is None:
            return
        self._queues[core].use(elapsed, now=self._kernel.now)
        worker.job.remaining_seconds -= elapsed
        self.given_seconds += elapsed
        self.cpu_seconds[worker.process] += elapsed

    def _core_for(self, worker: Worker) -> int:
        """The core that it was on if that is idle, else the first idle one, else the one that it was on."""
        queues = self._queues
        if worker.core >= 0 and queues[worker.core].running is None:
            return worker.core
        if self._jobs <= self.cores:
            for core, queue in enumerate(queues):
                if queue.running is None:
                    return core
        if worker.core >= 0:
            return worker.core
        return min(range(self.cores), key=lambda core: queues[core].jobs)

    def _wake(self, worker: Worker, core: int) -> None:
        self._advance(core)
        worker.core = core
        self._queues[core].jobs += 1
        self._queues[core].wake(worker)
        self._arm(core)

    def _idle_or_arm(self, core: int) -> None:
        """Go on with a core whose worker may have gone; if it is idle, it takes a waiting worker from another core."""
        queues = self._queues
        if queues[core].running is None and self.cores > 1:
            busiest = max(range(self.cores), key=lambda each: queues[each].jobs)
            if queues[busiest].jobs > 1:
                self._advance(busiest)
                worker = next(each for each in queues[busiest].waiting if each.job is not None)
                queues[busiest].remove(worker)
                queues[busiest].jobs -= 1
                self._arm(busiest)
                self._wake(worker, core)
                return
        self._arm(core)

    def _arm_all(self) -> None:
        for core in range(self.cores):
            self._arm(core)

    def _arm(self, core: int) -> None:
        """Set a core's timer to the end of its job or to the next look at its queue; older timers are then invalid."""
        self._timers[core] += 1
        queue = self._queues[core]
        worker = queue.running
        if self._stalls or worker is None or worker.job is None:
            return
        end, look = max(0.0, worker.job.remaining_seconds), queue.next_look(self._kernel.now)
        ring = self._end if end <= look else self._look
        self._after(min(end, look), ring, core, self._timers[core])

    def _after(self, seconds: float, ring: Callable[[int], None], core: int, timer: int) -> None:
        self._kernel.after(seconds, lambda: ring(core) if timer == self._timers[core] else None)

    def _look(self, core: int) -> None:
        self._advance(core)
        self._queues[core].look()
        self._arm(core)

    def _end(self, core: int) -> None:
        self._settle_host()
        self._advance(core)
        queue = self._queues[core]
        worker = queue.running
        assert worker is not None
        assert worker.job is not None
        job, worker.job = worker.job, None
        self._jobs -= 1
        queue.jobs -= 1
        self.done_seconds += job.seconds
        job.station.finished(job)
        if not _is_idle(worker):
            return  # its station had more for it
        if queue.waiting or job.station.is_kept:
            # what waits for this job may at once have more for this worker, which then keeps the core
            self._timers[core] += 1
            self._kernel.after(0.0, lambda: self._sleep(core, worker))
        else:
            queue.sleep()
            self._idle_or_arm(core)

    def _sleep(self, core: int, worker: Worker) -> None:
        if worker.core != core or not worker.queued or worker.asleep or not _is_idle(worker):
            return
        self._advance(core)
        if self._queues[core].running is worker:
            self._queues[core].sleep()
            self._idle_or_arm(core)
        else:
            self._queues[core].doze(worker)
            self._arm(core)


def _is_idle(worker: Worker) -> bool:
    """Whether a worker has no job: for mypy, which does not know that a call may give it one."""
    return worker.job is None
