"""Which processes there are, what each can do at once, and who answers for a component: the stack's plan, in short.

The names are those of `windtunnel status`, so CPU by process can be laid beside the measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.names import Component, Server
from core.scenario import Scenario

#: Threads that work at once in a server that has many of them: more than its host has cores, so it never queues inside.
_THREADS: Final = 256
_THREADED: Final = (Server.POSTGRES, Server.KAFKA, Server.EDGE, Server.SHIELD, Server.CLAMD)
#: Go programs run as many goroutines at once as they see cores, the others wait in order.
_GO: Final = (Server.TOXIPROXY, Server.OBJECTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process: ``members`` are components or the server itself; ``threads`` work beside its event loop."""

    name: str
    members: tuple[str, ...]
    workers: int
    threads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All processes of one host with ``cores`` cores, in a fixed order."""

    processes: tuple[Process, ...]
    cores: int

    def of(self, member: str) -> tuple[int, ...]:
        """Indices of the processes that answer for a component or server; empty where there is none."""
        return tuple(index for index, process in enumerate(self.processes) if member in process.members)

    def named(self, name: str) -> tuple[int, ...]:
        """Indices of the process called ``name``, or of all instances of the component, server or placement entry."""
        exact = tuple(index for index, process in enumerate(self.processes) if process.name == name)
        if exact:
            return exact
        prefix = tuple(i for i, process in enumerate(self.processes) if process.name.rpartition("-")[0] == name)
        return prefix or self.of(name)


def of(scenario: Scenario) -> Layout:
    """The layout of ``scenario``."""
    cores = len(scenario.system.placement.cores.stack)
    processes = [
        Process(name=_numbered(Server.GATEWAY, n, scenario.system.gateway.instances), members=("gateway",), workers=1)
        for n in range(1, scenario.system.gateway.instances + 1)
    ]
    for name, members in scenario.system.placement.processes.items():
        count = scenario.system.feed.instances if Component.FEED in members else 1
        told = tuple(str(member) for member in members)
        names = [_numbered(name, number, count) for number in range(1, count + 1)]
        processes += [Process(name=each, members=told, workers=1, threads=_THREADS) for each in names]
    instances = range(scenario.system.shards.physical)
    processes += [Process(name=f"postgres_{index}", members=("postgres",), workers=_THREADS) for index in instances]
    for server in Server:
        if server not in (Server.GATEWAY, Server.POSTGRES):
            workers = _THREADS if server in _THREADED else cores if server in _GO else 1
            processes.append(Process(name=str(server), members=(str(server),), workers=workers))
    return Layout(processes=tuple(processes), cores=cores)


def _numbered(name: str, number: int, count: int) -> str:
    return str(name) if count == 1 else f"{name}-{number}"
