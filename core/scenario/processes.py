"""Names of all processes of a scenario: the stack starts them, the model places them, faults act on them.

A group is an entry of ``placement.processes``, or a server. A single process has the name of its group; several are
numbered from one (``api-1``, ``redis-1``), PostgreSQL's from zero. With several regions each has all of them, prefixed
with its name (``eu/api-1``).
"""

from __future__ import annotations

import re
from typing import Final

from core import niceness
from core.names import Component, Server
from core.scenario.model import Scenario, System

_NUMBERS: Final = re.compile(r"([_-]([0-9]+|replica))+$")


def numbered(group: str, count: int) -> tuple[str, ...]:
    """Names of ``count`` processes of a group."""
    return (str(group),) if count == 1 else tuple(f"{group}-{number}" for number in range(1, count + 1))


def group_of(process: str) -> str:
    """``postgres_1`` → ``postgres``, ``postgres_1_replica_2`` too, ``eu/feed-2`` → ``feed``."""
    return _NUMBERS.sub("", process.rpartition("/")[2])


def instances_of(system: System, group: str) -> int:
    """How many processes an entry of ``placement.processes`` has."""
    if Component.FEED in system.placement.processes[group]:
        return system.feed.instances
    return system.placement.instances.get(group, 1)


def ours(scenario: Scenario) -> dict[str, tuple[Component, ...]]:
    """Our own processes by name, with their components."""
    system = scenario.system
    return {
        name: tuple(members)
        for group, members in system.placement.processes.items()
        for name in numbered(group, instances_of(system, group))
    }


def niceness_of(scenario: Scenario, process: str) -> int:
    """Niceness of the process with this name."""
    group = group_of(process)
    members = scenario.system.placement.processes.get(group)
    return niceness.of_server(Server(group)) if members is None else niceness.of_components(members)


def gateways(scenario: Scenario) -> tuple[str, ...]:
    """Names of the gateway's instances."""
    return numbered(Server.GATEWAY, scenario.system.gateway.instances)


def databases(scenario: Scenario) -> tuple[str, ...]:
    """Names of PostgreSQL's instances."""
    return tuple(f"{Server.POSTGRES}_{index}" for index in range(scenario.system.shards.physical))


def caches(scenario: Scenario) -> tuple[str, ...]:
    """Names of Redis's nodes."""
    return numbered(Server.REDIS, scenario.system.redis.nodes)


def replicas(scenario: Scenario, database: str) -> tuple[str, ...]:
    """Names of the replicas of one of PostgreSQL's instances."""
    return tuple(f"{database}_replica_{number}" for number in range(1, scenario.system.shards.replicas + 1))


def all_of(scenario: Scenario) -> tuple[str, ...]:
    """Names of all processes of one region."""
    following = tuple(name for database in databases(scenario) for name in replicas(scenario, database))
    several = (Server.GATEWAY, Server.POSTGRES, Server.REDIS)
    others = tuple(str(server) for server in Server if server not in several)
    return (*gateways(scenario), *ours(scenario), *databases(scenario), *following, *caches(scenario), *others)


def everywhere(scenario: Scenario) -> tuple[str, ...]:
    """Names of all processes of all regions: with several regions each is prefixed with its region's name."""
    return tuple(in_region(scenario, region, name) for region in scenario.system.regions for name in all_of(scenario))


def in_region(scenario: Scenario, region: str, name: str) -> str:
    """Name of a region's process or host."""
    return f"{region}/{name}" if len(scenario.system.regions) > 1 else name


def machines_of(scenario: Scenario, group: str) -> int:
    """Number of machines that processes of a group may run on."""
    listing = [host.count for host in scenario.system.placement.hosts.values() if group in host.runs]
    return sum(listing) or 1


def groups_of(scenario: Scenario) -> tuple[str, ...]:
    """Names of all groups."""
    return tuple(dict.fromkeys((*scenario.system.placement.processes, *(str(server) for server in Server))))
