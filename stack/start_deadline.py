"""The deadline for a process to become ready, which is longer while the process works, as on a busy machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stack.usage import cpu_seconds
from stack.watch import waits_for_the_machine

READY_SECONDS: Final = 40.0  # a process that is not ready by then, and is idle, has failed
WORKING_SECONDS: Final = 180.0  # a process that is still working has until then
LOOK_SECONDS: Final = 10.0  # over which its work is judged, once the first limit has passed
_IDLE_RATIO: Final = 0.02  # of a core: a process that only waits uses less


@dataclass(slots=True)
class StartDeadline:
    """The deadline of the start of process ``pid``, which began at the monotonic time ``began``."""

    pid: int
    began: float
    _until: float = 0.0
    _used_seconds: float = 0.0
    _used_at: float = 0.0

    def is_over(self, now: float) -> bool:
        """Whether the process has had its time at the monotonic time ``now``; ask at least every ten seconds."""
        if not self._until:
            self._until = self.began + READY_SECONDS
        if now - self._used_at >= LOOK_SECONDS:
            used, elapsed = cpu_seconds(self.pid), now - self._used_at
            if self._used_at and self._works(used - self._used_seconds, elapsed):
                self._until = max(self._until, now + LOOK_SECONDS)
            self._used_seconds, self._used_at = used, now
        return now > min(self._until, self.began + WORKING_SECONDS)

    def _works(self, used_seconds: float, elapsed: float) -> bool:
        return used_seconds > _IDLE_RATIO * elapsed or waits_for_the_machine(self.pid)
