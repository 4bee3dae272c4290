"""Where the simulations of a study run: in this process, on processes of this machine, or on a Dask cluster.

Each runner takes tasks and yields readings as they are finished. Worker processes of this machine die with their
parent, even if it is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar

import psutil

from core.errors import UserError
from planning.simulations.readings import Reading
from planning.simulations.task import Setup, SimulationTask, work
from stack.launch import die_with_parent

#: After this time without a result, check whether the workers still run …
_ASK_SECONDS: Final = 5.0
#: … and end one that has used no processor time for this long, because it was stopped or is stuck.
_FROZEN_SECONDS: Final = 120.0
#: Advice when a worker of a study is gone.
CONTINUE: Final = "; finished simulations are kept, and the same command resumes"

Done = tuple[SimulationTask, Reading]
R = TypeVar("R")
#: What a worker does with a task; a function of a module, because the worker finds it by its name.
Work = Callable[[SimulationTask, Setup], R]


class Runner(Protocol):
    """Runs tasks."""

    def run(self, tasks: Sequence[SimulationTask], shared: Setup) -> Iterator[Done]:
        """Give each task's reading, in the order in which they are finished; raises UserError that names the task
        whose worker died or froze, or whose scenario cannot be simulated."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Here(Generic[R]):
    """Runs tasks in this process, one after the other."""

    def __init__(self, work: Work[R]):
        self._work = work

    def run(self, tasks: Sequence[SimulationTask], shared: Setup) -> Iterator[tuple[SimulationTask, R]]:
        """See `Runner`."""
        for task in tasks:
            try:
                found = self._work(task, shared)
            except ValueError as error:
                raise cannot(task, error) from error
            yield task, found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Inline(Here[Reading]):
    """A study in this process."""

    def __init__(self) -> None:
        super().__init__(work)


class Workers(Generic[R]):
    """Runs tasks on processes of this machine. Each process is its own pool, so that the task of one that dies or
    freezes is known; ``advice`` ends the error message in that case."""

    def __init__(self, workers: int, work: Work[R], *, advice: str = ""):
        self._lanes, self._advice = [_Lane(work) for _ in range(workers)], advice

    def run(self, tasks: Sequence[SimulationTask], shared: Setup) -> Iterator[tuple[SimulationTask, R]]:
        """See `Runner`. Call from one thread only: the workers end with it."""
        waiting, free = deque(tasks), list(self._lanes)
        running: dict[Future[R], tuple[_Lane[R], SimulationTask]] = {}
        while waiting or running:
            while waiting and free:
                lane, task = free.pop(), waiting.popleft()
                running[lane.submit(task, shared)] = (lane, task)
            finished = wait(running, timeout=_ASK_SECONDS, return_when=FIRST_COMPLETED).done
            for future, (lane, task) in running.items():
                if lane.is_frozen() and future not in finished:
                    raise _gone(
                        task, f"has used no processor time for {_FROZEN_SECONDS:g} s and was ended", self._advice
                    )
            for future in finished:
                lane, task = running.pop(future)
                free.append(lane)
                try:
                    found = future.result()
                except BrokenProcessPool as error:
                    raise died(task, self._advice) from error
                except ValueError as error:
                    raise cannot(task, error) from error
                except Exception as error:
                    error.add_note(f"while simulating {task.name}")
                    raise
                yield task, found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for lane in self._lanes:
            lane.stop()


class StudyPool(Workers[Reading]):
    """A study on processes of this machine."""

    def __init__(self, workers: int):
        super().__init__(workers, work, advice=CONTINUE)


@dataclass(slots=True)
class _Lane(Generic[R]):
    """One worker process, started when it is first needed."""

    work: Work[R]
    executor: ProcessPoolExecutor | None = None
    process: BaseProcess | None = None
    spent_seconds: float = -1.0  # processor time at the last check
    looked_seconds: float = 0.0  # when that was
    idle_seconds: float = 0.0

    def is_frozen(self) -> bool:
        """Whether the worker has used no processor time for `_FROZEN_SECONDS`, over many checks: after one long pause
        between two of them, both processes may have been stopped, by Ctrl-Z."""
        if self.process is None:
            return False
        try:
            times = psutil.Process(self.process.pid).cpu_times()
        except psutil.NoSuchProcess:  # its future says so
            return False
        now, spent = time.monotonic(), times.user + times.system
        passed = min(now - self.looked_seconds, 2 * _ASK_SECONDS)
        self.idle_seconds = self.idle_seconds + passed if spent == self.spent_seconds else 0.0
        self.looked_seconds, self.spent_seconds = now, spent
        return self.idle_seconds >= _FROZEN_SECONDS

    def submit(self, task: SimulationTask, shared: Setup) -> Future[R]:
        """Give it a task."""
        self.spent_seconds, self.idle_seconds = -1.0, 0.0
        if self.executor is not None:
            return self.executor.submit(self.work, task, shared)
        # spawn: a fork of a process with threads may hang, and a fork server would be a parent that outlives us
        context = multiprocessing.get_context("spawn")
        self.executor = ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(os.getpid(),))
        before = set(multiprocessing.active_children())
        with _ctrl_c_waits():
            future = self.executor.submit(self.work, task, shared)
            self.process = next(iter(set(multiprocessing.active_children()) - before), None)
        return future

    def stop(self) -> None:
        """End the worker at once, whatever it is doing."""
        if self.process is not None:
            self.process.kill()
        if self.executor is not None:
            self.executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Delay Ctrl-C until a worker has started: a worker that is interrupted before `_begin`, or with incomplete input,
    would print a traceback. A worker inherits the blocked signal; this process needs a handler too, because a signal
    goes to any thread that does not block it. Call from the main thread."""
    resource_tracker.ensure_running()  # otherwise the first start of a worker does it and unblocks the signal
    asked: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if asked:
            signal.raise_signal(signal.SIGINT)


def _begin(parent: int) -> None:
    """What a worker does first: it ignores Ctrl-C, which its parent handles, and dies with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(parent)


def died(task: SimulationTask, advice: str = CONTINUE) -> UserError:
    """The error for a worker that died while it simulated a task."""
    return _gone(task, "died (killed, or out of memory)", advice)


def _gone(task: SimulationTask, how: str, advice: str) -> UserError:
    return UserError(f"{task.name}: the worker that simulated it {how}{advice}", exit_code=3)


def cannot(task: SimulationTask, error: BaseException) -> UserError:
    """The error for a scenario that is valid and cannot be simulated."""
    return UserError(f"{task.name}: {error}")


def cores() -> int:
    """Processor cores that we may use."""
    return len(os.sched_getaffinity(0))
