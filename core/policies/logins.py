"""Limits that keep logins from slowing other requests: concurrent hashes, queue length, time to count attempts."""

from __future__ import annotations

from typing import Final

WAITING_MAX: Final = 64  # hashes requested and not done, in one process
WAITING_EACH_MAX: Final = 32  # of these, for one address
COUNT_SECONDS: Final = 0.5  # how long a login waits for Redis before its attempts are counted in the process instead


def workers(cores: int) -> int:
    """Hashing threads on a machine with this many cores: at most half as many, and at least one."""
    return max(1, cores // 2)
