"""The rows of `windtunnel status`: what the supervisor wrote, checked against the operating system."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from records import alive
from stack import state, usage, watch
from stack.failure import StackFailure

#: States in which a process does not run, and is known not to.
_DEAD: Final = frozenset({"waiting", "died", "backing off", "held", "stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """One line of `windtunnel status`."""

    name: str
    pid: int
    state: str
    port: int
    rss_bytes: int
    cpu_seconds: float
    restarts: int
    uptime_seconds: float
    end: str  # how it last ended unexpectedly; empty: it never did
    end_said: str  # the last line of its log then
    end_at: float  # Unix time

    @property
    def is_up(self) -> bool:
        """Whether it is ready."""
        return self.state == "ready"


def status(data: Path) -> tuple[StatusRow, ...]:
    """Every process of the stack in ``data``; raises StackFailure when there never was one."""
    seen = state.read(data)
    if seen is None:
        raise StackFailure(f"there is no stack in {data}", hint="`windtunnel up` starts one")
    rows = []
    for process in seen.processes:
        is_up = alive.is_alive(process.pid, process.started_ticks)
        rows.append(
            StatusRow(
                name=process.name,
                pid=process.pid if is_up else 0,
                state=process.state if is_up or process.state in _DEAD else "gone",
                port=process.port,
                rss_bytes=usage.rss_bytes(process.pid) if is_up else 0,
                cpu_seconds=usage.cpu_seconds(process.pid) if is_up else 0.0,
                restarts=process.restarts,
                uptime_seconds=time.time() - process.started_at if is_up else 0.0,
                end=process.end,
                end_said=process.end_said,
                end_at=process.end_at,
            )
        )
    return tuple(rows)


def trouble(data: Path) -> tuple[str, ...]:
    """What is wrong with the stack in ``data`` apart from its processes; empty if nothing is."""
    seen, found = state.read(data), []
    pid = seen.supervisor_pid if seen is not None else 0
    if seen is not None and alive.is_alive(pid, seen.supervisor_ticks) and watch.stopped(pid):
        found.append(f"the supervisor (pid {pid}) is stopped by a signal: nothing watches the stack")
    free = shutil.disk_usage(data).free
    if free < state.DISK_FULL_BYTES:
        found.append(f"disk full: {free / 2**20:.0f} MiB free in {data}; writes are refused until there is space")
    return tuple(found)
