"""Whether a process is still running."""

from __future__ import annotations

from pathlib import Path


def ticks_of(pid: int) -> int:
    """When the process ``pid`` started, in the kernel's ticks since boot; 0 when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    fields = text.rpartition(")")[2].split()
    return 0 if fields[0] in ("Z", "X") else int(fields[19])


def is_alive(pid: int, ticks: int) -> bool:
    """Whether the process that had ``pid`` at that time is still running."""
    return pid > 0 and ticks > 0 and ticks_of(pid) == ticks
