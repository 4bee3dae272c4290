"""The guard: parent of the supervisor, which makes sure that no process outlives it.

The kernel kills every process of a stack when the supervisor dies, but a grandchild (a backend of PostgreSQL, Varnish's
worker, a decoder of the media worker) has another parent. So the guard is a "child subreaper": all orphans below it
become its children, and when the supervisor has ended, for whatever reason, the guard kills what is left. It also holds
the read end of a pipe whose write end belongs to the process that started the stack: when that process dies, even by
SIGKILL, the pipe closes and the stack is stopped.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import time
from pathlib import Path
from typing import Final

from stack.launch import die_with_parent

_PR_SET_CHILD_SUBREAPER: Final = 36
_ORDERLY_SECONDS: Final = 3.0  # for an attached stack to stop when its owner is gone
_SIGNALLED_SECONDS: Final = 14.0  # for a requested stop, above the supervisor's own limit


def split(pipe: int, *, wipe: Path | None = None) -> None:
    """Fork: the child returns and becomes the supervisor, the parent stays here as its guard and never returns.

    ``pipe`` is a descriptor to watch, or -1; ``wipe`` is a folder to remove when the owner of its other end is gone.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        if pipe >= 0:
            os.close(pipe)
        die_with_parent(guard)
        return
    os._exit(_watch(child, pipe, wipe))


def _watch(child: int, pipe: int, wipe: Path | None) -> int:
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: asked.append(number))
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    supervisor = os.pidfd_open(child)
    poll = select.poll()
    poll.register(supervisor, select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    if pipe >= 0:
        poll.register(pipe, select.POLLIN)  # end of file is readable
    deadline: float | None = None
    orphaned = False
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        events = dict(poll.poll(None if left is None else left * 1000))
        if supervisor in events:
            break
        if pipe in events and os.read(pipe, 64) == b"":
            poll.unregister(pipe)
            orphaned = True
            asked.append(signal.SIGTERM)
            deadline = time.monotonic() + _ORDERLY_SECONDS
        if wake_read in events:
            os.read(wake_read, 64)
        if asked:
            asked.clear()
            os.kill(child, signal.SIGTERM)
            deadline = min(deadline or float("inf"), time.monotonic() + _SIGNALLED_SECONDS)
        if deadline is not None and time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            deadline = None
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _kill_orphans()
    if orphaned and wipe is not None:
        shutil.rmtree(wipe, ignore_errors=True)
    return code if code >= 0 else 128 - code


def _kill_orphans() -> None:
    """Kill and reap every child until there is none: killing one may give us its children."""
    while True:
        for pid in children_of(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def children_of(pid: int) -> list[int]:
    """Direct children of ``pid``, of all its threads."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - hundreds a second
    except (FileNotFoundError, ProcessLookupError):
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123 - hundreds a second
                found += [int(child) for child in file.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def family(pid: int) -> list[int]:
    """``pid`` and all its descendants."""
    found, todo = [], [pid]
    while todo:
        member = todo.pop()
        found.append(member)
        todo += children_of(member)
    return found
