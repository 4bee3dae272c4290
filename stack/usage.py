"""CPU time and memory of the stack's processes, from the operating system's accounting.

`/proc/PID/task/*/schedstat` counts nanoseconds on a core, without waiting, and more precisely than `/proc/PID/stat`,
which counts hundredths of a second. It forgets threads and children that have ended, and reading a process's children
may miss one that is just being started or reaped; so for differences use an `Accounting`, which remembers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from records.alive import ticks_of
from stack.guard import family


class Running(Protocol):
    """A stack that knows its pids, such as `stack.control.RunningStack`."""

    @property
    def processes(self) -> Mapping[str, int]:
        """Pids by name."""


def usage(running: Running) -> dict[str, float]:
    """CPU seconds so far of every process of the stack by name, with its threads and descendants."""
    return {name: cpu_seconds(pid) for name, pid in running.processes.items()}


class Accounting:
    """CPU seconds that never decrease: a thread that has ended keeps what it had used when last seen."""

    def __init__(self) -> None:
        self._last: dict[str, dict[tuple[int, str], int]] = {}
        self._gone: dict[str, int] = {}
        self._members: set[int] = set()
        self._began_ticks = _now_ticks()

    def read(self, running: Running) -> dict[str, float]:
        """CPU seconds of every process by name since the machine started; a restarted process continues to count."""
        for name, pid in running.processes.items():
            last = self._last.setdefault(name, {})
            for member in family(pid):
                # older than this object and not seen before: it was missed, so what it has used so far is not new
                missed = member not in self._members and ticks_of(member) < self._began_ticks and bool(last)
                self._members.add(member)
                for thread, nanoseconds in _nanoseconds_by_thread(member):
                    key = (member, thread)
                    if missed:
                        self._gone[name] = self._gone.get(name, 0) - nanoseconds
                    if nanoseconds < last.get(key, 0):  # the kernel gave the number to another thread
                        self._gone[name] = self._gone.get(name, 0) + last[key]
                    last[key] = nanoseconds
        return {name: (self._gone.get(name, 0) + sum(last.values())) / 1e9 for name, last in self._last.items()}


def _now_ticks() -> int:
    """The present time in the kernel's ticks since boot, as in field 22 of ``/proc/PID/stat``."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def cpu_seconds(pid: int) -> float:
    """CPU seconds of ``pid``, its threads and its descendants; 0 when it is gone."""
    return sum(used for member in family(pid) for _, used in _nanoseconds_by_thread(member)) / 1e9


def _nanoseconds_by_thread(pid: int) -> Iterator[tuple[str, int]]:
    for thread in _threads(pid):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as file:  # noqa: PTH123 - hundreds a second
                yield thread, int(file.read().split()[0])
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - hundreds a second
    except (FileNotFoundError, ProcessLookupError):
        return []


def rss_bytes(pid: int) -> int:
    """Resident memory of ``pid`` and its descendants, with the proportional share of shared pages."""
    total = 0
    for member in family(pid):
        try:
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return total
