"""How logins leave other requests alone: how many hashes at once, how many may wait, how long counting may take."""

from __future__ import annotations

from typing import Final

WAITING_MAX: Final = 64  # hashes asked for and not done, in one process
WAITING_EACH_MAX: Final = 32  # of these, those of one address
COUNT_SECONDS: Final = 0.5  # how long a login waits for Redis, before its attempts are counted in the process


def workers(cores: int) -> int:
    """Threads that hash on a machine with so many cores: at most half of them, and at least one."""
    return max(1, cores // 2)
