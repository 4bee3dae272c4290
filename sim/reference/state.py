"""The state of one run: every station, pool, link, cache and breaker."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

from core.policies import window
from core.policies.breaker import Breaker
from core.policies.retry import RetryBudget
from sim.model.caches import LruCache
from sim.model.layout import Layout
from sim.model.program import PoolSpec
from sim.model.resources import CacheSpec, Resources
from sim.reference.counters import PostCounters
from sim.reference.geography import Geography
from sim.reference.host import HostCpu
from sim.reference.kernel import Kernel
from sim.reference.link import LinkState
from sim.reference.log import Log
from sim.reference.station import AdmissionPool, BoundedPool, Station


@dataclass(slots=True)
class RunState:
    """Everything that changes during a run, indexed as `sim.model.resources.Resources` are."""

    kernel: Kernel
    layout: Layout
    resources: Resources
    hosts: list[HostCpu]
    geography: Geography
    stations: list[Station]  # by process, then the threads of each process
    links: list[LinkState]
    pools: list[list[BoundedPool]]  # by family; within one, caller × callees + callee, counted over all regions
    caches: list[LruCache]
    breakers: list[list[Breaker]]  # by dependency and instance of the caller
    breaker_opened: list[int]
    delays: list[tuple[float, float]]  # (μ, σ) of a lognormal wait
    logs: list[Log]  # by job
    primary: list[int]  # by station: of a database's first, which of its nodes is the primary now
    hot_keys: PostCounters
    retry_budget: RetryBudget = field(default_factory=RetryBudget)
    windows: dict[tuple[str, int], tuple[float, int]] = field(default_factory=dict)  # (began, count) by who asks
    wrote_seconds: dict[int, float] = field(default_factory=dict)  # person → last commit
    unreplicated: defaultdict[int, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    #: Commits by operation that were acknowledged and then lost with a primary; `unreplicated` has those that could be
    #: lost, by their database's first station.
    lost_count: dict[str, int] = field(default_factory=dict)

    def lets_through(self, operation: str, person: int, now: float) -> bool:
        """Count a request under its operation's limit and return whether it passes; as in the gateway, only requests
        that pass count.

        A limit per IP address is a limit per person: each person has a different address, as in the load.
        """
        quota, seconds = self.resources.limits[operation]
        began, count = self.windows.get((operation, person), (-math.inf, 0))
        if window.begins(now, began, seconds):
            began, count = now, 0
        if window.passes(count, quota):
            self.windows[operation, person] = (began, count + 1)
            return True
        return False

    def cpu_seconds(self) -> list[float]:
        """CPU seconds that each process has used so far, in the order of the layout."""
        for host in self.hosts:
            host.settle()
        return [self.hosts[process.host].cpu_seconds[process.account] for process in self.layout.processes]

    def link(self, name: str, region: int = 0) -> LinkState:
        """A region's link called ``name``; some operation of this run crosses it (`sim.model.faults.schedule`)."""
        span = len(self.links) // len(self.layout.regions)
        return next(link for link in self.links[region * span : (region + 1) * span] if link.name == name)


def _pool(kernel: Kernel, spec: PoolSpec) -> BoundedPool:
    if spec.adaptive:
        return AdmissionPool(kernel, name=spec.name, size=spec.size)
    return BoundedPool(kernel, name=spec.name, size=spec.size)


def build(resources: Resources, *, layout: Layout) -> RunState:
    """The state at the beginning of a run: everything is up, and caches have the content of their specs."""
    kernel = Kernel(start_seconds=resources.start_seconds)
    hosts = [
        HostCpu(
            kernel,
            name=machine.name,
            cores=machine.cores,
            processes=len(layout.on(index)),
            scheduler=resources.scheduler,
        )
        for index, machine in enumerate(layout.hosts)
    ]
    stations = [
        Station(
            kernel,
            hosts[spec.host],
            name=spec.name,
            process=spec.process,
            workers=spec.workers,
            weight=spec.weight,
        )
        for spec in resources.stations
    ]
    return RunState(
        kernel=kernel,
        layout=layout,
        resources=resources,
        hosts=hosts,
        geography=Geography(
            names=resources.regions,
            rtt_seconds=resources.rtt_seconds,
            health_check_seconds=resources.health_check_seconds,
        ),
        stations=stations,
        links=[LinkState(spec.name, spec.mu, spec.sigma) for spec in resources.links],
        pools=[[_pool(kernel, spec) for _ in range(resources.pools_count(spec))] for spec in resources.pools],
        caches=[_cache(spec) for spec in resources.caches],
        breakers=[[Breaker() for _ in range(instances)] for instances in resources.breakers],
        breaker_opened=[0] * len(resources.breakers),
        delays=list(resources.delays),
        logs=[
            Log(
                kernel,
                spec.topic,
                members=[stations[index] for index in spec.topic.members],
                broker=stations[spec.broker],
            )
            for spec in resources.logs
        ],
        primary=[0] * len(stations),
        hot_keys=PostCounters(hot_per_second=resources.hot_per_second, keys_max=resources.hot_keys_max),
    )


def _cache(spec: CacheSpec) -> LruCache:
    cache = LruCache(name=spec.name, capacity_bytes=spec.capacity_bytes, ttl_seconds=spec.ttl_seconds)
    cache.hold(spec.held)
    return cache
