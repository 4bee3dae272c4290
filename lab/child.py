"""Runs one of our own programs as a child: it dies with its parent, is pinned, reports progress, has a time limit."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError
from stack import launch

_STOP_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended, and the last line it reported."""

    exit_code: int
    last: dict[str, Any]
    log: Path


def run(
    module: str,
    arguments: Sequence[str],
    *,
    log: Path,
    timeout_seconds: float,
    cores: Sequence[int] = (),
    on_line: Callable[[dict[str, Any]], None] | None = None,
    meanwhile: Callable[[], str | None] | None = None,
    stop_when: Callable[[], bool] | None = None,
) -> Ended:
    """Run ``python -m module`` and return when it has ended.

    ``on_line`` gets each JSON line of its stdout. ``meanwhile`` is called about ten times a second; a reason that it
    returns ends everything with a UserError. ``stop_when`` asks the program to end early in an orderly way. Raises
    UserError when it took too long; the program is gone when this returns in any case. Call this from the main thread:
    the kernel ties the parent-death signal to the thread.
    """
    settings = {
        "argv": [sys.executable, "-m", module, *arguments],
        "cwd": str(Path.cwd()),
        "user": "",
        "cores": list(cores),
        "data_bytes": 0,
        "idle": False,
        "niceness": 0,
        "parent": os.getpid(),
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", launch.__file__, json.dumps(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(child, lines), daemon=True)
    reader.start()
    last: dict[str, Any] = {}
    deadline = time.monotonic() + timeout_seconds
    asked = False
    try:
        while True:
            try:
                last = lines.get(timeout=0.1)
                if on_line is not None:
                    on_line(last)
                continue
            except queue.Empty:
                pass
            if child.poll() is not None and not reader.is_alive() and lines.empty():
                return Ended(exit_code=child.returncode, last=last, log=log)
            if meanwhile is not None and (reason := meanwhile()) is not None:
                raise UserError(reason, exit_code=4)
            if stop_when is not None and not asked and stop_when():
                asked = True
                child.send_signal(signal.SIGTERM)
                deadline = min(deadline, time.monotonic() + _STOP_SECONDS)
            if time.monotonic() > deadline:
                raise UserError(f"{module} did not end within {timeout_seconds:.0f} s; its log is {log}", exit_code=4)
    finally:
        _stop(child)
        reader.join(timeout=1.0)


def last_lines(log: Path, count: int = 8) -> str:
    """The end of a log, for an error message."""
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
    return ""


def _read(child: subprocess.Popen[bytes], lines: queue.SimpleQueue[dict[str, Any]]) -> None:
    if child.stdout is None:
        return
    for line in child.stdout:
        with contextlib.suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                lines.put(value)


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.stdout is not None:
        child.stdout.close()
