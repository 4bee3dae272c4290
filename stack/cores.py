"""Keeps processor cores awake: an idle virtual core sleeps, and waking it is slow and varies.

With a busy loop of the lowest class (SCHED_IDLE) on each core of the stack, half a millisecond of waking does not get
into every answer time, and a request costs a third less CPU (measured: 523 to 350 µs). The loop yields to every other
process where automatic groups are off (see `stack.autogroup`); where they are on its group has the least weight, a
seventieth of another's. Do the same while calibrating and while measuring, and record it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LAUNCH: Final = str(Path(__file__).with_name("launch.py"))
_LOOP: Final = """
try:
    with open("/proc/self/autogroup", "w") as group:
        group.write("19")
except OSError:
    pass
while True:
    pass
"""


@contextmanager
def keep_awake(cores: Iterable[int]) -> Iterator[tuple[int, ...]]:
    """Keep ``cores`` busy with loops of the idle class for as long as the block runs; gives the cores that are.

    Cores that this process may not use are left out. The loops die with the calling *thread*, by the kernel's hand, so
    enter the block in a thread that lives as long as it: the main thread.
    """
    usable = tuple(sorted(set(cores) & os.sched_getaffinity(0)))
    loops: list[subprocess.Popen[bytes]] = []
    try:
        for core in usable:
            loops.append(_loop(core))  # noqa: PERF401 - those that were started are ended, also when the next one fails
        yield usable
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


def _loop(core: int) -> subprocess.Popen[bytes]:
    launch = {
        "argv": (sys.executable, "-I", "-S", "-c", _LOOP),
        "cwd": "/",
        "user": "",
        "cores": (core,),
        "data_bytes": 256 * 2**20,
        "idle": True,
        "parent": os.getpid(),
    }
    return subprocess.Popen(
        [sys.executable, "-I", "-S", _LAUNCH, json.dumps(launch)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
