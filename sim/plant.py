"""The plant of one run: every station, pool, link, cache and breaker that a program's instructions speak of."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np

from core.names import Cache as CacheName
from core.names import Server
from core.policies import window
from core.policies.breaker import Breaker, BreakerPolicy
from core.policies.retry import RetryBudget, RetryPolicy
from core.profile import Profile
from core.scenario import Scenario
from sim import geography, warmth
from sim.caches import Cache
from sim.content import AUTHOR_CARD_BYTES, POST_CARD_BYTES, Content
from sim.counters import Counters
from sim.draws import lognormal_of
from sim.geography import Geography
from sim.host import Host
from sim.kernel import Kernel
from sim.layout import Layout
from sim.link import Link
from sim.log import Log
from sim.program import Program, Topic
from sim.replication import SHIPPED
from sim.station import Pool, Station


@dataclass(slots=True)
class Plant:
    """Everything with a state, indexed as the program indexes it.

    Each region has a set of stations, links, pools, caches, breakers and logs of its own, one region's behind the
    other's: of n in the program, those of region k begin at k × n.
    """

    kernel: Kernel
    layout: Layout
    hosts: list[Host]
    geography: Geography
    stations: list[Station]  # by process, then the threads of each process
    links: list[Link]
    pools: list[list[Pool]]  # by family; within one, caller × callees + callee, counted over all regions
    caches: list[Cache]
    breakers: list[list[Breaker]]  # by dependency and instance of the caller
    breaker_opened: list[int]
    delays: list[tuple[float, float]]  # (μ, σ) of a lognormal wait
    logs: list[Log]  # by job
    breaker_policy: BreakerPolicy
    retry_policy: RetryPolicy
    retry_budget: RetryBudget
    limits: dict[str, tuple[int, float]]  # operation → (quota, seconds)
    primary: list[int]  # by station: of a database's first, which of its nodes is the primary now
    hot_keys: Counters
    own_writes_seconds: float  # for so long who has written reads from the primary
    failover_seconds: float  # from the death of a primary to a replica's serving in its place
    windows: dict[tuple[str, int], tuple[float, int]] = field(default_factory=dict)  # (began, count) by who asks
    wrote_seconds: dict[int, float] = field(default_factory=dict)  # person → last commit
    unreplicated: defaultdict[int, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    #: Commits by operation that were acknowledged and then lost with a primary; `unreplicated` are those that could be,
    #: by their database's first station.
    lost_count: dict[str, int] = field(default_factory=dict)

    def lets_through(self, operation: str, person: int, now: float) -> bool:
        """Count a request under its operation's limit; whether it passes, which is what counts in the gateway too.

        Per ip is per person: everybody has an address of their own, as the load's people have.
        """
        quota, seconds = self.limits[operation]
        began, count = self.windows.get((operation, person), (-math.inf, 0))
        if window.begins(now, began, seconds):
            began, count = now, 0
        if window.passes(count, quota):
            self.windows[operation, person] = (began, count + 1)
            return True
        return False

    def cpu_seconds(self) -> list[float]:
        """CPU time that each process has had until now, in the order of the layout."""
        for host in self.hosts:
            host.settle()
        return [self.hosts[process.host].cpu_seconds[process.account] for process in self.layout.processes]

    def link(self, name: str, region: int = 0) -> Link | None:
        """A region's link called ``name``; None where no operation of this run crosses it."""
        span = len(self.links) // len(self.layout.regions)
        return next((link for link in self.links[region * span : (region + 1) * span] if link.name == name), None)


def build(kernel: Kernel, program: Program, *, scenario: Scenario, profile: Profile, layout: Layout) -> Plant:
    """Put the plant together, everything empty and up."""
    system = scenario.system
    hosts = [
        Host(kernel, name=machine.name, cores=machine.cores, processes=len(layout.on(index)))
        for index, machine in enumerate(layout.hosts)
    ]
    stations = [
        Station(kernel, hosts[each.host], name=each.name, process=each.account, workers=each.workers)
        for each in layout.processes
    ]
    stations += [
        Station(
            kernel, hosts[each.host], name=f"{each.name} threads", process=each.account, workers=max(1, each.threads)
        )
        for each in layout.processes
    ]
    wires = {wire.link: lognormal_of(wire.median_seconds, wire.p99_seconds) for wire in profile.wires}
    replication = system.shards.replication
    waits = {delay.station: lognormal_of(delay.median_seconds, delay.p99_seconds) for delay in profile.delays}
    waits.setdefault(SHIPPED, lognormal_of(replication.lag_seconds, replication.lag_p99_seconds))
    nowhere = (-math.inf, 0.0)
    loopback = wires.get("loopback", nowhere)  # every link of a stack on one machine
    regions = range(len(layout.regions))
    return Plant(
        kernel=kernel,
        layout=layout,
        hosts=hosts,
        geography=geography.of(scenario),
        stations=stations,
        links=[Link(name, *wires.get(name, loopback)) for _ in regions for name in program.links],
        pools=[
            [
                Pool(kernel, name=spec.name, size=spec.size)
                for _ in range(spec.callers * spec.callees * len(regions) ** 2)
            ]
            for spec in program.pools
        ],
        caches=[_cache(name, scenario) for _ in regions for name in program.caches],
        breakers=[[Breaker() for _ in range(instances * len(regions))] for _, instances in program.breakers],
        breaker_opened=[0] * len(program.breakers),
        delays=[waits.get(name, nowhere) for name in program.delays],
        logs=[_log(kernel, topic, stations, layout, region) for region in regions for topic in program.topics],
        breaker_policy=BreakerPolicy(failures=system.breaker.failures, open_seconds=system.breaker.open_seconds),
        retry_policy=RetryPolicy(
            attempts=system.retry.attempts,
            backoff_seconds=system.retry.backoff_seconds,
            backoff_cap_seconds=system.retry.backoff_cap_seconds,
            budget_ratio=system.retry.budget_ratio,
        ),
        retry_budget=RetryBudget(),
        primary=[0] * len(stations),
        hot_keys=Counters(hot_per_second=system.redis.hot_per_second, keys_max=system.redis.hot_keys),
        own_writes_seconds=replication.own_writes_seconds,
        failover_seconds=replication.detection_seconds + replication.promotion_seconds,
        limits={name: (limit.count, limit.per_seconds) for name, limit in system.gateway.limits.items()},
    )


def fill(plant: Plant, content: Content, *, scenario: Scenario) -> None:
    """What seeding leaves in the feed's caches: a card of every post and author, a timeline of who follows someone; and
    what a CDN holds that is warm."""
    people, now = content.people, plant.kernel.now
    span = len(plant.caches) // len(plant.layout.regions)
    for place, cache in enumerate(plant.caches):
        match cache.name:
            case CacheName.POST_CARD:
                posts = np.arange(people.posters * scenario.population.posts_per_poster)
                cache.fill(posts, size_bytes=POST_CARD_BYTES, now=now)
            case CacheName.AUTHOR_CARD:
                cache.fill(np.arange(people.posters), size_bytes=AUTHOR_CARD_BYTES, now=now)
            case CacheName.TIMELINE:
                followers = content.followers()
                here = followers[content.homes()[followers] == place // span]
                cache.fill(here, size_bytes=1, now=now)
    for region in range(len(plant.layout.regions)) if scenario.system.cdn.warm else ():
        tiers = plant.caches[region * span : (region + 1) * span]
        warmth.warm(tiers, content, scenario=scenario, region=region, now=now)


def _log(kernel: Kernel, topic: Topic, stations: list[Station], layout: Layout, region: int) -> Log:
    shift = region * layout.span
    here = replace(topic, members=tuple(place + shift for place in topic.members))
    broker = stations[layout.of(Server.KAFKA)[0] + shift]
    return Log(kernel, here, members=[stations[place] for place in here.members], broker=broker)


def _cache(name: str, scenario: Scenario) -> Cache:
    system = scenario.system
    cdn, redis = system.cdn, system.redis
    match name:
        case CacheName.EDGE:
            return Cache(name=name, capacity_bytes=cdn.edge.size_bytes, ttl_seconds=cdn.ttl_seconds)
        case CacheName.SHIELD:
            return Cache(name=name, capacity_bytes=cdn.shield.size_bytes, ttl_seconds=cdn.ttl_seconds)
        case CacheName.TIMELINE:
            return Cache(name=name, capacity_bytes=math.inf, ttl_seconds=system.fanout.ttl_seconds)
    memory_bytes = redis.memory_bytes * redis.nodes
    return Cache(name=name, capacity_bytes=memory_bytes, ttl_seconds=system.feed.card_ttl_seconds)
