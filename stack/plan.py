"""From a scenario to everything that runs: processes, addresses, proxies, what each service is told. Pure.

Nothing here looks at the machine: ports, secrets and host names are arguments, so the same page plans ordinary
processes on loopback and containers that call each other by name, and a test can ask what a scenario would start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from core import settings
from core.names import USES, Component, Server, link
from core.scenario import Scenario
from stack.keys import Secrets

LOOPBACK: Final = "127.0.0.1"
POSTGRES_USER: Final = "windtunnel"
POSTGRES_DATABASE: Final = "windtunnel"
UPLOADS_BUCKET: Final = "uploads"
MEDIA_BUCKET: Final = "media"
_ORDER: Final = {  # what must be ready before a server is started
    Server.SHIELD: (Server.OBJECTS,),
    Server.EDGE: (Server.SHIELD,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where something listens."""

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
    """One Toxiproxy proxy: the way of a link to one instance of what it leads to."""

    name: str
    link: str
    listen: Address
    upstream: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of the stack: a server (``server``) or one of ours (``settings``)."""

    name: str
    address: Address
    after: tuple[str, ...] = ()  # processes that must be ready first
    server: Server | None = None
    index: int = 0  # among instances of one server
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
    components: Mapping[Component, tuple[Address, ...]]  # as the gateway reaches them, so through proxies where proxied
    stores: Mapping[Component, settings.Stores]
    keys: settings.Keys  # as auth gets them
    postgres_dsns: tuple[str, ...]  # direct
    gateway: Address
    objects: Address  # as clients reach it
    edge: Address  # as clients reach it
    shield: Address  # as the edge reaches it
    origin: Address  # the object store as the shield reaches it

    @property
    def cores(self) -> tuple[int, ...]:
        """Processor cores that the stack is pinned to."""
        return self.scenario.system.placement.cores.stack

    def component_urls(self) -> dict[str, tuple[str, ...]]:
        """Base URLs of every component's instances, past the gateway and its proxies."""
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


def proxied_links(scenario: Scenario) -> tuple[str, ...]:
    """Links that lead through Toxiproxy: those that a fault of the scenario names, in order, once."""
    return tuple(dict.fromkeys(fault.link for fault in scenario.faults if fault.link is not None))


def processes_of(scenario: Scenario) -> dict[str, tuple[Component, ...]]:
    """Processes of ours by name: one per placement entry, ``feed-1``, ``feed-2`` … for instances of the feed."""
    placed: dict[str, tuple[Component, ...]] = {}
    for name, members in scenario.system.placement.processes.items():
        count = scenario.system.feed.instances if Component.FEED in members else 1
        for number in range(1, count + 1):
            placed[name if count == 1 else f"{name}-{number}"] = tuple(members)
    return placed


def instances_of(scenario: Scenario) -> dict[Component, tuple[str, ...]]:
    """Names of each component's instances, which are names of ports: ``feed``, or ``feed-1`` and ``feed-2``."""
    found: dict[Component, list[str]] = {}
    for process, members in processes_of(scenario).items():
        number = process.rpartition("-")[2] if process not in scenario.system.placement.processes else ""
        for component in members:
            found.setdefault(component, []).append(f"{component}-{number}" if number else str(component))
    return {component: tuple(names) for component, names in found.items()}


def port_names(scenario: Scenario) -> tuple[str, ...]:
    """Everything that needs a port."""
    names: list[str] = [f"{Server.POSTGRES}_{index}" for index in range(scenario.system.shards.physical)]
    names += [Server.REDIS, Server.KAFKA, "kafka_controller", Server.OBJECTS, Server.TOXIPROXY, Server.CLAMD]
    names += [Server.EDGE, Server.SHIELD, Server.PROMETHEUS, Server.GATEWAY]
    names += [f"{name}_metrics" for name in gateways_of(scenario)]
    names += [name for each in instances_of(scenario).values() for name in each]
    for name in proxied_links(scenario):
        names += [f"proxy_{proxy}" for proxy in _proxy_names(scenario, name)]
        if name.endswith(f"_{Server.KAFKA}"):
            names.append(f"listener_{name}")
    return tuple(str(name) for name in names)


def gateways_of(scenario: Scenario) -> tuple[str, ...]:
    """Names of the gateway's instances; they listen on one port together (SO_REUSEPORT)."""
    count = scenario.system.gateway.instances
    return tuple(Server.GATEWAY if count == 1 else f"{Server.GATEWAY}-{n}" for n in range(1, count + 1))


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
class _Addresses:
    """Who is reached where, by whom."""

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
        """Where clients reach ``server``: the address at which it is published, else the way itself."""
        if server in self.published:
            return self.published[server]
        return self.direct(server) if server is Server.GATEWAY else self.way("client", server)[0]


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

    ``servers`` without ``services`` is what a test of a service needs. ``hosts`` maps names to host names where they
    are not all on loopback; ``published`` says where clients reach gateway, edge and objects when that is elsewhere
    (their URLs, presigned ones too, name it).
    """
    proxied = proxied_links(scenario) if Server.TOXIPROXY in servers else ()
    ways = _Addresses(scenario, ports, hosts or {}, proxied, published or {})
    stores = {component: _stores(ways, component, secrets) for component in Component}
    dsns = tuple(_dsn(address, secrets) for address in ways.upstreams("stack_postgres"))
    keys = settings.Keys(
        jwt_private_key=str(data_directory / "keys" / "jwt.pem"),
        jwt_public_key=str(data_directory / "keys" / "jwt.pub"),
        cursor_secret=secrets.cursor_secret,
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
            told = settings.ProcessSettings(
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
                keys=keys if Component.AUTH in members else msgspec.structs.replace(keys, jwt_private_key=""),
                data_directory=str(data_directory / name),
                worker=worker,
                worker_count=len(placed),
            )
            first = Address(host=(hosts or {}).get(name, LOOPBACK), port=told.members[0].listen.port)
            running.append(Process(name=name, address=first, after=present, settings=told))
    return StackPlan(
        scenario=scenario,
        scenario_path=str(scenario_path),
        data=data_directory,
        bind=bind,
        ports=dict(ports),
        secrets=secrets,
        processes=tuple(running),
        proxies=ways.proxies(),
        components={component: ways.way(Server.GATEWAY, component) for component in instances_of(scenario)},
        stores=stores,
        keys=keys,
        postgres_dsns=dsns,
        gateway=gateway,
        objects=ways.public(Server.OBJECTS),
        edge=edge,
        shield=ways.way(Server.EDGE, Server.SHIELD)[0],
        origin=ways.way(Server.SHIELD, Server.OBJECTS)[0],
    )


def _servers(
    ways: _Addresses,
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


def _dsn(address: Address, secrets: Secrets) -> str:
    return (
        f"host={address.host} port={address.port} dbname={POSTGRES_DATABASE} user={POSTGRES_USER} "
        f"password={secrets.postgres_password}"
    )


def _stores(ways: _Addresses, component: Component, secrets: Secrets) -> settings.Stores:
    system = ways.scenario.system
    uses = USES[component]

    def way(server: Server) -> tuple[Address, ...]:
        return ways.way(component, server)

    postgres = redis = kafka = objects = clamd = None
    if Server.POSTGRES in uses:
        dsns = tuple(_dsn(address, secrets) for address in way(Server.POSTGRES))
        postgres = settings.Postgres(dsns=dsns, logical_shards=system.shards.logical)
    if Server.REDIS in uses:
        redis = settings.Redis(host=way(Server.REDIS)[0].host, port=way(Server.REDIS)[0].port)
    if Server.KAFKA in uses:
        kafka = settings.Kafka(bootstrap=str(way(Server.KAFKA)[0]), partitions=system.kafka.partitions)
    if Server.OBJECTS in uses:
        objects = settings.Objects(
            endpoint=way(Server.OBJECTS)[0].url,
            public_endpoint=ways.public(Server.OBJECTS).url,
            access_key=secrets.objects_access_key,
            secret_key=secrets.objects_secret_key,
            uploads_bucket=UPLOADS_BUCKET,
            media_bucket=MEDIA_BUCKET,
        )
    if Server.CLAMD in uses:
        clamd = settings.Clamd(host=way(Server.CLAMD)[0].host, port=way(Server.CLAMD)[0].port)
    return settings.Stores(postgres=postgres, redis=redis, kafka=kafka, objects=objects, clamd=clamd)
