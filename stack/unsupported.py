"""What a scenario may ask of the model that this stack cannot start: one machine, one of each server but PostgreSQL."""

from __future__ import annotations

from core.names import Server
from core.scenario import Scenario


def parts(scenario: Scenario) -> tuple[str, ...]:
    """Everything in ``scenario`` that only the model can do, each in a few words; empty where the stack can run it."""
    system = scenario.system
    placement, found = system.placement, []
    if system.cells > 1:
        found.append(f"{system.cells:,} cells")
    if len(system.regions) > 1:
        found.append(f"{len(system.regions)} regions")
    machines = sum(host.count for host in placement.hosts.values())
    if machines > 1:
        found.append(f"{machines} hosts")
    elif any(host.cores != len(placement.cores.stack) for host in placement.hosts.values()):
        found.append("a host with other cores than placement.cores.stack")
    if system.shards.replicas:
        found.append(f"replicas of {Server.POSTGRES}")
    if system.cdn.warm:
        found.append("a CDN that is warm from the start")
    if system.redis.nodes > 1:
        found.append(f"{system.redis.nodes} nodes of {Server.REDIS}")
    return tuple(found)
