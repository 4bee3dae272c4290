"""Sends signals to processes by their id, and checks in /proc that they took effect.

A pid alone is not an identity, because the kernel reuses it: each is kept with the start time of its process, and no
signal is ever sent to a process that only inherited the number.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: How long a process may take to end by itself before it is killed.
STOP_SECONDS: Final = 3.0
#: How long the kernel may take to show the effect of a signal.
SHOWN_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.005
_GONE: Final = "gone"
_DEAD: Final = ("Z", "X", _GONE)


class ProcessError(Exception):
    """A process does not exist, or did not obey a signal; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTarget:
    """One process, identified by its pid and its start time (kernel ticks since boot)."""

    name: str
    pid: int
    ticks: int

    @classmethod
    def of(cls, name: str, pid: int) -> ProcessTarget:
        """The process that is ``pid`` now; raises ProcessError when there is none."""
        found = _stat(pid)
        if found is None or found[0] in _DEAD:
            raise ProcessError(f"{name} (pid {pid}) does not run")
        return cls(name=name, pid=pid, ticks=found[1])

    @property
    def state(self) -> str:
        """Letter of /proc/PID/stat (R, S, T, Z …), or ``gone`` when it ended, even if its pid is in use again."""
        found = _stat(self.pid)
        return _GONE if found is None or found[1] != self.ticks else found[0]

    @property
    def is_dead(self) -> bool:
        """Whether it ended."""
        return self.state in _DEAD

    def send(self, number: signal.Signals) -> None:
        """Send a signal; does nothing when the process is gone."""
        if self.state != _GONE:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def pid_of(stack_file: Path, name: str) -> int:
    """The current pid of a process in a stack's file; raises ProcessError if it has none."""
    try:
        stack = json.loads(stack_file.read_bytes())
        found = next(int(process["pid"]) for process in stack["processes"] if process["name"] == name)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise ProcessError(f"{stack_file} has no pid of {name}") from error
    if found <= 0:
        raise ProcessError(f"{name} does not run")
    return found


def family(target: ProcessTarget) -> tuple[ProcessTarget, ...]:
    """``target`` and all its descendants, such as PostgreSQL's backends; parents first."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (found := _stat(int(folder.name))) is not None:
            children.setdefault(found[2], []).append(int(folder.name))
    members, queue = [target], [target.pid]
    while queue:
        for pid in children.get(queue.pop(), ()):
            with suppress(ProcessError):
                members.append(ProcessTarget.of(target.name, pid))
                queue.append(pid)
    return tuple(members)


async def kill(target: ProcessTarget) -> float:
    """End it with SIGKILL; returns the seconds until it was seen dead. Raises ProcessError."""
    target.send(signal.SIGKILL)
    return await _until(target, _DEAD, "be killed")


async def stop(target: ProcessTarget) -> float:
    """Ask it to end, and kill it when it does not within `STOP_SECONDS`; returns the seconds that took."""
    begin = time.monotonic()
    target.send(signal.SIGTERM)
    while not target.is_dead:
        if time.monotonic() - begin > STOP_SECONDS:
            await kill(target)
            break
        await asyncio.sleep(_POLL_SECONDS)
    return time.monotonic() - begin


async def pause(target: ProcessTarget) -> tuple[ProcessTarget, ...]:
    """Suspend it and its descendants; returns them, for `resume`. Raises ProcessError."""
    members = family(target)
    for member in members:
        member.send(signal.SIGSTOP)
    for member in members:
        await _until(member, ("T", "t", *_DEAD) if member is not target else ("T", "t"), "be paused")
    return members


def resume(members: tuple[ProcessTarget, ...]) -> None:
    """Resume paused processes, descendants first."""
    for member in reversed(members):
        member.send(signal.SIGCONT)


def hold(file: Path) -> None:
    """Tell the supervisor that looks for ``file`` to leave the process dead."""
    file.parent.mkdir(exist_ok=True)
    file.touch()


def release(file: Path) -> None:
    """Let the supervisor start it again; does nothing if it was not held."""
    file.unlink(missing_ok=True)


async def _until(target: ProcessTarget, states: tuple[str, ...], what: str) -> float:
    begin = time.monotonic()
    while target.state not in states:
        if time.monotonic() - begin > SHOWN_SECONDS:
            raise ProcessError(f"{target.name} (pid {target.pid}) cannot {what}: it is {target.state}")
        await asyncio.sleep(_POLL_SECONDS)
    return time.monotonic() - begin


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State, start time and parent of a process; None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19]), int(fields[1])
