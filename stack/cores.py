"""Keeps processor cores awake: an idle virtual core sleeps, and waking it takes a long and variable time.

A busy loop of the lowest class (SCHED_IDLE) on each core of the stack saves half a millisecond of wake-up time in each
answer, and a third of the CPU time of a request (measured: 523 to 350 µs). The loop yields to every other process if
automatic groups are off (see `stack.autogroup`); if they are on, its group has the least weight, a seventieth of
another's. Use it both while calibrating and while measuring, and record it.
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
    """Keep ``cores`` busy with loops of the idle class while the block runs; yields the cores that are.

    Cores that this process may not use are left out. The kernel kills the loops when the calling *thread* ends, so
    enter the block in a thread that lives as long as it: the main thread.
    """
    usable = tuple(sorted(set(cores) & os.sched_getaffinity(0)))
    loops: list[subprocess.Popen[bytes]] = []
    try:
        for core in usable:
            loops.append(_loop(core))  # noqa: PERF401 - the loops that were started are ended even if the next one fails
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
        "niceness": 0,
        "parent": os.getpid(),
    }
    return subprocess.Popen(
        [sys.executable, "-I", "-S", _LAUNCH, json.dumps(launch)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
