"""CPU time and memory of the stack's processes, from the operating system's accounting.

`/proc/PID/task/*/schedstat` counts nanoseconds on a core: no waiting is in it, and it is exact where `/proc/PID/stat`
is in hundredths of a second. It forgets threads and children that have ended, so differences are taken over processes
that live through the measurement.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from stack.guard import family


class Running(Protocol):
    """A stack that tells its pids, such as `stack.control.RunningStack`."""

    @property
    def processes(self) -> Mapping[str, int]:
        """Pids by name."""


def usage(running: Running) -> dict[str, float]:
    """CPU seconds so far of every process of the stack by name, with its threads and descendants."""
    return {name: cpu_seconds(pid) for name, pid in running.processes.items()}


def cpu_seconds(pid: int) -> float:
    """CPU seconds of ``pid``, its threads and its descendants; 0 when it is gone."""
    return sum(_own_nanoseconds(member) for member in family(pid)) / 1e9


def _own_nanoseconds(pid: int) -> int:
    total = 0
    for thread in _threads(pid):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as file:  # noqa: PTH123 - hundreds a second
                total += int(file.read().split()[0])
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue
    return total


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - hundreds a second
    except (FileNotFoundError, ProcessLookupError):
        return []


def rss_bytes(pid: int) -> int:
    """Resident memory of ``pid`` and its descendants; shared pages count once, by proportional share where told."""
    total = 0
    for member in family(pid):
        try:
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return total
