"""The state of a running stack (`stack.json` in its folder), and its history (`journal.jsonl`).

The supervisor writes both; everybody else reads. A pid alone is not an identity, because the kernel reuses it: each is
kept with the start time of its process.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from core import settings

FILE: Final = "stack.json"
JOURNAL: Final = "journal.jsonl"
LOCK: Final = "supervisor.lock"  # held by the supervisor of the folder
DISK_FULL_BYTES: Final = 64 * 2**20  # with less free a disk is full: PostgreSQL and Kafka allocate it in such pieces
RESERVE: Final = "reserve"  # space for state and journal on a full disk
RESERVE_BYTES: Final = 512 * 1024
PORTS: Final = "ports.json"  # kept in the folder from one start to the next


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """One process as the supervisor last saw it."""

    name: str
    pid: int  # 0 where it does not run
    started_ticks: int  # of the kernel, field 22 of /proc/PID/stat
    state: str  # waiting, starting, ready, unresponsive, paused, died, backing off, held, stopped
    port: int
    log: str
    restarts: int
    started_at: float  # Unix time
    end: str = ""  # how it last ended unexpectedly
    end_said: str = ""  # the last line of its log then
    end_at: float = 0.0  # Unix time


class StackState(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `stack.json`."""

    scenario: str
    scenario_path: str
    data: str
    state: str  # starting, running, stopping, stopped, failed
    supervisor_pid: int
    supervisor_ticks: int
    guard_pid: int
    started_at: float
    cores: tuple[int, ...]
    load_cores: tuple[int, ...]
    gateway_url: str
    media_url: str
    objects_url: str
    toxiproxy_url: str
    prometheus_url: str
    kafka: str
    redis: str
    postgres: tuple[str, ...]
    stores: dict[str, settings.Stores]  # by component, as it reaches them
    keys: settings.SecretSettings
    proxies: dict[str, tuple[str, ...]]  # names of Toxiproxy's proxies by link
    components: dict[str, tuple[str, ...]]  # base URLs of each component's instances, bypassing the gateway
    processes: tuple[ProcessState, ...]


def keep_reserve(data: Path) -> None:
    """Reserve a little space, so that a full disk can still be reported; does nothing while it is reserved."""
    path = data / RESERVE
    if not path.exists() or path.stat().st_size < RESERVE_BYTES:
        path.write_bytes(bytes(RESERVE_BYTES))


def free_reserve(data: Path) -> bool:
    """Free that space; returns whether there was any."""
    path = data / RESERVE
    held = path.exists() and path.stat().st_size > 0
    path.unlink(missing_ok=True)
    return held


def write(data: Path, state: StackState) -> None:
    """Replace `stack.json` atomically; only its owner can read it, because it contains secrets."""
    scratch = data / f".{FILE}.{os.getpid()}"
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(state), indent=2))
    scratch.replace(data / FILE)


def read(data: Path) -> StackState | None:
    """What the supervisor of ``data`` wrote last; None if there never was one."""
    try:
        return msgspec.json.decode((data / FILE).read_bytes(), type=StackState)
    except FileNotFoundError:
        return None


def write_ports(data: Path, ports: Mapping[str, int]) -> None:
    """Remember the ports of the stack in ``data``, so that its addresses stay the same."""
    (data / PORTS).write_text(json.dumps(ports, indent=2), encoding="utf-8")


def read_ports(data: Path) -> dict[str, int]:
    """The ports that the stack in ``data`` had last, by name; empty if there was none, or they cannot be read."""
    try:
        return msgspec.json.decode((data / PORTS).read_bytes(), type=dict[str, int])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def note(data: Path, event: str, values: Mapping[str, Any]) -> None:
    """Add one line to the journal."""
    line = json.dumps({"at": round(time.time(), 3), "event": event, **values}, ensure_ascii=False)
    with (data / JOURNAL).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
