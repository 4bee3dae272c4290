"""The processes of a system: how many jobs each serves at once, its host, and the components that it runs.

The names are those of `windtunnel status`, so that simulated CPU by process can be compared with measured CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from core.names import Server
from core.scenario import Scenario, processes

#: Threads of a server that has many of them: more than its host has cores, so jobs never queue inside the server.
_THREADS: Final = 256
_THREADED: Final = (Server.POSTGRES, Server.KAFKA, Server.EDGE, Server.SHIELD, Server.CLAMD)
#: Go programs run as many goroutines at once as there are cores; the others wait in order.
_GO: Final = (Server.TOXIPROXY, Server.OBJECTS)
#: The only host of a scenario that defines no hosts.
STACK: Final = "stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A host."""

    name: str
    cores: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process: ``members`` are its components, or the server itself; ``threads`` work beside its event loop."""

    name: str
    group: str  # the scenario's name for it and processes like it
    members: tuple[str, ...]
    workers: int
    threads: int = 0
    niceness: int = 0  # of its event loop
    replica: int = 0  # 0 for a primary and for all that is not replicated; the replicas follow, numbered from 1
    host: int = 0  # index of its machine
    account: int = 0  # its number among the processes of that machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All processes and the machines that they run on, in a fixed order: region after region, each with the same.

    The indices in a program are those of the first region's processes; add k × `span` for those of region k.
    """

    processes: tuple[ProcessSpec, ...]
    hosts: tuple[Machine, ...]
    regions: tuple[str, ...] = ("local",)

    @property
    def span(self) -> int:
        """Processes of one region."""
        return len(self.processes) // len(self.regions)

    @property
    def cores(self) -> int:
        """Cores of all machines together."""
        return sum(machine.cores for machine in self.hosts)

    def on(self, host: int) -> tuple[ProcessSpec, ...]:
        """Processes of one machine, in the order of their accounts."""
        return tuple(process for process in self.processes if process.host == host)

    def processes_of(self, member: str) -> tuple[int, ...]:
        """Indices of the processes that run a component or server, without replicas; empty where none does."""
        found = (index for index, process in enumerate(self.processes[: self.span]) if member in process.members)
        return tuple(index for index in found if not self.processes[index].replica)

    def nodes(self, member: str) -> int:
        """How many consecutive indices of `named` are one instance: the primary and its replicas."""
        return max((self.processes[index].replica for index in self.named(member)), default=0) + 1

    def named(self, name: str) -> tuple[int, ...]:
        """Indices of the process called ``name``, or of all instances of the component, server or placement entry, each
        followed by its replicas."""
        exact = tuple(index for index, process in enumerate(self.processes) if process.name == name)
        alike = tuple(index for index, process in enumerate(self.processes[: self.span]) if process.group == name)
        return exact or alike or self.processes_of(name)


def layout_of(scenario: Scenario) -> Layout:
    """The layout of ``scenario``."""
    machines = _machines(scenario)
    placed = tuple(_placed(scenario, list(_processes(scenario)), machines))
    counts = [0] * len(machines)
    numbered = []
    for process in placed:
        workers = machines[process.host].cores if process.group in _GO else process.workers
        nice = processes.niceness_of(scenario, process.name)
        numbered.append(replace(process, workers=workers, niceness=nice, account=counts[process.host]))
        counts[process.host] += 1
    regions = tuple(scenario.system.regions)
    return Layout(
        processes=tuple(
            replace(each, name=processes.in_region(scenario, region, each.name), host=each.host + index * len(machines))
            for index, region in enumerate(regions)
            for each in numbered
        ),
        hosts=tuple(
            replace(machine, name=processes.in_region(scenario, region, machine.name))
            for region in regions
            for machine in machines
        ),
        regions=regions,
    )


def _machines(scenario: Scenario) -> tuple[Machine, ...]:
    placement = scenario.system.placement
    if not placement.hosts:
        return (Machine(name=STACK, cores=len(placement.cores.stack)),)
    return tuple(
        Machine(name=name, cores=host.cores)
        for kind, host in placement.hosts.items()
        for name in processes.numbered(kind, host.count)
    )


def _processes(scenario: Scenario) -> Iterator[ProcessSpec]:
    gateway = str(Server.GATEWAY)
    for name in processes.gateways(scenario):
        yield ProcessSpec(name=name, group=gateway, members=(gateway,), workers=1)
    groups = {
        name: group
        for group in scenario.system.placement.processes
        for name in processes.numbered(group, processes.instances_of(scenario.system, group))
    }
    for name, members in processes.ours(scenario).items():
        names = tuple(str(member) for member in members)
        yield ProcessSpec(name=name, group=groups[name], members=names, workers=1, threads=_THREADS)
    postgres = str(Server.POSTGRES)
    for database in processes.databases(scenario):
        for replica, name in enumerate((database, *processes.replicas(scenario, database))):
            yield ProcessSpec(name=name, group=postgres, members=(postgres,), workers=_THREADS, replica=replica)
    for server in Server:
        if server not in (Server.GATEWAY, Server.POSTGRES):
            names = processes.caches(scenario) if server is Server.REDIS else (str(server),)
            workers = _THREADS if server in _THREADED else 1
            for name in names:
                yield ProcessSpec(name=name, group=str(server), members=(str(server),), workers=workers)


def _placed(scenario: Scenario, found: list[ProcessSpec], machines: tuple[Machine, ...]) -> Iterator[ProcessSpec]:
    """Put every process on a machine: the one that lists its name, else in turn those that list its group, else the
    first. Replicas are on the machines that follow, so that no two nodes of one database share a machine."""
    listing = _listing(scenario, machines)
    turns: dict[str, int] = {}
    for process in found:
        named = listing.get(process.name, ()) if process.name != process.group else ()
        if named:
            yield replace(process, host=named[0])
            continue
        hosts = listing.get(process.group, (0,))
        if not process.replica:
            turns[process.group] = turns.get(process.group, -1) + 1
        turn = turns.get(process.group, 0) + process.replica
        yield replace(process, host=hosts[turn % len(hosts)])


def _listing(scenario: Scenario, machines: tuple[Machine, ...]) -> Mapping[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    names = [machine.name for machine in machines]
    for kind, host in scenario.system.placement.hosts.items():
        hosts = tuple(names.index(name) for name in processes.numbered(kind, host.count))
        for run in host.runs:
            found[run] = (*found.get(run, ()), *hosts)
    return found
