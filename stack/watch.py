"""The watch over running processes: which of them no longer answers, and whether it is frozen or merely busy.

A process is not restarted merely for a late answer: it may be busy, and a restart would make that worse. It is frozen
when a signal has stopped it, or when an answer is overdue and it uses no CPU, while none of its threads waits for a
core, for the disk, or for another server. A frozen process is restarted after `FROZEN_SECONDS`; one that works but does
not answer, after `SILENT_SECONDS`.

Times are counted in checks as well as in seconds: when the supervisor itself could not run, the silence of others
proves nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stack.guard import family
from stack.probe import Probe
from stack.usage import cpu_seconds

LOOK_SECONDS: Final = 0.2  # between two checks of one process
ASK_SECONDS: Final = 1.0  # between two requests to one process
OVERDUE_SECONDS: Final = 0.4  # if an answer takes longer, the process's CPU use is checked
IDLE_LOOKS: Final = 3  # checks in a row that find a late process idle before it counts as frozen: one may be chance
FROZEN_SECONDS: Final = 3.0  # a process that was frozen for this long is restarted
SILENT_SECONDS: Final = 60.0  # a process that works but has not answered for this long is restarted
BUSY_SECONDS: Final = 10.0  # a process that works but has not answered for this long is reported
_IDLE_RATIO: Final = 0.01  # of a core: the most that an idle process may use


class WatchResult(StrEnum):
    """The result of one check."""

    WELL = "well"
    BUSY = "busy"  # late, but working: no action
    FROZEN = "frozen"  # idle although an answer is overdue
    SILENT = "silent"  # works, but has not answered for long
    GONE = "gone"  # frozen or silent for so long that it must be restarted


@dataclass(slots=True)
class Watch:
    """The watch over one process ``pid`` and its descendants. Close it when the process ends."""

    pid: int
    probe: Probe
    asked_count: int = 0
    _asking: asyncio.Task[bool] | None = None
    _asked_at: float = 0.0  # time of the first unanswered request
    _next_at: float = 0.0
    _used_seconds: float = -1.0  # at the last check, while an answer is overdue
    _used_at: float = 0.0
    _stopped: bool = False  # by a signal
    _frozen_looks: int = 0
    _silent_looks: int = 0

    def look(self, now: float) -> WatchResult:
        """Check once, at the monotonic time ``now``; sends a request when one is due."""
        silent_seconds = self._silent(now)
        self._stopped = stopped(self.pid)
        if self._stopped:
            self._frozen_looks += 1
        elif silent_seconds < OVERDUE_SECONDS:
            self._frozen_looks, self._used_seconds = 0, -1.0
        else:
            self._frozen_looks = self._frozen_looks + 1 if self._is_idle(now) else 0
        self._silent_looks = self._silent_looks + 1 if silent_seconds >= OVERDUE_SECONDS else 0
        return self._judged(silent_seconds)

    def _judged(self, silent_seconds: float) -> WatchResult:
        if self._frozen_looks * LOOK_SECONDS >= FROZEN_SECONDS:
            return WatchResult.GONE
        if self._stopped or self._frozen_looks >= IDLE_LOOKS:
            return WatchResult.FROZEN
        if self._silent_looks * LOOK_SECONDS >= SILENT_SECONDS:
            return WatchResult.GONE
        if self._silent_looks * LOOK_SECONDS >= BUSY_SECONDS:
            return WatchResult.SILENT
        return WatchResult.WELL if silent_seconds < OVERDUE_SECONDS else WatchResult.BUSY

    def _silent(self, now: float) -> float:
        """How long an answer has been overdue; sends a request when none is pending."""
        if self._asking is not None and self._asking.done():
            answered, self._asking = self._asking.result(), None
            if answered:
                self._asked_at, self._next_at = 0.0, now + ASK_SECONDS
            else:
                self._next_at = now  # refused or cut off: the next request belongs to the same silence
        if self._asking is None and now >= self._next_at:
            self._asked_at = self._asked_at or now
            self.asked_count += 1
            self._asking = asyncio.get_running_loop().create_task(self.probe.answered())
        return now - self._asked_at if self._asked_at else 0.0

    def _is_idle(self, now: float) -> bool:
        if any(stopped(member) for member in family(self.pid)):
            return True
        if self.probe.may_wait:
            return False
        used, before, since = cpu_seconds(self.pid), self._used_seconds, now - self._used_at
        self._used_seconds, self._used_at = used, now
        return before >= 0.0 and used - before <= _IDLE_RATIO * since and not waits_for_the_machine(self.pid)

    def close(self) -> None:
        """Stop sending requests."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None


def end(pid: int) -> None:
    """Kill it with its descendants: frozen ones would keep its memory and ports."""
    for member in family(pid):
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def stopped(pid: int) -> bool:
    """Whether a signal has stopped it (SIGSTOP)."""
    return _letter(f"/proc/{pid}/stat") == "T"


def waits_for_the_machine(pid: int) -> bool:
    """Whether a thread of it, or of a descendant, waits for a core or for the disk."""
    for member in family(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in os.listdir(f"/proc/{member}/task"):  # noqa: PTH208 - as elsewhere in /proc
                if _letter(f"/proc/{member}/task/{thread}/stat") in ("R", "D"):
                    return True
    return False


def _letter(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - many a second
            return file.read().rpartition(b")")[2].split()[0].decode()
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return ""
