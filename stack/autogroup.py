"""Switches off the kernel's automatic scheduling groups while something is measured.

With them on (the default on Debian) a core is divided among *sessions* first, and only then by class: every server has
a session of its own, so a loop of the idle class gets as large a share as Redis, and every process that wakes up waits
for the loop's slice to end. Measured on two virtual cores: feed reads at 60/s had p50 14.8 ms with groups and 5.4 ms
without; at 100/s half of them were refused, and none without. A process gets its group when it is forked, so this
affects only processes that are started afterwards. See sched(7), "The autogroup feature".
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SWITCH: Final = Path("/proc/sys/kernel/sched_autogroup_enabled")
#: Waits until its stdin is closed, which the kernel does for a process that is killed, and restores the switch.
_PUT_BACK: Final = f"read _; echo 1 > {SWITCH}"


def is_on() -> bool:
    """Whether a process that is forked now gets a group by its session; False for a kernel without groups."""
    try:
        return SWITCH.read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


@contextmanager
def off() -> Iterator[None]:
    """Start processes in the block without automatic groups, if we may (it takes root).

    The switch affects the whole machine. It is restored when the block ends and when we are killed; of two blocks at a
    time, by the one that began first.
    """
    if not is_on() or not _turn_off():
        yield
        return
    with subprocess.Popen(
        ["/bin/sh", "-c", _PUT_BACK],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not for it
    ):
        yield


def _turn_off() -> bool:
    try:
        SWITCH.write_text("0", encoding="ascii")
    except OSError:
        return False
    return True
