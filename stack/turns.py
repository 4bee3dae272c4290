"""Measures how the kernel shares a core: the turns of busy processes, and how soon one that wakes up gets the core.

Two busy processes on one core take turns. A process that only reads the clock is interrupted at a tick of the kernel.
One that reads its own CPU time makes the kernel update its accounts at once, and is interrupted when its slice is used
up. So two measurements give both constants of `core.profile.CpuScheduler`, which needs no privilege.

Run as ``python -m stack.turns CORE`` it prints its result as JSON: `probe` runs it in a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from core.profile import CpuScheduler

#: Longer than any step of a loop that runs, shorter than any turn of another process.
_GAP_SECONDS_MIN: Final = 300e-6
_TURNS_SECONDS: Final = 1.2
_WAKE_UPS: Final = 250
_SLEEP_SECONDS: Final = 0.003
_TURNS_MIN: Final = 20
_STEPS: Final = 10_000


def _busy(look: Callable[[], int]) -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # whoever started it may be killed
        for _ in range(_STEPS):
            look()


@contextmanager
def _busy_process(look: Callable[[], int]) -> Iterator[None]:
    """A process that is busy on our core for the length of the block."""
    child = os.fork()
    if not child:
        try:
            _busy(look)
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _turns(look: Callable[[], int]) -> list[float]:
    """Lengths of our turns beside a busy process, where both call ``look`` all the time."""
    clock, turns = time.perf_counter, list[float]()
    with _busy_process(look):
        last = began = clock()
        end, first = began + _TURNS_SECONDS, True
        while last < end:
            look()
            now = clock()
            if now - last > _GAP_SECONDS_MIN:
                if not first:  # the first turn began before we looked
                    turns.append(last - began)
                began, first = now, False
            last = now
    return turns


def _wake_ups() -> list[float]:
    """How late we are after each of some sleeps, beside a busy process."""
    late = []
    with _busy_process(time.perf_counter_ns):
        for _ in range(_WAKE_UPS):
            due = time.perf_counter() + _SLEEP_SECONDS
            time.sleep(_SLEEP_SECONDS)
            late.append(time.perf_counter() - due)
    return late


def _whole(turns: list[float]) -> float:
    """The length of a turn that no third process cut short."""
    return statistics.quantiles(turns, n=10)[-1]


def measure(core: int) -> CpuScheduler:
    """Measure on ``core``, where this process then stays; raises OSError for no such core, and where processes do not
    take turns."""
    os.sched_setaffinity(0, {core})
    at_ticks, at_once = _turns(time.perf_counter_ns), _turns(time.thread_time_ns)
    if min(len(at_ticks), len(at_once)) < _TURNS_MIN:
        raise OSError(f"two busy processes on core {core} took {len(at_ticks)} and {len(at_once)} turns in a second")
    tick, used_up = _whole(at_ticks), _whole(at_once)
    late = statistics.quantiles(_wake_ups(), n=100)
    return CpuScheduler(
        tick_seconds=round(tick, 6),
        slice_seconds=round(min(tick, used_up), 6),
        wake_up_seconds=round(late[49], 6),
        wake_up_p99_seconds=round(late[98], 6),
    )


def probe(core: int) -> CpuScheduler:
    """`measure` in a process of its own; blocks for some seconds. Raises OSError where it cannot be measured."""
    done = subprocess.run(
        [sys.executable, "-m", "stack.turns", str(core)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        start_new_session=True,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise OSError(f"cannot measure turns on core {core}: {said[-1] if said else 'no message'}")
    return msgspec.json.decode(done.stdout, type=CpuScheduler)


if __name__ == "__main__":
    print(json.dumps(msgspec.to_builtins(measure(int(sys.argv[1])))))  # noqa: T201 - its result
