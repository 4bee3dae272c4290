"""Cells twice as large: half as many of them, with twice the people, the traffic and the system.

If a division into cells were exact, their size would not matter. The change of a figure when it is doubled, under
common seeds, is the error of the division: what crosses cells, and what a larger pool of instances gains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core import stats
from core.names import Server
from core.scenario import Scenario
from core.scenario.model import System
from core.scenario.placement import Host, Placement
from planning.fleet.seen import SimulatedCell
from planning.fleet.whole import QUANTILES
from sim.results.paired import PairedDifference, paired_difference

#: Servers with several instances; of every other server there is one, which grows with its machine.
_SEVERAL = (Server.GATEWAY, Server.POSTGRES, Server.REDIS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One figure: its difference between a cell of twice the size and one of the usual size."""

    figure: str
    usual: float
    difference: PairedDifference  # twice as large minus usual

    @property
    def ratio(self) -> float:
        """The difference over the usual."""
        return self.difference.mean / self.usual if self.usual else math.nan


def doubled(scenario: Scenario) -> Scenario:
    """The fleet with half as many cells, each with twice of everything."""
    return replace(scenario, system=_twice(scenario.system))


def _twice(system: System) -> System:
    shards = replace(
        system.shards,
        logical=max(system.shards.logical, 2 * system.shards.physical),
        physical=2 * system.shards.physical,
    )
    cdn = system.cdn
    return replace(
        system,
        placement=_placement(system.placement),
        gateway=replace(system.gateway, instances=2 * system.gateway.instances),
        feed=replace(system.feed, instances=2 * system.feed.instances),
        shards=shards,
        redis=replace(system.redis, nodes=2 * system.redis.nodes),
        kafka=replace(system.kafka, partitions=2 * system.kafka.partitions),
        cdn=replace(
            cdn,
            edge=replace(cdn.edge, size_bytes=2 * cdn.edge.size_bytes),
            shield=replace(cdn.shield, size_bytes=2 * cdn.shield.size_bytes),
        ),
    )


def _placement(placement: Placement) -> Placement:
    instances = {name: 2 * placement.instances.get(name, 1) for name in placement.processes}
    feed = next(name for name, members in placement.processes.items() if "feed" in members)
    del instances[feed]  # its instances are the feed's own
    stack = placement.cores.stack
    more = tuple(range(max(stack) + 1, max(stack) + 1 + len(stack)))
    groups = {*placement.processes, *map(str, _SEVERAL)}
    return replace(
        placement,
        instances=instances,
        cores=replace(placement.cores, stack=(*stack, *more)),
        hosts={name: _host(host, groups) for name, host in placement.hosts.items()},
    )


def _host(host: Host, groups: set[str]) -> Host:
    """Twice as many machines, or one of twice the size if it runs a process of which there is only one."""
    if host.runs and all(name in groups for name in host.runs):
        return replace(host, count=2 * host.count)
    return replace(host, cores=2 * host.cores)


def moved(usual: Sequence[SimulatedCell], larger: Sequence[SimulatedCell]) -> tuple[Moved, ...]:
    """Differences in the latencies of every operation that both have and in each tier's utilisation, in pairs with one
    seed."""
    found = []
    names = sorted(set(usual[0].services) & set(larger[0].services))
    for name in names:
        pairs = [(one.services.get(name), two.services.get(name)) for one, two in zip(usual, larger, strict=True)]
        for q in QUANTILES:
            known = [
                (one.latency.quantile(q), two.latency.quantile(q))
                for one, two in pairs
                if one is not None and two is not None and stats.supported(one.count, q)
            ]
            if len(known) == len(usual):
                found.append(_moved(f"{name} p{q * 100:g}", [one for one, _ in known], [two for _, two in known]))
    for tier in usual[0].busy_ratio:
        if tier in larger[0].busy_ratio:
            both = ([each.busy_ratio[tier] for each in side] for side in (usual, larger))
            found.append(_moved(f"{tier} busy", *both))
    return tuple(found)


def _moved(figure: str, usual: Sequence[float], larger: Sequence[float]) -> Moved:
    return Moved(figure=figure, usual=stats.mean_interval(usual).value, difference=paired_difference(usual, larger))
