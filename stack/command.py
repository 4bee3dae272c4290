"""How one process is started: what to run, as whom, where, on which cores and within how much memory."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One process to start. ``user`` is used only if we are root; otherwise it runs as our own user."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)  # added to a small fixed environment
    user: str = ""
    cores: tuple[int, ...] = ()  # empty: any
    data_bytes: int = 0  # RLIMIT_DATA: heap and private memory of each process; 0: unlimited
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 4.0  # until it is killed
