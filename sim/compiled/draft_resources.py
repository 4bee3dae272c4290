"""Rows of a run's resources: hosts, stations, pools, logs, caches, and what goes on without any request."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from core import streams
from core.policies.partition import owner_of
from sim.compiled import draft_faults
from sim.compiled.draft import Draft, rows
from sim.compiled.records import NOBODY, UNASKED, Place
from sim.compiled.world import Array
from sim.model import disturbances
from sim.model.caches import Held
from sim.model.flow import Keyed


def resources(draft: Draft) -> None:
    resources, program, layout = draft.prepared.resources, draft.prepared.program, draft.prepared.layout
    hosts = rows(Place.HOSTS, len(layout.hosts))
    hosts["cores"] = [host.cores for host in layout.hosts]
    hosts["changed"] = resources.start_seconds
    draft.tables[Place.HOSTS] = hosts
    processes = rows(Place.PROCESSES, len(layout.processes))
    processes["host"] = [process.host for process in layout.processes]
    draft.tables[Place.PROCESSES] = processes
    stations = rows(Place.STATIONS, len(resources.stations))
    numbers = np.arange(len(stations))
    stations["tally"], stations["process"] = 2 + numbers, numbers % len(layout.processes)
    stations["workers"] = [station.workers for station in resources.stations]
    stations["host"] = processes["host"][stations["process"]]
    stations["first"] = stations["last"] = stations["waiting"] = stations["waiting_last"] = NOBODY
    draft.tables[Place.STATIONS] = stations
    _pools(draft, 2 + len(stations))
    families = rows(Place.BREAKER_FAMILIES, max(1, len(program.breakers)))
    total = 0
    for row, (_, instances) in zip(families, program.breakers, strict=False):
        row["first"], row["instances"] = total, instances
        total += instances * len(layout.regions)
    draft.tables[Place.BREAKER_FAMILIES] = families
    draft.tables[Place.BREAKERS] = rows(Place.BREAKERS, max(1, total))
    delays = rows(Place.DELAYS, max(1, len(resources.delays)))
    for row, (mu, sigma) in zip(delays, resources.delays, strict=False):
        row["mu"], row["sigma"] = mu, sigma
    draft.tables[Place.DELAYS] = delays
    _caches(draft)
    _disturbances(draft)
    draft_faults.faults(draft)


def _pools(draft: Draft, tallies: int) -> None:
    resources = draft.prepared.resources
    families = rows(Place.POOL_FAMILIES, max(1, len(resources.pools)))
    pools = rows(Place.POOLS, max(1, sum(map(resources.pools_count, resources.pools))))
    pools["first"] = pools["last"] = NOBODY
    total = 0
    for row, spec in zip(families, resources.pools, strict=False):
        row["first"], row["callers"], row["callees"] = total, spec.callers, spec.callees
        count = resources.pools_count(spec)
        pools["size"][total : total + count] = spec.size
        total += count
    pools["tally"][:total] = tallies + np.arange(total)
    draft.tables[Place.POOL_FAMILIES] = families
    draft.tables[Place.POOLS] = pools
    found = rows(Place.TALLIES, tallies + total + len(resources.logs))
    found["changed"] = found["started"] = resources.start_seconds
    draft.tables[Place.TALLIES] = found
    _logs(draft, tallies + total)


def _logs(draft: Draft, tally: int) -> None:
    """Topics, the partitions of each, the members of each one's group."""
    resources, jobs_count = draft.prepared.resources, len(draft.prepared.program.topics)
    logs = [log.topic for log in resources.logs]
    topics = rows(Place.TOPICS, max(1, len(logs)))
    partitions = rows(Place.PARTITIONS, max(1, sum(topic.partitions for topic in logs)))
    partitions["first"] = partitions["last"] = partitions["holder"] = partitions["task"] = NOBODY
    members = rows(Place.MEMBERS, max(1, sum(len(topic.members) for topic in logs)))
    members["expelled"] = resources.start_seconds
    first = one = 0
    for place, (row, topic) in enumerate(zip(topics, logs, strict=False)):
        _, job = divmod(place, jobs_count)
        row["tally"], row["entry"], row["job"] = tally + place, draft.operations.index(topic.job), job
        row["by_author"] = topic.keyed is Keyed.AUTHOR
        row["broker"] = resources.logs[place].broker
        row["partitions"], row["partitions_count"] = first, topic.partitions
        row["members"], row["members_count"] = one, len(topic.members)
        everybody = range(len(topic.members))
        for number in range(topic.partitions):
            partitions[first + number]["topic"] = place
            partitions[first + number]["owner"] = owner_of(number, everybody)
        members["station"][one : one + len(topic.members)] = topic.members
        first, one = first + topic.partitions, one + len(topic.members)
    draft.tables |= {Place.TOPICS: topics, Place.PARTITIONS: partitions, Place.MEMBERS: members}


def _caches(draft: Draft) -> None:
    prepared = draft.prepared
    keys = draft.keys_counts()
    caches = rows(Place.CACHES, max(1, len(prepared.resources.caches)))
    slots = 0
    for row, cache, count in zip(caches, prepared.resources.caches, keys, strict=False):
        row["capacity"], row["ttl"], row["slots"] = cache.capacity_bytes, cache.ttl_seconds, slots
        slots += count
    caches["oldest"] = caches["newest"] = NOBODY
    draft.tables[Place.CACHES] = caches
    found = rows(Place.SLOTS, max(1, slots))
    found["expiry"], found["waiter"] = -math.inf, UNASKED
    for row, cache in zip(caches, prepared.resources.caches, strict=False):
        _fill(row, found, cache.held)
    draft.tables[Place.SLOTS] = found


def _disturbances(draft: Draft) -> None:
    prepared, told, seed = draft.prepared, draft.prepared.profile.stalls, draft.prepared.scenario.seed
    classes = [index for index, rate in enumerate(told.per_second) if rate > 0.0]
    hosts = range(len(prepared.layout.hosts))
    draft.stalls_count = len(hosts) * len(classes)
    found = rows(Place.STALLS, max(1, draft.stalls_count))
    for place, index in enumerate(classes):  # host after host, of each all classes
        lower = told.upto_seconds[index - 1] if index else 0.0
        upper, mean = told.upto_seconds[index], told.mean_seconds[index]
        each = found[place :: len(classes)]
        each["host"], each["rate"], each["lower"], each["upper"] = hosts, told.per_second[index], lower, upper
        each["mean"] = mean
        each["power"] = (upper - lower) / (mean - lower) - 1.0 if lower < mean < upper else math.inf
        keys = [disturbances.stalls_stream(seed, host, index).key for host in hosts]
        each["key"] = np.array(keys, dtype=np.uint64)
    draft.tables[Place.STALLS] = found
    idle = disturbances.idle_ratios(prepared.layout, prepared.profile)
    found = rows(Place.IDLES, max(1, len(idle)))
    for row, (place, share) in zip(found, idle, strict=False):
        row["share"], row["station"] = share, place
        row["key"] = streams.named(seed, f"model.idle.{prepared.resources.stations[place].name}").key
    draft.tables[Place.IDLES] = found
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
