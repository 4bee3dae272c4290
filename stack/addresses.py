"""Addresses by caller and callee: names, ports, proxies and routes between processes. Pure.

A link that a fault names leads through a proxy, for its caller only; all other callers connect directly. So the address
of a server depends on the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from core.names import Component, Server, link
from core.scenario import Scenario, processes

LOOPBACK: Final = "127.0.0.1"
#: Clients reach the object store through its front; processes of the stack connect to it directly.
_CLIENT_OBJECTS: Final = link("client", Server.OBJECTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host and a port on which something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """As an HTTP URL without a path."""
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """One Toxiproxy proxy: the path of a link to one instance of its callee."""

    name: str
    link: str
    listen: Address
    upstream: Address


def processes_of(scenario: Scenario) -> dict[str, tuple[Component, ...]]:
    """Processes of ours by name: one per placement entry, or ``feed-1``, ``feed-2`` … for several instances."""
    return processes.ours(scenario)


def instances_of(scenario: Scenario) -> dict[Component, tuple[str, ...]]:
    """Names of each component's instances, which are names of ports: ``feed``, or ``feed-1`` and ``feed-2``."""
    found: dict[Component, list[str]] = {}
    for process, members in processes_of(scenario).items():
        number = process.rpartition("-")[2] if process not in scenario.system.placement.processes else ""
        for component in members:
            found.setdefault(component, []).append(f"{component}-{number}" if number else str(component))
    return {component: tuple(names) for component, names in found.items()}


def port_names(scenario: Scenario) -> tuple[str, ...]:
    """Names of everything that needs a port."""
    names: list[str] = [f"{Server.POSTGRES}_{index}" for index in range(scenario.system.shards.physical)]
    names += [Server.REDIS, Server.KAFKA, "kafka_controller", Server.OBJECTS, Server.TOXIPROXY, Server.CLAMD]
    names += [Server.EDGE, Server.SHIELD, Server.PROMETHEUS, Server.GATEWAY]
    gateways = gateways_of(scenario)
    names += [Server.FRONT, *(f"{name}_metrics" for name in (*gateways, Server.FRONT))]
    names += [f"{name}_peers" for name in gateways if len(gateways) > 1]
    names += [name for each in instances_of(scenario).values() for name in each]
    for name in scenario.broken_links:
        names += [f"proxy_{proxy}" for proxy in _proxy_names(scenario, name)]
        if name.endswith(f"_{Server.KAFKA}"):
            names.append(f"listener_{name}")
    return tuple(str(name) for name in names)


def gateways_of(scenario: Scenario) -> tuple[str, ...]:
    """Names of the gateway's instances, which share one port (SO_REUSEPORT)."""
    return processes.gateways(scenario)


def _split(name: str) -> tuple[str, str]:
    caller, _, callee = name.partition("_")
    return caller, callee


def _proxy_names(scenario: Scenario, name: str) -> tuple[str, ...]:
    caller, callee = _split(name)
    if callee == Server.POSTGRES:
        return tuple(f"{name}_{index}" for index in range(scenario.system.shards.physical))
    if caller == Server.GATEWAY:
        count = len(instances_of(scenario).get(Component(callee), ()))
        if count > 1:
            return tuple(f"{name}_{index}" for index in range(count))
    return (name,)


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of all processes, as each caller uses them."""

    scenario: Scenario
    ports: Mapping[str, int]
    hosts: Mapping[str, str]
    proxied: tuple[str, ...]
    published: Mapping[str, Address]

    def direct(self, name: str) -> Address:
        return Address(host=self.hosts.get(name, LOOPBACK), port=self.ports[name])

    def upstreams(self, name: str) -> tuple[Address, ...]:
        caller, callee = _split(name)
        if callee == Server.POSTGRES:
            return tuple(self.direct(f"{callee}_{index}") for index in range(self.scenario.system.shards.physical))
        if callee == Server.KAFKA:
            if name in self.proxied:
                host = self.hosts.get(callee, LOOPBACK)
                return (Address(host=host, port=self.ports[f"listener_{name}"]),)
            return (self.direct(callee),)
        if name == _CLIENT_OBJECTS:
            return (self.direct(Server.FRONT),)
        if caller == Server.GATEWAY:
            return tuple(self.direct(instance) for instance in instances_of(self.scenario)[Component(callee)])
        return (self.direct(callee),)

    def proxies(self) -> tuple[Proxy, ...]:
        host = self.hosts.get(Server.TOXIPROXY, LOOPBACK)
        return tuple(
            Proxy(
                name=proxy, link=name, listen=Address(host=host, port=self.ports[f"proxy_{proxy}"]), upstream=upstream
            )
            for name in self.proxied
            for proxy, upstream in zip(_proxy_names(self.scenario, name), self.upstreams(name), strict=True)
        )

    def way(self, caller: str, callee: str) -> tuple[Address, ...]:
        """Addresses that ``caller`` must use to reach the instances of ``callee``."""
        name = link(caller, callee)
        if name in self.proxied:
            return tuple(proxy.listen for proxy in self.proxies() if proxy.link == name)
        return self.upstreams(name)

    def public(self, server: Server) -> Address:
        """Where clients reach ``server``: the address at which it is published, else its own address or its proxy's."""
        if server in self.published:
            return self.published[server]
        return self.direct(server) if server is Server.GATEWAY else self.way("client", server)[0]
