"""Features of a scenario that only the model supports: the stack is one machine, with one of each server except
PostgreSQL."""

from __future__ import annotations

from core.names import Server
from core.scenario import Scenario
from core.scenario.model import RedisServer


def parts(scenario: Scenario) -> tuple[str, ...]:
    """Everything in ``scenario`` that only the model supports, each in a few words with its field; empty if the stack
    can run it."""
    system = scenario.system
    placement, redis, usual, found = system.placement, system.redis, RedisServer(), list[str]()
    if system.cells > 1:
        found.append(f"{system.cells:,} cells (system.cells)")
    if len(system.regions) > 1:
        found.append(f"{len(system.regions)} regions (system.regions)")
    machines = sum(host.count for host in placement.hosts.values())
    if machines > 1:
        found.append(f"{machines} hosts (system.placement.hosts)")
    elif any(host.cores != len(placement.cores.stack) for host in placement.hosts.values()):
        found.append("a host with other cores than placement.cores.stack (system.placement.hosts)")
    if system.shards.replicas:
        found.append(f"replicas of {Server.POSTGRES} (system.shards.replicas)")
    if system.cdn.warm:
        found.append("a CDN that is warm from the start (system.cdn.warm)")
    if redis.nodes > 1:
        found.append(f"{redis.nodes} nodes of {Server.REDIS} (system.redis.nodes)")
    if redis.hot_per_second != usual.hot_per_second:
        found.append("counters that are split when they are hot (system.redis.hot)")
    if redis.hot_keys != usual.hot_keys:
        found.append("counters of several keys (system.redis.hot_keys)")
    return tuple(found)
