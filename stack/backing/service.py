"""A process of ours: configured by one settings file, and ready when all its components are."""

from __future__ import annotations

import http.client
import signal
import sys
from typing import Final

from core import settings
from stack import probe
from stack.command import Command
from stack.failure import NotReady
from stack.keys import write_private
from stack.plan import Process, StackPlan
from stack.probe import Probe

DATA_BYTES: Final = 1536 * 2**20
_ENVIRONMENT: Final = {
    # one thread each: the cores are shared, and a thread pool per library would compete for them
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "VIPS_CONCURRENCY": "1",
    "MALLOC_ARENA_MAX": "2",
    "PYTHONUNBUFFERED": "1",
}


def prepare(plan: StackPlan, process: Process) -> Command:
    """Write its settings file."""
    process_settings = process.settings
    if process_settings is None:
        raise ValueError(f"{process.name} is not one of our own processes")
    folder = plan.folder(process.name)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "settings.json"
    write_private(path, settings.encode(process_settings))
    return Command(
        argv=(sys.executable, "-m", "services"),
        cwd=folder,
        env={**_ENVIRONMENT, settings.SETTINGS_VARIABLE: str(path)},
        cores=plan.cores,
        data_bytes=DATA_BYTES,
        stop_signal=signal.SIGTERM,
        stop_seconds=process_settings.drain_seconds + 0.5,
    )


def ready(_plan: StackPlan, process: Process) -> None:
    """Raise NotReady until ``/healthz`` of every component answers 200."""
    if process.settings is None:
        raise ValueError(f"{process.name} is not one of our own processes")
    for member in process.settings.members:
        host = process.address.host
        wire = http.client.HTTPConnection(host, member.listen.port, timeout=2)
        try:
            wire.request("GET", "/healthz")
            answer = wire.getresponse()
            body = answer.read(300).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise NotReady(f"{member.component}: {error}") from error
        finally:
            wire.close()
        if answer.status != 200:
            raise NotReady(f"{member.component}: {answer.status} {body}")


def question(_plan: StackPlan, process: Process) -> Probe:
    """The health check of its first component: all of them share one event loop."""
    return probe.http(process.address, "/healthz")


def settle(_plan: StackPlan, _process: Process) -> None:
    """Nothing to create: services create their own tables."""
