"""The watch over processes that run: which of them no longer answers, and whether it is frozen or merely busy.

A process that is late with its answer is not restarted for that: a busy one is late, and restarting it makes all of it
worse. It is frozen when a signal has stopped it, or when it owes an answer and uses no processor at all, while none of
its threads waits for a core, for the disk, or for another server. A frozen process is started again after
`FROZEN_SECONDS`; one that works and answers nothing, after `SILENT_SECONDS`.

Times are counted in looks as well as in seconds: when the supervisor itself was kept from running, a silence of others
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

LOOK_SECONDS: Final = 0.2  # between two looks at one process
ASK_SECONDS: Final = 1.0  # between two questions to one process
OVERDUE_SECONDS: Final = 0.4  # an answer that takes longer makes us look at what the process does
IDLE_LOOKS: Final = 3  # in a row that find a late process idle before it counts as frozen: one may be chance
FROZEN_SECONDS: Final = 3.0  # a process that was frozen for this long is started again
SILENT_SECONDS: Final = 60.0  # one that works and has not answered for this long is started again
BUSY_SECONDS: Final = 10.0  # one that works and has not answered for this long is shown
_IDLE_RATIO: Final = 0.01  # of a core: what a process that does nothing may use


class WatchResult(StrEnum):
    """The result of one check."""

    WELL = "well"
    BUSY = "busy"  # late, and at work: nothing to do
    FROZEN = "frozen"  # does nothing
    SILENT = "silent"  # works, and has not answered for long
    GONE = "gone"  # frozen or silent for so long that it is to be started again


@dataclass(slots=True)
class Watch:
    """The watch over one process; ``pid`` is looked at with its descendants. Close it when the process ends."""

    pid: int
    probe: Probe
    asked_count: int = 0
    _asking: asyncio.Task[bool] | None = None
    _asked_at: float = 0.0  # the first question that is not answered
    _next_at: float = 0.0
    _used_seconds: float = -1.0  # at the last look, while an answer is overdue
    _used_at: float = 0.0
    _stopped: bool = False  # by a signal
    _frozen_looks: int = 0
    _silent_looks: int = 0

    def look(self, now: float) -> WatchResult:
        """Look once, at the monotonic time ``now``; asks when it is time to."""
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
        """For how long an answer is owed; asks when none is."""
        if self._asking is not None and self._asking.done():
            answered, self._asking = self._asking.result(), None
            if answered:
                self._asked_at, self._next_at = 0.0, now + ASK_SECONDS
            else:
                self._next_at = now  # refused or cut off: the next question belongs to the same silence
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
        """Ask no longer."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None


def end(pid: int) -> None:
    """Kill it with its descendants: what is frozen below it would hold on to its memory and ports."""
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
