"""Starts, watches and stops one process: the only module that handles pids of the stack.

Children are started from the supervisor's main thread only, because the kernel kills them when the thread that started
them ends. A pidfd reports the end of a child, so nothing polls.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from records.alive import ticks_of
from stack.command import Command

_LAUNCH: Final = str(Path(__file__).with_name("launch.py"))
_PASSED: Final = ("HOME", "USER", "LOGNAME", "TMPDIR", "PYTHONPATH", "PYTHONWARNINGS", "VIRTUAL_ENV", "SSL_CERT_FILE")
_MARK: Final = "---"  # begins a line of the supervisor in the log of another process
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(slots=True)
class Child:
    """A process that we started."""

    name: str
    popen: subprocess.Popen[bytes]
    started_at: float  # Unix time
    started_ticks: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    exit_code: int | None = None  # negative: the signal that ended it

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.popen.pid

    def how_it_ended(self) -> str:
        """For people."""
        if self.exit_code is None:
            return "still runs"
        if self.exit_code < 0:
            return f"killed by {signal.Signals(-self.exit_code).name}"
        return f"exit code {self.exit_code}"


def environment(command: Command) -> dict[str, str]:
    """The small environment that a process of the stack gets."""
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {"PATH": _PATH, "LANG": "C.UTF-8", "TZ": "UTC", **passed, **command.env}


def start(
    name: str,
    command: Command,
    log: Path,
    on_end: Callable[[Child], None],
    *,
    cores: tuple[int, ...] = (),
    niceness: int = 0,
) -> Child:
    """Start ``command`` pinned to ``cores`` (empty: not pinned yet), nicer than we are by ``niceness``.

    ``on_end`` is called when it has ended. Call from the main thread, in the event loop.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    launch = {
        "argv": command.argv,
        "cwd": str(command.cwd),
        "user": command.user,
        "cores": cores,
        "data_bytes": command.data_bytes,
        "idle": False,
        "niceness": niceness,
        "parent": os.getpid(),
    }
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [sys.executable, "-I", "-S", _LAUNCH, json.dumps(launch)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(command),
            start_new_session=True,
        )
    child = Child(name=name, popen=popen, started_at=time.time(), started_ticks=ticks_of(popen.pid))
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(popen.pid)

    def ended() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        child.exit_code = popen.wait()
        child.ended.set()
        on_end(child)

    loop.add_reader(descriptor, ended)
    return child


async def stop(child: Child, command: Command) -> bool:
    """Stop it by its own signal, and by SIGKILL if it takes too long; returns whether it ended by itself."""
    if child.exit_code is not None:
        return True
    _signal(child, command.stop_signal)
    try:
        async with asyncio.timeout(command.stop_seconds):
            await child.ended.wait()
    except TimeoutError:
        _signal(child, signal.SIGKILL)
        await child.ended.wait()
        return False
    return True


def _signal(child: Child, number: int) -> None:
    # Popen reaps only in ended(), in this same thread: the pid cannot have been reused yet
    if child.exit_code is None:
        os.kill(child.pid, number)


def pin(pids: Iterable[int], cores: tuple[int, ...]) -> None:
    """Pin every thread of ``pids`` to ``cores``, until there is no new one: threads inherit the pinning."""
    usable = set(cores) & os.sched_getaffinity(0)
    if not usable:
        return
    done: set[int] = set()
    while True:
        fresh = {int(path.name) for pid in pids for path in Path(f"/proc/{pid}/task").glob("[0-9]*")} - done
        if not fresh:
            return
        for thread in fresh:
            with suppress(ProcessLookupError):
                os.sched_setaffinity(thread, usable)
        done |= fresh


def last_words(log: Path) -> str:
    """The last line that the process itself wrote to its log, apart from stack frames."""
    for line in reversed(last_lines(log, 60)):
        if line.strip() and not line[0].isspace() and not line.startswith(_MARK):
            return line
    return ""


def mark(log: Path, text: str) -> None:
    """Add a line about the process to its log."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{_MARK} {now} supervisor: {text}\n")


def last_lines(log: Path, count: int = 12) -> list[str]:
    """The end of a log."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_384))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [line[:400] for line in lines[-count:]]
