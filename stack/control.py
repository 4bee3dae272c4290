"""Controls a stack for the rest of the product: up, down, status, read.

A stack lives in one folder. An *attached* stack ends with the process that called `up`, even if that is killed: its
guard holds the other end of a pipe of ours. A detached one stays until `down`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core import settings
from core.names import Component, Server
from records import alive
from stack import state
from stack.failure import StackFailure
from stack.holds import hold, release
from stack.status import StatusRow, status, trouble

__all__ = [
    "RunningStack",
    "StackFailure",
    "StatusRow",
    "default_data",
    "down",
    "hold",
    "read",
    "release",
    "status",
    "trouble",
    "undisturbed",
    "up",
]

SUPERVISOR_LOG: Final = "logs/supervisor.log"
_DOWN_SECONDS: Final = 16.0
_UP_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    """A stack that is up. ``state`` is what its supervisor wrote; `refresh` reads it again (pids change)."""

    data: Path
    state: state.StackState
    seconds_to_start: float = 0.0
    lifeline: int = -1  # write end of the guard's pipe, if attached

    @property
    def gateway_url(self) -> str:
        """Base URL of the public API's host, without ``/api/v1``."""
        return self.state.gateway_url

    @property
    def media_url(self) -> str:
        """Base URL of the CDN's edge, without ``/media``."""
        return self.state.media_url

    @property
    def objects_url(self) -> str:
        """Base URL of the S3 server as clients reach it."""
        return self.state.objects_url

    @property
    def toxiproxy_url(self) -> str:
        """Base URL of Toxiproxy's API."""
        return self.state.toxiproxy_url

    @property
    def prometheus_url(self) -> str:
        """Base URL of Prometheus."""
        return self.state.prometheus_url

    @property
    def kafka(self) -> str:
        """Bootstrap address of the log, bypassing all proxies."""
        return self.state.kafka

    @property
    def redis(self) -> tuple[str, int]:
        """Host and port of Redis, bypassing all proxies."""
        host, _, port = self.state.redis.partition(":")
        return host, int(port)

    @property
    def postgres(self) -> tuple[str, ...]:
        """DSNs of the physical instances, bypassing all proxies."""
        return self.state.postgres

    @property
    def proxies(self) -> Mapping[str, tuple[str, ...]]:
        """Names of Toxiproxy's proxies by link."""
        return self.state.proxies

    @property
    def components(self) -> Mapping[str, tuple[str, ...]]:
        """Base URLs of each component's instances, bypassing the gateway."""
        return self.state.components

    @property
    def keys(self) -> settings.SecretSettings:
        """Secrets as auth gets them: paths of the JWT's key files, and the key that signs cursors."""
        return self.state.keys

    def stores(self, component: Component) -> settings.Stores:
        """Addresses of its stores as ``component`` reaches them, through a proxy if the link is proxied."""
        return self.state.stores[component]

    @property
    def processes(self) -> Mapping[str, int]:
        """Pids by name; processes that do not run are left out."""
        return {process.name: process.pid for process in self.state.processes if process.pid}

    @property
    def cores(self) -> tuple[int, ...]:
        """Cores that the stack is pinned to."""
        return self.state.cores

    @property
    def is_alive(self) -> bool:
        """Whether its supervisor still runs."""
        return alive.is_alive(self.state.supervisor_pid, self.state.supervisor_ticks)

    def refresh(self) -> RunningStack:
        """The same stack as it is now; raises StackFailure when it is gone."""
        found = read(self.data)
        return RunningStack(
            data=self.data, state=found.state, seconds_to_start=self.seconds_to_start, lifeline=self.lifeline
        )

    def stop(self, *, wipe: bool = False) -> None:
        """Stop it; ``wipe`` removes its data."""
        down(self.data, wipe=wipe)
        if self.lifeline >= 0:
            with suppress(OSError):
                os.close(self.lifeline)


def default_data(name: str) -> Path:
    """Where a stack called ``name`` lives unless another folder is given.

    For root that is /var/lib/windtunnel: PostgreSQL does not run as root, and its own user cannot enter /root. For
    other users it is in their state folder.
    """
    folder = os.environ.get("XDG_STATE_HOME")
    if folder:
        return Path(folder) / "windtunnel" / name
    if os.geteuid() == 0:
        return Path("/var/lib/windtunnel") / name
    return Path.home() / ".local" / "state" / "windtunnel" / name


def up(
    scenario_path: Path,
    data: Path,
    *,
    attached: bool,
    wipe: bool = False,
    services: bool = True,
    servers: tuple[Server, ...] = (),
    ports: Mapping[str, int] | None = None,
    free_bytes_min: int | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> RunningStack:
    """Start the stack of a scenario in ``data`` and wait until all processes answer; raises StackFailure.

    ``progress`` gets events ``{"event": "starting" | "ready", "name": …}``. ``servers`` limits which servers run
    (empty: all), ``ports`` requests certain ports, ``wipe`` removes the folder of an attached stack when its owner is
    gone. After a failure nothing is left running; a start that is interrupted removes the folder that it created.
    """
    data = data.absolute()
    made = _first_missing(data)
    arguments = ["--scenario", str(scenario_path), "--data", str(data)]
    arguments += [f"--port={name}={port}" for name, port in (ports or {}).items()]
    arguments += ["--servers=" + ",".join(servers)] if servers else []
    arguments += [] if services else ["--no-services"]
    arguments += ["--wipe"] if wipe else []
    arguments += [f"--free-bytes-min={free_bytes_min}"] if free_bytes_min is not None else []
    pid, lines, lifeline = _spawn(arguments, data, attached)
    try:
        seconds = _follow(lines, progress)
    except BaseException as error:
        # an interrupted start must leave nothing behind either, even after a second Ctrl-C
        with undisturbed():
            if lifeline >= 0:
                os.close(lifeline)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            _reap(pid, _DOWN_SECONDS)
            if made is not None and (not isinstance(error, StackFailure) or not (data / state.FILE).exists()):
                shutil.rmtree(made, ignore_errors=True)  # after a start that failed half-way it is kept for its logs
        raise
    finally:
        os.close(lines)
    return RunningStack(data=data, state=read(data).state, seconds_to_start=seconds, lifeline=lifeline)


def _first_missing(folder: Path) -> Path | None:
    """The topmost folder that must be created for ``folder``; None if it exists."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    return missing[-1] if missing else None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Defer SIGINT, SIGTERM and SIGHUP until the end of the block (in the main thread; others receive none)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _spawn(arguments: list[str], data: Path, attached: bool) -> tuple[int, int, int]:
    """Start the supervisor's guard in a session of its own, so that Ctrl-C reaches only us."""
    try:
        (data / "logs").mkdir(parents=True, exist_ok=True)
        log = os.open(data / SUPERVISOR_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise StackFailure(f"cannot write to {data} ({error.strerror})", hint="choose another --data folder") from error
    lines, tell = os.pipe()
    watched, lifeline = os.pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)
    actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, tell, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    pipe_descriptor = 3
    if attached:
        actions.append((os.POSIX_SPAWN_DUP2, watched, pipe_descriptor))
        arguments = [*arguments, f"--pipe={pipe_descriptor}"]
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "stack.supervisor", *arguments],
            os.environ,
            file_actions=actions,
            setsid=True,
        )
    finally:
        for descriptor in (tell, watched, nothing, log):
            os.close(descriptor)
    if not attached:
        os.close(lifeline)
        lifeline = -1
    return pid, lines, lifeline


def _follow(lines: int, progress: Callable[[dict[str, Any]], None] | None) -> float:
    with os.fdopen(os.dup(lines), encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            if event["event"] == "up":
                return float(event["seconds"])
            if event["event"] == "failed":
                raise StackFailure(event["message"])
            if progress is not None:
                progress(event)
    raise StackFailure("the supervisor ended before the stack was up", hint="its log is logs/supervisor.log")


def read(data: Path) -> RunningStack:
    """The stack that runs in ``data``; raises StackFailure when none does."""
    seen = state.read(data)
    if seen is None or not alive.is_alive(seen.supervisor_pid, seen.supervisor_ticks):
        raise StackFailure(f"no stack runs in {data}", hint="`windtunnel up` starts one")
    return RunningStack(data=data, state=seen)


def down(data: Path, wipe: bool = False) -> None:
    """Stop the stack in ``data`` (does nothing if none runs); ``wipe`` removes the folder."""
    seen = state.read(data)
    if seen is not None and alive.is_alive(seen.supervisor_pid, seen.supervisor_ticks):
        guard = seen.guard_pid
        ticks = alive.ticks_of(guard)
        for number in (signal.SIGTERM, signal.SIGCONT):  # a suspended process is resumed, and then stops
            for pid in (guard, seen.supervisor_pid) if number == signal.SIGCONT else (seen.supervisor_pid,):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        # the guard ends last: when it is gone, so are all its descendants
        if not _wait_gone(guard, ticks, _DOWN_SECONDS):
            with suppress(ProcessLookupError):
                os.kill(seen.supervisor_pid, signal.SIGKILL)
            _wait_gone(guard, ticks, 5.0)
    # a refused start leaves only a lock and a log; a folder without either is not ours to remove
    if wipe and any((data / name).exists() for name in (state.FILE, state.LOCK, SUPERVISOR_LOG)):
        shutil.rmtree(data)


def _wait_gone(pid: int, ticks: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive.is_alive(pid, ticks):
        _reap(pid, 0.0)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    _reap(pid, 0.0)
    return True


def _reap(pid: int, seconds: float) -> None:
    """Collect the exit code of a guard that is our own child, so that no zombie is left."""
    deadline = time.monotonic() + seconds
    with suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.02)


def component_url(running: RunningStack, component: Component) -> str:
    """Base URL of the first instance of ``component``."""
    return running.components[component][0]
