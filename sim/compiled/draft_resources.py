"""Rows of a run's resources: hosts, stations, pools, logs, caches, stalls and idle work."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from core import streams
from core.policies.admission import INTERVAL_SECONDS
from core.policies.partition import owner_of
from sim.compiled import draft_faults
from sim.compiled.draft import Draft
from sim.compiled.memory import Array
from sim.compiled.records import NOBODY, UNASKED, TableId
from sim.model import disturbances
from sim.model.caches import Held
from sim.model.flow import Keyed


def resources(draft: Draft) -> None:
    """Add the tables of resources, and of what disturbs them."""
    resources, program, layout = draft.prepared.resources, draft.prepared.program, draft.prepared.layout
    start_seconds = resources.start_seconds
    counts = np.array([host.cores for host in layout.hosts], dtype=np.int64)
    firsts = np.cumsum(counts) - counts
    draft.add(TableId.HOSTS, len(counts), cores=counts, first=firsts, settled=start_seconds)
    hosts_of_cores = np.repeat(np.arange(len(counts)), counts)
    cores = draft.add(TableId.CORES, layout.cores, host=hosts_of_cores, changed=start_seconds)
    cores["running"] = cores["first"] = cores["last"] = NOBODY
    draft.add(TableId.PROCESSES, len(layout.processes))
    numbers = np.arange(len(resources.stations))
    stations = draft.add(
        TableId.STATIONS,
        len(numbers),
        tally=2 + numbers,
        process=numbers % len(layout.processes),
        workers=[station.workers for station in resources.stations],
        host=[station.host for station in resources.stations],
        weight=[station.weight for station in resources.stations],
        idle=NOBODY,
    )
    stations["first"] = stations["last"] = stations["waiting"] = stations["waiting_last"] = NOBODY
    _pools(draft, 2 + len(stations))
    instances = np.array([count for _, count in program.breakers], dtype=np.int64)
    counts = instances * len(layout.regions)
    first = np.cumsum(counts) - counts
    draft.add(TableId.BREAKER_FAMILIES, len(counts), first=first, instances=instances)
    draft.add(TableId.BREAKERS, counts.sum())
    draft.add(
        TableId.DELAYS,
        len(resources.delays),
        mu=[mu for mu, _ in resources.delays],
        sigma=[sigma for _, sigma in resources.delays],
    )
    _caches(draft)
    _disturbances(draft)
    draft_faults.faults(draft)


def _pools(draft: Draft, tallies: int) -> None:
    """Pools, and the tallies of stations, pools and logs, of which those before ``tallies`` are taken."""
    resources = draft.prepared.resources
    counts = np.array([resources.pools_count(spec) for spec in resources.pools], dtype=np.int64)
    total = int(counts.sum())
    draft.add(
        TableId.POOL_FAMILIES,
        len(counts),
        first=np.cumsum(counts) - counts,
        callers=[spec.callers for spec in resources.pools],
        callees=[spec.callees for spec in resources.pools],
    )
    sizes = np.repeat([spec.size for spec in resources.pools], counts)
    start_seconds = resources.start_seconds
    draft.add(
        TableId.POOLS,
        total,
        first=NOBODY,
        last=NOBODY,
        size=sizes,
        tally=tallies + np.arange(total),
        adaptive=np.repeat([spec.adaptive for spec in resources.pools], counts),
        limit=sizes,
        shortest=math.inf,
        until=start_seconds + INTERVAL_SECONDS,
    )
    draft.add(TableId.TALLIES, tallies + total + len(resources.logs), changed=start_seconds, started=start_seconds)
    _logs(draft, tallies + total)


def _logs(draft: Draft, tally: int) -> None:
    """Topics, the partitions of each, the members of each one's group; ``tally`` is the row of the first topic's."""
    resources, jobs_count = draft.prepared.resources, len(draft.prepared.program.topics)
    brokers = [log.broker for log in resources.logs]
    topics = draft.add(TableId.TOPICS, len(resources.logs), broker=brokers, looked=-math.inf)
    owners: list[tuple[int, int]] = []
    members: list[int] = []
    for index, (row, log) in enumerate(zip(topics, resources.logs, strict=True)):
        topic = log.topic
        row["tally"], row["entry"] = tally + index, draft.operations.index(topic.job)
        row["job"], row["by_author"] = index % jobs_count, topic.keyed is Keyed.AUTHOR
        row["partitions"], row["partitions_count"] = len(owners), topic.partitions
        row["members"], row["members_count"] = len(members), len(topic.members)
        owners += [(index, owner_of(number, range(len(topic.members)))) for number in range(topic.partitions)]
        members += topic.members
    partitions = draft.add(
        TableId.PARTITIONS, len(owners), topic=[topic for topic, _ in owners], owner=[owner for _, owner in owners]
    )
    partitions["first"] = partitions["last"] = partitions["holder"] = partitions["task"] = NOBODY
    draft.add(TableId.MEMBERS, len(members), station=members, expelled=resources.start_seconds)


def _caches(draft: Draft) -> None:
    specs, counts = draft.prepared.resources.caches, np.array(draft.keys_counts(), dtype=np.int64)
    caches = draft.add(
        TableId.CACHES,
        len(specs),
        capacity=[spec.capacity_bytes for spec in specs],
        ttl=[spec.ttl_seconds for spec in specs],
        slots=np.cumsum(counts) - counts,
        oldest=NOBODY,
        newest=NOBODY,
    )
    slots = draft.add(TableId.SLOTS, counts.sum(), expiry=-math.inf, waiter=UNASKED)
    for row, spec in zip(caches, specs, strict=True):
        _fill(row, slots, spec.held)


def _fill(row: Any, slots: Array, held: Held) -> None:
    """Put what a cache holds, the least recently used first, into its slots."""
    if not len(held):
        return
    keys = int(row["slots"]) + held.keys
    slots["size"][keys], slots["expiry"][keys] = held.sizes, held.expiries
    slots["older"][keys] = np.concatenate([[NOBODY], keys[:-1]])
    slots["newer"][keys] = np.concatenate([keys[1:], [NOBODY]])
    row["oldest"], row["newest"] = keys[0], keys[-1]
    row["used"] = held.sizes.sum()


def _disturbances(draft: Draft) -> None:
    prepared, stalls, seed = draft.prepared, draft.prepared.profile.stalls, draft.prepared.scenario.seed
    classes = [index for index, rate in enumerate(stalls.per_second) if rate > 0.0]
    hosts = range(len(prepared.layout.hosts))
    found = draft.add(TableId.STALLS, len(hosts) * len(classes))
    for number, index in enumerate(classes):  # host after host, of each all classes
        lower = stalls.upto_seconds[index - 1] if index else 0.0
        upper, mean = stalls.upto_seconds[index], stalls.mean_seconds[index]
        each = found[number :: len(classes)]
        each["host"], each["rate"], each["lower"], each["upper"] = hosts, stalls.per_second[index], lower, upper
        each["mean"] = mean
        each["power"] = (upper - lower) / (mean - lower) - 1.0 if lower < mean < upper else math.inf
        each["key"] = np.array([disturbances.stalls_stream(seed, host, index).key for host in hosts], dtype=np.uint64)
    idle = disturbances.idle_ratios(prepared.layout, prepared.profile)
    names = [prepared.resources.stations[number].name for number, _ in idle]
    draft.add(
        TableId.IDLES,
        len(idle),
        station=[number for number, _ in idle],
        share=[share for _, share in idle],
        key=[streams.named(seed, f"model.idle.{name}").key for name in names],
    )
