"""Rows of a run's resources: hosts, stations, pools, logs, caches, stalls and idle work."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from core import streams
from core.policies.partition import owner_of
from sim.compiled import draft_faults
from sim.compiled.draft import Draft, rows
from sim.compiled.memory import Array
from sim.compiled.records import NOBODY, UNASKED, TableId
from sim.model import disturbances
from sim.model.caches import Held
from sim.model.flow import Keyed


def resources(draft: Draft) -> None:
    resources, program, layout = draft.prepared.resources, draft.prepared.program, draft.prepared.layout
    hosts = rows(TableId.HOSTS, len(layout.hosts))
    hosts["cores"] = [host.cores for host in layout.hosts]
    hosts["changed"] = resources.start_seconds
    draft.tables[TableId.HOSTS] = hosts
    processes = rows(TableId.PROCESSES, len(layout.processes))
    processes["host"] = [process.host for process in layout.processes]
    draft.tables[TableId.PROCESSES] = processes
    stations = rows(TableId.STATIONS, len(resources.stations))
    numbers = np.arange(len(stations))
    stations["tally"], stations["process"] = 2 + numbers, numbers % len(layout.processes)
    stations["workers"] = [station.workers for station in resources.stations]
    stations["host"] = processes["host"][stations["process"]]
    stations["first"] = stations["last"] = stations["waiting"] = stations["waiting_last"] = NOBODY
    draft.tables[TableId.STATIONS] = stations
    _pools(draft, 2 + len(stations))
    families = rows(TableId.BREAKER_FAMILIES, max(1, len(program.breakers)))
    total = 0
    for row, (_, instances) in zip(families, program.breakers, strict=False):
        row["first"], row["instances"] = total, instances
        total += instances * len(layout.regions)
    draft.tables[TableId.BREAKER_FAMILIES] = families
    draft.tables[TableId.BREAKERS] = rows(TableId.BREAKERS, max(1, total))
    delays = rows(TableId.DELAYS, max(1, len(resources.delays)))
    for row, (mu, sigma) in zip(delays, resources.delays, strict=False):
        row["mu"], row["sigma"] = mu, sigma
    draft.tables[TableId.DELAYS] = delays
    _caches(draft)
    _disturbances(draft)
    draft_faults.faults(draft)


def _pools(draft: Draft, tallies: int) -> None:
    resources = draft.prepared.resources
    families = rows(TableId.POOL_FAMILIES, max(1, len(resources.pools)))
    pools = rows(TableId.POOLS, max(1, sum(map(resources.pools_count, resources.pools))))
    pools["first"] = pools["last"] = NOBODY
    total = 0
    for row, spec in zip(families, resources.pools, strict=False):
        row["first"], row["callers"], row["callees"] = total, spec.callers, spec.callees
        count = resources.pools_count(spec)
        pools["size"][total : total + count] = spec.size
        total += count
    pools["tally"][:total] = tallies + np.arange(total)
    draft.tables[TableId.POOL_FAMILIES] = families
    draft.tables[TableId.POOLS] = pools
    found = rows(TableId.TALLIES, tallies + total + len(resources.logs))
    found["changed"] = found["started"] = resources.start_seconds
    draft.tables[TableId.TALLIES] = found
    _logs(draft, tallies + total)


def _logs(draft: Draft, tally: int) -> None:
    """Topics, the partitions of each, the members of each one's group."""
    resources, jobs_count = draft.prepared.resources, len(draft.prepared.program.topics)
    logs = [log.topic for log in resources.logs]
    topics = rows(TableId.TOPICS, max(1, len(logs)))
    partitions = rows(TableId.PARTITIONS, max(1, sum(topic.partitions for topic in logs)))
    partitions["first"] = partitions["last"] = partitions["holder"] = partitions["task"] = NOBODY
    members = rows(TableId.MEMBERS, max(1, sum(len(topic.members) for topic in logs)))
    members["expelled"] = resources.start_seconds
    first = first_member = 0
    for index, (row, topic) in enumerate(zip(topics, logs, strict=False)):
        _, job = divmod(index, jobs_count)
        row["tally"], row["entry"], row["job"] = tally + index, draft.operations.index(topic.job), job
        row["by_author"] = topic.keyed is Keyed.AUTHOR
        row["broker"] = resources.logs[index].broker
        row["partitions"], row["partitions_count"] = first, topic.partitions
        row["members"], row["members_count"] = first_member, len(topic.members)
        everybody = range(len(topic.members))
        for number in range(topic.partitions):
            partitions[first + number]["topic"] = index
            partitions[first + number]["owner"] = owner_of(number, everybody)
        members["station"][first_member : first_member + len(topic.members)] = topic.members
        first, first_member = first + topic.partitions, first_member + len(topic.members)
    draft.tables |= {TableId.TOPICS: topics, TableId.PARTITIONS: partitions, TableId.MEMBERS: members}


def _caches(draft: Draft) -> None:
    prepared = draft.prepared
    keys = draft.keys_counts()
    caches = rows(TableId.CACHES, max(1, len(prepared.resources.caches)))
    slots = 0
    for row, cache, count in zip(caches, prepared.resources.caches, keys, strict=False):
        row["capacity"], row["ttl"], row["slots"] = cache.capacity_bytes, cache.ttl_seconds, slots
        slots += count
    caches["oldest"] = caches["newest"] = NOBODY
    draft.tables[TableId.CACHES] = caches
    found = rows(TableId.SLOTS, max(1, slots))
    found["expiry"], found["waiter"] = -math.inf, UNASKED
    for row, cache in zip(caches, prepared.resources.caches, strict=False):
        _fill(row, found, cache.held)
    draft.tables[TableId.SLOTS] = found


def _disturbances(draft: Draft) -> None:
    prepared, stalls, seed = draft.prepared, draft.prepared.profile.stalls, draft.prepared.scenario.seed
    classes = [index for index, rate in enumerate(stalls.per_second) if rate > 0.0]
    hosts = range(len(prepared.layout.hosts))
    draft.stalls_count = len(hosts) * len(classes)
    found = rows(TableId.STALLS, max(1, draft.stalls_count))
    for number, index in enumerate(classes):  # host after host, of each all classes
        lower = stalls.upto_seconds[index - 1] if index else 0.0
        upper, mean = stalls.upto_seconds[index], stalls.mean_seconds[index]
        each = found[number :: len(classes)]
        each["host"], each["rate"], each["lower"], each["upper"] = hosts, stalls.per_second[index], lower, upper
        each["mean"] = mean
        each["power"] = (upper - lower) / (mean - lower) - 1.0 if lower < mean < upper else math.inf
        keys = [disturbances.stalls_stream(seed, host, index).key for host in hosts]
        each["key"] = np.array(keys, dtype=np.uint64)
    draft.tables[TableId.STALLS] = found
    idle = disturbances.idle_ratios(prepared.layout, prepared.profile)
    found = rows(TableId.IDLES, max(1, len(idle)))
    for row, (number, share) in zip(found, idle, strict=False):
        row["share"], row["station"] = share, number
        row["key"] = streams.named(seed, f"model.idle.{prepared.resources.stations[number].name}").key
    draft.tables[TableId.IDLES] = found
    draft.idles_count = len(idle)


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
