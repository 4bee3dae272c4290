"""Counts: the smallest numbers in one region that satisfy the intent in its worst hour, with the spares down.

Services are processes that are spread over a pool of machines, so that enough of every service is left when k machines
are down; services paid at another term have their own pool. A store keeps k more copies of each of its
parts (replicas), and the log k more brokers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.names import Component, Server
from planning.plan.brief import SPOT, Brief, Case, GroupKind, PlanError
from planning.plan.demand.workload import Moment
from planning.plan.queueing.latency import LatencyModel
from planning.plan.queueing.loads import GroupLoad
from planning.plan.sizing import concurrency, fleets, targets, tiers, zones
from planning.plan.sizing.fleets import GroupInstance
from planning.plan.sizing.shapes import Shape
from planning.plan.sizing.targets import TierOffer
from planning.plan.sizing.tiers import Need, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One group in one region. ``working`` is what the load needs, ``instances`` what is bought, including spares."""

    name: str
    kind: GroupKind
    needs: tuple[Need, ...]  # the one that binds first
    working: int  # processes, primaries, nodes or brokers that must work
    instances: int
    copies: int  # of each part: 1 for services and the log
    busy_ratio: float  # the highest allowed
    unit: GroupInstance
    shape: Shape
    machines: int  # of its own; 0 for services, which share the pool's
    given: bool  # by the intent's fleet
    nothing_left: bool = False  # with the spares down, because too few are given

    @property
    def binds(self) -> Need:
        """The resource that needs the most."""
        return self.needs[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePool:
    """The machines of the services of one term in one region."""

    term: str
    groups: tuple[str, ...]
    needs: tuple[Need, ...]
    working: int
    machines: int
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPlan:
    """Everything planned for one region."""

    name: str
    tiers: Mapping[str, Tier]
    pools: tuple[MachinePool, ...]
    volume: Volume  # in the worst hour
    partitions: int
    held_bytes: float  # in Redis, once
    load_of: Mapping[str, GroupLoad]  # in the worst hour, by group

    @property
    def units(self) -> dict[str, GroupInstance]:
        return {name: tier.unit for name, tier in self.tiers.items()}

    @property
    def dollars_month(self) -> float:
        """Cost of its machines and nodes."""
        stores = sum(tier.machines * tier.shape.dollars_month for tier in self.tiers.values())
        return stores + sum(pool.machines * pool.shape.dollars_month for pool in self.pools)

    @property
    def machines(self) -> int:
        return sum(tier.machines for tier in self.tiers.values()) + sum(pool.machines for pool in self.pools)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spares:
    """How many may be down: machines of a pool and brokers, spot machines of a pool; replicas of every primary and of
    every Redis node."""

    machines: int
    spot: int
    replicas: int
    nodes: int

    def of_term(self, term: str) -> int:
        """Spare machines of a pool that is paid at that term."""
        return self.spot if term == SPOT else self.machines


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """The machine chosen for each group."""

    services: Mapping[str, Shape]  # by term
    stores: Mapping[str, Shape]

    def of(self, brief: Brief, group: str) -> Shape:
        """The machine of a group's instances."""
        return self.stores[group] if brief.kinds[group] is GroupKind.STORE else self.services[brief.terms[group]]


def asked(brief: Brief) -> Spares:
    spare, lost = brief.intent.spare, brief.intent.lose_zones
    copies = max(spare, lost)  # of each part, in zones of their own
    return Spares(machines=spare, spot=spare, replicas=max(copies, brief.intent.replicas or 0), nodes=copies)


def region(brief: Brief, name: str, chosen: Shapes, spares: Spares | None = None) -> RegionPlan:
    """The counts of one region with the intent's spares, or those given; raises PlanError where there are none."""
    spares = spares or asked(brief)
    rates = brief.workload.rates(name, Moment.LOST)
    load_of = fleets.load(brief, rates, Case())
    volume = tiers.volume(brief, name, Moment.LOST)
    offers = {group: offer(brief, name, group, chosen, volume, spares) for group in counted(brief)}
    _steady(offers, load_of)
    busy = targets.busy(brief, load_of, offers)
    room = concurrency.concurrency_limits(brief, rates, load_of, offers, busy)
    found: dict[str, Tier] = {}
    for group in brief.of_kind(GroupKind.SERVICE):
        found[group] = _service(
            brief,
            group,
            load_of.get(group, GroupLoad()),
            busy[group],
            chosen.of(brief, group),
            room.get(group, {}),
            spares,
        )
    pools = tuple(_pool(brief, found, term, chosen.services[term], volume, spares) for term in brief.service_terms)
    for pool in pools:
        for group in pool.groups:
            if not found[group].given:
                spare = zones.down(brief, pool.machines, spares.of_term(pool.term))
                found[group] = _spread(found[group], pool, spare)
    for group in brief.of_kind(GroupKind.STORE):
        found[group] = _store(brief, name, group, load_of.get(group, GroupLoad()), busy[group], chosen, volume, spares)
    return RegionPlan(
        name=name,
        tiers=found,
        pools=pools,
        volume=volume,
        partitions=_partitions(brief, found),
        held_bytes=_memory_bytes(brief, name),
        load_of=load_of,
    )


def holds(brief: Brief, found: RegionPlan) -> bool:
    """Whether every limit holds in a region's worst hour."""
    if any(tier.nothing_left for tier in found.tiers.values()):
        return False
    whole = fleet_at(brief, found, Moment.LOST, Case())
    return bool(targets.holds(brief, whole, targets.limits(brief), Case())[0])


def fleet_at(brief: Brief, found: RegionPlan, moment: Moment, case: Case) -> LatencyModel:
    """A region with its working instances at a moment, under that moment's load."""
    load_of = fleets.load(brief, brief.workload.rates(found.name, moment), case)
    counts = {name: left(tier, moment) for name, tier in found.tiers.items()}
    return fleets.fleet(brief, load_of, counts, found.units, case)


def left(tier: Tier, moment: Moment) -> float:
    """Instances that share the load: all of them, or in the worst hour those that the plan counts on."""
    if moment is Moment.LOST or tier.name in (Server.REDIS, Server.POSTGRES):
        return float(tier.working)
    return float(tier.instances)


def unit_of(group: str, shape: Shape) -> GroupInstance:
    """What one instance of a group works with."""
    if group in (Server.POSTGRES, Server.KAFKA):
        return GroupInstance(cores=shape.vcpu, speed=shape.speed)
    return GroupInstance(cores=1 if fleets.is_shared(group) else 0, speed=shape.speed)


def loops_of(shape: Shape) -> int:
    """Redis processes on one node: a managed one has one, a plain machine one for each of its cores."""
    return 1 if shape.managed else shape.vcpu


def counted(brief: Brief) -> tuple[str, ...]:
    return (*brief.of_kind(GroupKind.SERVICE), *brief.of_kind(GroupKind.STORE))


def offer(brief: Brief, region_name: str, group: str, chosen: Shapes, volume: Volume, spares: Spares) -> TierOffer:
    shape = chosen.of(brief, group)
    unit = unit_of(group, shape)
    given = brief.intent.fleet.get(group)
    least = 0.0
    if group == Server.REDIS:
        held = _memory_bytes(brief, region_name)
        needs = tiers.redis_needs(
            shape,
            cores=0.0,
            busy=1.0,
            memory_bytes=held,
            network_bytes_per_second=volume.network_bytes_per_second.get(group, 0.0),
        )
        least = float(needs[0].count * loops_of(shape))
        price = shape.dollars_month / loops_of(shape) / shape.speed
    elif brief.kinds[group] is GroupKind.STORE:
        price = shape.dollars_month / shape.work
    else:
        price = shape.dollars_month / shape.vcpu / shape.speed
    fixed = None
    if given is not None:
        is_service = brief.kinds[group] is GroupKind.SERVICE  # in other zones, a store has copies
        fixed = float(max(1, given - is_service * zones.down(brief, given, spares.of_term(brief.terms[group]))))
    step = loops_of(shape) if group == Server.REDIS else 1
    return TierOffer(unit=unit, dollars=price, least=least, fixed=fixed, step=step)


def _memory_bytes(brief: Brief, region_name: str) -> float:
    share = brief.workload.shares[region_name] * brief.workload.spill(region_name)
    return brief.contents.redis_bytes * brief.workload.growth_factor * share


def disk_bytes(brief: Brief, region_name: str, *, seconds: float) -> float:
    """Bytes of one copy of a region's rows in PostgreSQL after ``seconds``, with those of regions that may be lost."""
    share = brief.workload.shares[region_name] * brief.workload.spill(region_name)
    growing = (1.0 + brief.workload.growth_factor) / 2.0
    return share * (brief.contents.rows_bytes + brief.contents.rows_bytes_per_second * growing * seconds)


def _service(
    brief: Brief, group: str, load: GroupLoad, busy: float, shape: Shape, room: Mapping[str, float], spares: Spares
) -> Tier:
    given = brief.intent.fleet.get(group)
    unit = unit_of(group, shape)
    needs = tiers.service_needs(cores=float(load.cores[0]), busy=busy, speed=shape.speed, room=room)
    missing = 0 if given is None else zones.down(brief, given, spares.of_term(brief.terms[group]))
    working = max(1, needs[0].count) if given is None else max(1, given - missing)
    return Tier(
        name=group,
        kind=GroupKind.SERVICE,
        needs=needs,
        working=working,
        instances=given or working,
        copies=1,
        busy_ratio=busy,
        unit=unit,
        shape=shape,
        machines=0,
        given=given is not None,
        nothing_left=given is not None and given <= missing,
    )


def _pool(
    brief: Brief, found: Mapping[str, Tier], term: str, shape: Shape, volume: Volume, spares: Spares
) -> MachinePool:
    """So many machines that enough of every service is left with the spares down."""
    groups = tuple(name for name in found if brief.terms[name] == term)
    spare = spares.of_term(term)
    moved = sum(volume.network_bytes_per_second.get(name, 0.0) for name in groups)
    needs = tiers.pool_needs(
        shape, processes=sum(found[name].working for name in groups), network_bytes_per_second=moved
    )
    working = max(1, needs[0].count)
    machines = zones.with_spares(brief, working, spare)
    while machines * shape.vcpu < sum(
        _instances(found[name], machines, zones.down(brief, machines, spare)) for name in groups
    ):
        machines += max(1, machines // 1000)
    return MachinePool(term=term, groups=groups, needs=needs, working=working, machines=machines, shape=shape)


def _instances(tier: Tier, machines: int, spare: int) -> int:
    """The smallest number of which, spread evenly over the machines, ``working`` are left with ``spare`` machines
    down."""
    if tier.given or not spare:
        return tier.instances
    count = tier.working
    while count - spare * -(-count // machines) < tier.working:
        count = tier.working + spare * -(-count // machines)
    return count


def _spread(tier: Tier, pool: MachinePool, spare: int) -> Tier:
    return replace(tier, instances=_instances(tier, pool.machines, spare))


def _store(
    brief: Brief,
    region_name: str,
    group: str,
    load: GroupLoad,
    busy: float,
    chosen: Shapes,
    volume: Volume,
    spares: Spares,
) -> Tier:
    shape, unit = chosen.stores[group], unit_of(group, chosen.stores[group])
    needs = store_needs(brief, region_name, group, load, busy=busy, shape=shape, volume=volume)
    given = brief.intent.fleet.get(group)
    nodes = max(1, needs[0].count) if given is None else given
    copies = 1
    if group == Server.KAFKA:
        working, instances, machines = nodes, nodes, nodes
        if given is None:
            instances = machines = zones.with_spares(brief, max(nodes, tiers.LOG_COPIES), spares.machines)
    elif group == Server.REDIS:
        copies = 1 + spares.nodes
        loops = loops_of(shape)
        working = nodes * loops if given is None else given
        machines = (nodes if given is None else tiers.ceil(given / loops)) * copies
        instances = working * copies
    else:
        copies = 1 + spares.replicas
        working, instances = nodes, nodes * copies
        machines = nodes * (-(-copies // 2) if shape.standby else copies)
        _shards_fit(brief, region_name, nodes, needs[0])
    return Tier(
        name=group,
        kind=GroupKind.STORE,
        needs=needs,
        working=working,
        instances=instances,
        copies=copies,
        busy_ratio=busy,
        unit=unit,
        shape=shape,
        machines=machines,
        given=given is not None,
        nothing_left=group == Server.KAFKA and given is not None and given <= zones.down(brief, given, spares.machines),
    )


def store_needs(
    brief: Brief, region_name: str, group: str, load: GroupLoad, *, busy: float, shape: Shape, volume: Volume
) -> tuple[Need, ...]:
    cores = float(load.cores[0])
    moved = volume.network_bytes_per_second.get(group, 0.0)
    factor = brief.workload.factor(region_name, Moment.LOST)
    if group == Server.REDIS:
        return tiers.redis_needs(
            shape,
            cores=cores,
            busy=busy,
            memory_bytes=_memory_bytes(brief, region_name),
            network_bytes_per_second=moved,
        )
    if group == Server.KAFKA:
        return tiers.kafka_needs(
            shape, cores=cores, busy=busy, bytes_per_second=brief.contents.events_bytes_per_second * factor
        )
    return tiers.postgres_needs(
        shape,
        cores=cores,
        busy=busy,
        disk_bytes=disk_bytes(brief, region_name, seconds=brief.intent.horizon_seconds),
        commits_per_second=brief.contents.commits_per_second * factor,
        network_bytes_per_second=moved,
    )


def _shards_fit(brief: Brief, region_name: str, primaries: int, need: Need) -> None:
    logical = brief.scenario.system.shards.logical
    if primaries > logical:
        raise PlanError(
            f"no steady state, first saturated: {Server.POSTGRES} in {region_name}; its {need.resource} asks for "
            f"{primaries:,} primaries ({need.says}), and system.shards.logical: {logical:,} cannot be spread further"
        )


def _steady(offers: Mapping[str, TierOffer], load_of: Mapping[str, GroupLoad]) -> None:
    """Raise PlanError if given counts are too small for the load, naming what saturates first."""
    given = {name: offer.fixed for name, offer in offers.items() if offer.fixed is not None}
    needed = {name: float(load_of.get(name, GroupLoad()).cores[0]) / offers[name].unit.work for name in given}
    full = sorted((name for name in given if needed[name] >= given[name]), key=lambda name: -needed[name] / given[name])
    if full:
        order = ", then ".join(f"{name} at {needed[name] / given[name]:.0%}" for name in full)
        first = full[0]
        raise PlanError(
            f"no steady state, first saturated: {order}; intent.fleet.{first} leaves {given[first]:,.0f} working in "
            f"the worst hour, and more than {needed[first]:,.3g} are needed"
        )


def _partitions(brief: Brief, found: Mapping[str, Tier]) -> int:
    """Partitions of each topic: at least one for every process that shares the topic's work."""
    workers = [
        tier.instances
        for name, tier in found.items()
        if {Component.FANOUT, Component.MEDIA} & set(brief.scenario.system.placement.processes.get(name, ()))
    ]
    return max(brief.scenario.system.kafka.partitions, *workers)
