"""Where a run comes from: commit, machine, time; what a reader needs to repeat it."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@cache
def commit() -> str:
    """Short commit of the code, with ``+`` if the work tree differs; ``unknown`` outside of git."""
    try:
        head = _git("rev-parse", "--short=10", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return head + ("+" if changed else "")


def machine() -> dict[str, str | int | float]:
    """Cores, memory, processor and kernel of this machine, without its name."""
    return {
        "cores": os.cpu_count() or 1,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "processor": _processor(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def now() -> str:
    """The current time, UTC, RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def new_id() -> str:
    """Name of a new run folder: the current time, UTC."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()
