"""From a scenario to everything that runs: processes, addresses, proxies, settings of each service. Pure.

Nothing here depends on the machine: ports, secrets and host names are arguments, so the same module plans ordinary
processes on loopback and containers that use each other's names, and a test can check what a scenario would start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from core import settings
from core.names import USES, Component, Server
from core.scenario import Scenario
from core.scenario import processes as names
from stack import unsupported
from stack.addresses import (
    LOOPBACK,
    Address,
    Addresses,
    Proxy,
    gateways_of,
    instances_of,
    port_names,
    processes_of,
)
from stack.failure import StackFailure
from stack.keys import Secrets

__all__ = ["Address", "Process", "Proxy", "StackPlan", "plan", "port_names", "processes_of"]

POSTGRES_USER: Final = "windtunnel"
POSTGRES_DATABASE: Final = "windtunnel"
UPLOADS_BUCKET: Final = "uploads"
MEDIA_BUCKET: Final = "media"
_ORDER: Final = {  # what must be ready before a server is started
    Server.FRONT: (Server.OBJECTS,),
    Server.SHIELD: (Server.OBJECTS,),
    Server.EDGE: (Server.SHIELD,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of the stack: a server (``server``) or one of ours (``settings``)."""

    name: str
    address: Address
    after: tuple[str, ...] = ()  # processes that must be ready first
    server: Server | None = None
    index: int = 0  # among instances of one server
    niceness: int = 0  # see core.niceness
    settings: settings.ProcessSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPlan:
    """Everything that a stack consists of."""

    scenario: Scenario
    scenario_path: str
    data: Path
    bind: str  # address that servers listen on
    ports: Mapping[str, int]
    secrets: Secrets
    processes: tuple[Process, ...]
    proxies: tuple[Proxy, ...]
    components: Mapping[Component, tuple[Address, ...]]  # as the gateway reaches them, through proxies if proxied
    stores: Mapping[Component, settings.Stores]
    keys: settings.SecretSettings  # all keys; a process gets those that its members need
    postgres_dsns: tuple[str, ...]  # direct
    gateway: Address
    objects: Address  # as clients reach it, by its front
    store: Address  # itself, as its front reaches it
    edge: Address  # as clients reach it
    shield: Address  # as the edge reaches it
    origin: Address  # the object store as the shield reaches it

    @property
    def cores(self) -> tuple[int, ...]:
        """Processor cores that the stack is pinned to."""
        return self.scenario.system.placement.cores.stack

    def component_urls(self) -> dict[str, tuple[str, ...]]:
        """Base URLs of every component's instances, bypassing the gateway and its proxies."""
        found: dict[str, tuple[str, ...]] = {}
        for process in self.processes:
            for member in process.settings.members if process.settings else ():
                url = Address(host=process.address.host, port=member.listen.port).url
                found[member.component] = (*found.get(member.component, ()), url)
        return found

    def process(self, name: str) -> Process:
        """The process called ``name``; raises KeyError."""
        for process in self.processes:
            if process.name == name:
                return process
        raise KeyError(name)

    def folder(self, name: str) -> Path:
        """Private folder of the process ``name``."""
        return self.data / name

    def log(self, name: str) -> Path:
        """Log file of the process ``name``."""
        return self.data / "logs" / f"{name}.log"


def plan(
    scenario: Scenario,
    scenario_path: Path,
    data_directory: Path,
    ports: Mapping[str, int],
    *,
    secrets: Secrets,
    services: bool = True,
    servers: tuple[Server, ...] = tuple(Server),
    hosts: Mapping[str, str] | None = None,
    published: Mapping[str, Address] | None = None,
    bind: str = LOOPBACK,
) -> StackPlan:
    """Plan the stack of ``scenario`` in ``data_directory``; ``ports`` has one for each of `port_names`.

    ``servers`` without ``services`` is what a test of a service needs. ``hosts`` maps names to host names if they are
    not all on loopback; ``published`` are the addresses at which clients reach gateway, edge and objects if they differ
    (used in URLs, presigned ones too). Raises StackFailure for a scenario that only the model can run.
    """
    beyond = unsupported.parts(scenario)
    if beyond:
        raise StackFailure(
            f"the stack cannot start {', '.join(beyond)}", hint="windtunnel simulate runs the model of it"
        )
    proxied = scenario.broken_links if Server.TOXIPROXY in servers else ()
    ways = Addresses(scenario, ports, hosts or {}, proxied, published or {})
    stores = {component: _stores(ways, component, secrets) for component in Component}
    dsns = tuple(_dsn(address, secrets) for address in ways.upstreams("stack_postgres"))
    keys = settings.SecretSettings(
        jwt_private_key=str(data_directory / "keys" / "jwt.pem"),
        jwt_public_key=str(data_directory / "keys" / "jwt.pub"),
        cursor_secret=secrets.cursor_secret,
        media_secret=secrets.media_secret,
    )
    gateway = ways.public(Server.GATEWAY)
    edge = ways.public(Server.EDGE)
    placed = processes_of(scenario)
    running: list[Process] = [
        process for server in servers for process in _servers(ways, server, servers, services, placed)
    ]
    if services:
        present = tuple(
            process.name
            for process in running
            if process.server in (Server.POSTGRES, Server.REDIS, Server.KAFKA, Server.OBJECTS, Server.CLAMD)
            or (process.server is Server.TOXIPROXY and ways.proxied)
        )
        instances = instances_of(scenario)
        for worker, (name, members) in enumerate(placed.items()):
            number = name.rpartition("-")[2] if name not in scenario.system.placement.processes else ""
            process_settings = settings.ProcessSettings(
                process=name,
                members=tuple(
                    settings.Member(
                        component=component,
                        listen=settings.Listen(
                            host=bind, port=ports[instances[component][int(number) - 1 if number else 0]]
                        ),
                        stores=stores[component],
                    )
                    for component in members
                ),
                scenario_path=str(scenario_path),
                public_url=gateway.url,
                media_url=edge.url,
                keys=_keys_for(members, keys),
                data_directory=str(data_directory / name),
                worker=worker,
                worker_count=len(placed),
            )
            first = Address(host=(hosts or {}).get(name, LOOPBACK), port=process_settings.members[0].listen.port)
            running.append(Process(name=name, address=first, after=present, settings=process_settings))
    return StackPlan(
        scenario=scenario,
        scenario_path=str(scenario_path),
        data=data_directory,
        bind=bind,
        ports=dict(ports),
        secrets=secrets,
        processes=tuple(replace(each, niceness=names.niceness_of(scenario, each.name)) for each in running),
        proxies=ways.proxies(),
        components={component: ways.way(Server.GATEWAY, component) for component in instances_of(scenario)},
        stores=stores,
        keys=keys,
        postgres_dsns=dsns,
        gateway=gateway,
        objects=ways.public(Server.OBJECTS),
        store=ways.direct(Server.OBJECTS),
        edge=edge,
        shield=ways.way(Server.EDGE, Server.SHIELD)[0],
        origin=ways.way(Server.SHIELD, Server.OBJECTS)[0],
    )


def _servers(
    ways: Addresses,
    server: Server,
    servers: tuple[Server, ...],
    services: bool,
    placed: Mapping[str, tuple[Component, ...]],
) -> tuple[Process, ...]:
    after = tuple(str(name) for name in _ORDER.get(server, ()) if name in servers)
    if server is Server.POSTGRES:
        names = tuple(f"{server}_{index}" for index in range(ways.scenario.system.shards.physical))
        return tuple(
            Process(name=name, address=ways.direct(name), server=server, index=index)
            for index, name in enumerate(names)
        )
    if server is Server.GATEWAY:
        # the gateway is ready when its backends are, so it waits for the services
        after = tuple(placed) if services else ()
        return tuple(
            Process(name=name, address=ways.direct(Server.GATEWAY), server=server, index=index, after=after)
            for index, name in enumerate(gateways_of(ways.scenario))
        )
    return (Process(name=str(server), address=ways.direct(server), server=server, after=after),)


def _keys_for(members: tuple[Component, ...], keys: settings.SecretSettings) -> settings.SecretSettings:
    return msgspec.structs.replace(
        keys,
        jwt_private_key=keys.jwt_private_key if Component.AUTH in members else "",
        media_secret=keys.media_secret if Component.MEDIA in members else "",
    )


def _dsn(address: Address, secrets: Secrets) -> str:
    return (
        f"host={address.host} port={address.port} dbname={POSTGRES_DATABASE} user={POSTGRES_USER} "
        f"password={secrets.postgres_password}"
    )


def _stores(ways: Addresses, component: Component, secrets: Secrets) -> settings.Stores:
    system = ways.scenario.system
    uses = USES[component]

    def way(server: Server) -> tuple[Address, ...]:
        return ways.way(component, server)

    postgres = redis = kafka = objects = clamd = cdn = None
    if Server.POSTGRES in uses:
        dsns = tuple(_dsn(address, secrets) for address in way(Server.POSTGRES))
        postgres = settings.Postgres(
            dsns=dsns, logical_shards=system.shards.logical, pool_size_max=system.shards.connections
        )
    if Server.REDIS in uses:
        (node,) = way(Server.REDIS)
        redis = settings.Redis(host=node.host, port=node.port, pool_size_max=system.redis.connections)
    if Server.KAFKA in uses:
        kafka = settings.Kafka(bootstrap=str(way(Server.KAFKA)[0]), partitions=system.kafka.partitions)
    if Server.OBJECTS in uses:
        objects = settings.ObjectStoreSettings(
            endpoint=way(Server.OBJECTS)[0].url,
            public_endpoint=ways.public(Server.OBJECTS).url,
            access_key=secrets.objects_access_key,
            secret_key=secrets.objects_secret_key,
            uploads_bucket=UPLOADS_BUCKET,
            media_bucket=MEDIA_BUCKET,
        )
    if Server.CLAMD in uses:
        clamd = settings.Clamd(host=way(Server.CLAMD)[0].host, port=way(Server.CLAMD)[0].port)
    if Server.EDGE in uses:
        cdn = settings.CdnSettings(
            shield=way(Server.SHIELD)[0].url, edge=way(Server.EDGE)[0].url, purge_key=secrets.purge_key
        )
    return settings.Stores(postgres=postgres, redis=redis, kafka=kafka, objects=objects, clamd=clamd, cdn=cdn)
