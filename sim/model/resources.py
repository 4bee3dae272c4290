"""Stations, links, pools, caches and logs of one run as values: every engine builds its own from these.

Each region has its own set of everything here, region after region: of n rows in the program, those of region k begin
at k × n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np

from core import niceness
from core.bounds import OUTBOX_ASK_SECONDS
from core.names import Cache as CacheName
from core.names import Server
from core.operations import OPERATIONS
from core.policies.breaker import BreakerPolicy
from core.policies.retry import RetryPolicy
from core.profile import CpuScheduler, Profile
from core.scenario import Scenario
from core.scenario.regions import rtt_seconds
from sim.model import warmth
from sim.model.caches import Held, LruCache
from sim.model.content import Content
from sim.model.draws import lognormal_of
from sim.model.layout import Layout
from sim.model.offered import offered_per_second
from sim.model.program import PoolSpec, Program, Topic
from sim.model.redis_memory import entries_max
from sim.model.replication import SHIPPED
from sim.model.stores import OUTBOX_CLEAR

#: μ and σ of a lognormal time that is always zero.
_NO_TIME = (-math.inf, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSpec:
    """Workers of one process: of its event loop, or of its threads."""

    name: str
    host: int
    process: int  # the account of its CPU time among the host's processes
    workers: int
    weight: float = 1.0  # of each of them on a core, 1 for a niceness of 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSpec:
    """From a caller to a callee. ``mu`` and ``sigma`` describe the lognormal wire time of one round trip."""

    name: str
    mu: float
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSpec:
    """One cache, and what it holds when the run begins."""

    name: str
    capacity_bytes: float
    ttl_seconds: float
    held: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSpec:
    """One topic, and the station of its broker."""

    topic: Topic
    broker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Everything for which an engine keeps state, indexed as in the program."""

    start_seconds: float
    stations: tuple[StationSpec, ...]  # by process, then the threads of each process
    scheduler: CpuScheduler
    links: tuple[LinkSpec, ...]
    pools: tuple[PoolSpec, ...]  # by family; `pools_count` of each
    caches: tuple[CacheSpec, ...]
    breakers: tuple[int, ...]  # by dependency: instances of its caller in all regions
    delays: tuple[tuple[float, float], ...]  # (μ, σ) of a lognormal wait
    logs: tuple[LogSpec, ...]  # by job
    regions: tuple[str, ...]
    rtt_seconds: tuple[tuple[float, ...], ...]
    health_check_seconds: float
    breaker_policy: BreakerPolicy
    retry_policy: RetryPolicy
    limits: dict[str, tuple[int, float]]  # operation → (quota, seconds)
    hot_per_second: float
    hot_keys_max: int
    own_writes_seconds: float  # how long a person who has written reads from the primary
    failover_seconds: float  # from the death of a primary until a replica serves instead

    def pools_count(self, spec: PoolSpec) -> int:
        """Number of pools in a family: callers × callees, both counted over all regions."""
        return spec.callers * spec.callees * len(self.regions) ** 2

    def crosses(self, link: str) -> bool:
        """Whether an operation of this run crosses the link."""
        return any(spec.name == link for spec in self.links)


def resources_of(
    program: Program, content: Content, *, scenario: Scenario, profile: Profile, layout: Layout
) -> Resources:
    """Work out the resources of a run, with caches as seeding and a warm CDN leave them."""
    system, start_seconds = scenario.system, -scenario.traffic.warm_up_seconds
    wires = _wires(program, scenario=scenario, profile=profile)
    replication = system.shards.replication
    waits = {delay.station: lognormal_of(delay.median_seconds, delay.p99_seconds) for delay in profile.delays}
    waits[OUTBOX_CLEAR] = (math.log(OUTBOX_ASK_SECONDS / 2.0), 0.0)
    waits.setdefault(SHIPPED, lognormal_of(replication.lag_seconds, replication.lag_p99_seconds))
    regions = range(len(layout.regions))
    return Resources(
        start_seconds=start_seconds,
        stations=_stations(layout),
        scheduler=profile.scheduler,
        links=tuple(LinkSpec(name=name, mu=mu, sigma=sigma) for _ in regions for name, (mu, sigma) in wires.items()),
        pools=tuple(program.pools),
        caches=_caches(program, content, scenario=scenario, regions=len(regions), now=start_seconds),
        breakers=tuple(instances * len(regions) for _, instances in program.breakers),
        delays=tuple(waits.get(name, _NO_TIME) for name in program.delays),
        logs=tuple(_log(topic, layout, region) for region in regions for topic in program.topics),
        regions=tuple(system.regions),
        rtt_seconds=rtt_seconds(system.regions, system.geo),
        health_check_seconds=system.geo.health_check_seconds,
        breaker_policy=BreakerPolicy(failures=system.breaker.failures, open_seconds=system.breaker.open_seconds),
        retry_policy=RetryPolicy(
            attempts=system.retry.attempts,
            backoff_seconds=system.retry.backoff_seconds,
            backoff_cap_seconds=system.retry.backoff_cap_seconds,
            budget_ratio=system.retry.budget_ratio,
        ),
        limits={name: (limit.count, limit.per_seconds) for name, limit in system.gateway.limits.items()},
        hot_per_second=system.redis.hot_per_second,
        hot_keys_max=system.redis.hot_keys,
        own_writes_seconds=replication.own_writes_seconds,
        failover_seconds=replication.detection_seconds + replication.promotion_seconds,
    )


def _wires(program: Program, *, scenario: Scenario, profile: Profile) -> dict[str, tuple[float, float]]:
    """(μ, σ) of a round trip on each link, at the mean rate at which clients send requests."""
    offered = offered_per_second(scenario)
    rate = float(np.mean(np.sum([offered[name] for name in OPERATIONS], axis=0)))
    found = {}
    for name in program.links:
        wire = profile.wire(name, rate) or profile.wire("loopback", rate)  # every link of a stack on one machine
        found[name] = lognormal_of(wire.median_seconds, wire.p99_seconds) if wire is not None else _NO_TIME
    return found


def _stations(layout: Layout) -> tuple[StationSpec, ...]:
    loops = [
        StationSpec(
            name=each.name,
            host=each.host,
            process=each.account,
            workers=each.workers,
            weight=_weight(each.niceness),
        )
        for each in layout.processes
    ]
    threads = [
        StationSpec(
            name=f"{each.name} threads",
            host=each.host,
            process=each.account,
            workers=max(1, each.threads),
            weight=_weight(max(each.niceness, niceness.BACKGROUND)),  # they hash passwords and decode photos,
        )
        for each in layout.processes
    ]
    return (*loops, *threads)


def _weight(nice: int) -> float:
    return niceness.WEIGHTS[nice] / niceness.WEIGHTS[0]


def _log(topic: Topic, layout: Layout, region: int) -> LogSpec:
    shift = region * layout.span
    here = replace(topic, members=tuple(process + shift for process in topic.members))
    return LogSpec(topic=here, broker=layout.processes_of(Server.KAFKA)[0] + shift)


def _caches(
    program: Program, content: Content, *, scenario: Scenario, regions: int, now: float
) -> tuple[CacheSpec, ...]:
    """Caches of all regions with what seeding leaves in them: a card of every post and author, a timeline of everybody
    who follows someone; and the content of a warm CDN."""
    room = entries_max(content, scenario)
    caches = [_empty(CacheName(name), scenario, room) for _ in range(regions) for name in program.caches]
    people, span = content.people, len(program.caches)
    for index, cache in enumerate(caches):
        match cache.name:
            case CacheName.POST_CARD:
                posts = np.arange(people.posters * scenario.population.posts_per_poster)
                cache.fill(posts, size_bytes=1, now=now)
            case CacheName.AUTHOR_CARD:
                cache.fill(np.arange(people.posters), size_bytes=1, now=now)
            case CacheName.TIMELINE:
                followers = content.followers()
                here = followers[content.homes[followers] == index // span]
                cache.fill(here, size_bytes=1, now=now)
    for region in range(regions) if scenario.system.cdn.warm else ():
        tiers = caches[region * span : (region + 1) * span]
        warmth.warm(tiers, content, scenario=scenario, region=region, now=now)
    return tuple(
        CacheSpec(
            name=cache.name, capacity_bytes=cache.capacity_bytes, ttl_seconds=cache.ttl_seconds, held=cache.held()
        )
        for cache in caches
    )


def _empty(name: CacheName, scenario: Scenario, room: Mapping[CacheName, float]) -> LruCache:
    """A cache of the CDN holds bytes, one of Redis entries: those of a kind are taken to be of one size."""
    system = scenario.system
    cdn = system.cdn
    match name:
        case CacheName.EDGE:
            return LruCache(name=name, capacity_bytes=cdn.edge.size_bytes, ttl_seconds=cdn.ttl_seconds)
        case CacheName.SHIELD:
            return LruCache(name=name, capacity_bytes=cdn.shield.size_bytes, ttl_seconds=cdn.ttl_seconds)
        case CacheName.TIMELINE:
            return LruCache(name=name, capacity_bytes=room[name], ttl_seconds=system.fanout.ttl_seconds)
        case CacheName.POST_CARD | CacheName.AUTHOR_CARD:
            return LruCache(name=name, capacity_bytes=room[name], ttl_seconds=system.feed.card_ttl_seconds)
        case _:
            assert_never(name)
