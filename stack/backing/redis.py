"""Redis: timelines, cards, counters. Its memory is the scenario's; it has only copies, so nothing is saved to disk."""

from __future__ import annotations

import socket
from typing import Final

from stack import probe
from stack.command import Command
from stack.failure import NotReady
from stack.install import tools
from stack.plan import Process, StackPlan
from stack.probe import Probe

_OVERHEAD_BYTES: Final = 192 * 2**20  # buffers of clients and fragmentation, above maxmemory

# volatile-lru: timelines and cards have a time to live and may be evicted; counters and sets have none and stay
_SETTINGS: Final = """
bind {bind}
port {port}
dir {folder}
daemonize no
save ""
appendonly no
maxmemory {memory}
maxmemory-policy volatile-lru
maxclients 10000
timeout 0
tcp-keepalive 60
tcp-backlog 511
protected-mode no
client-output-buffer-limit normal 64mb 16mb 30
"""


def prepare(plan: StackPlan, process: Process) -> Command:
    """Write the configuration."""
    folder = plan.folder(process.name)
    folder.mkdir(parents=True, exist_ok=True)
    memory = plan.scenario.system.redis.memory_bytes
    configuration = folder / "redis.conf"
    configuration.write_text(
        _SETTINGS.format(bind=plan.bind, port=process.address.port, folder=folder, memory=memory), encoding="utf-8"
    )
    return Command(
        argv=(str(tools.find("redis-server")), str(configuration)),
        cwd=folder,
        cores=plan.cores,
        data_bytes=memory + _OVERHEAD_BYTES,
    )


def ready(_plan: StackPlan, process: Process) -> None:
    """Raise NotReady until it answers PING."""
    try:
        with socket.create_connection((process.address.host, process.address.port), timeout=1) as wire:
            wire.sendall(b"PING\r\n")
            answer = wire.recv(64)
    except OSError as error:
        raise NotReady(str(error)) from error
    if not answer.startswith(b"+PONG"):
        raise NotReady(answer.decode(errors="replace").strip())


def question(_plan: StackPlan, process: Process) -> Probe:
    """The health check of the running server."""
    return probe.redis(process.address)


def settle(_plan: StackPlan, _process: Process) -> None:
    """Nothing to create: keys are created by their writers."""
