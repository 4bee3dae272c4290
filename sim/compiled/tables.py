"""Builds a world from a program and its plant: every name, object and function of Python becomes rows of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from core import streams
from core.names import Server
from core.operations import OPERATIONS, steps_of
from core.policies.partition import owner_of, partition_of
from sim import disturbances, faults
from sim.caches import node_of
from sim.compiled import routing, stores, walk
from sim.compiled.records import KINDS, NOBODY, Place
from sim.compiled.world import Array, World
from sim.flow import Keyed, Keys, Per
from sim.jobs import CLASSES
from sim.parts import Parts
from sim.program import Instruction, Op

#: The job that readers wait for.
_FOR_READERS: Final = "fanout.deliver"


def rows(place: Place, count: int) -> Array:
    """Empty rows of a table."""
    return np.zeros(count, dtype=KINDS[place])


class Builder:
    """Collects tables; `world` makes the world."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self._tables: dict[Place, Array] = {}
        self.reasons: list[str] = []
        self.operations = tuple(parts.program.entries)
        self.deeds: list[faults.Deed] = []
        self._lanes: list[float] = []

    def world(self) -> World:
        """The world before the first event."""
        parts = self._parts
        timeout_lane = self._lane(parts.scenario.traffic.timeout_seconds)
        self._program()
        self._schedule()
        self._plant()
        self._clock(timeout_lane)
        lanes = rows(Place.LANES, len(self._lanes))
        lanes["delay"] = self._lanes
        lanes["first"] = lanes["last"] = NOBODY
        self._tables[Place.LANES] = lanes
        # one event can add at most a row for every instruction, for each thread that it starts
        return World(self._tables, reserve=4 * len(parts.program.instructions) + 64)

    def _lane(self, seconds: float) -> int:
        if seconds not in self._lanes:
            self._lanes.append(seconds)
        return self._lanes.index(seconds)

    # --- the program ------------------------------------------------------------------------------------------------

    def _program(self) -> None:
        program = self._parts.program
        found = rows(Place.INSTRUCTIONS, len(program.instructions))
        children: list[int] = []
        choices: list[int] = []
        for row, step in zip(found, program.instructions, strict=True):
            row["op"], row["visit"], row["index"] = step.op, step.visit, step.index
            row["share"], row["seconds"], row["trips"] = step.share, step.seconds, step.trips
            row["size"], row["coalesce"], row["proxy"] = step.size, step.coalesce, step.proxy
            row["sent"], row["nodes"], row["role"] = step.sent, step.nodes, step.role
            row["home"], row["hop"] = step.home, step.hop
            row["where"] = routing.WHERE_CODES[step.where]
            row["per"] = walk.PER_CODES[step.per]
            row["keys"] = self._keys(step)
            row["children"], row["children_count"] = len(children), len(step.children)
            row["choices"], row["choices_count"] = len(choices), len(step.choices)
            row["lane"] = self._lane(step.seconds) if step.op is Op.DEADLINE else NOBODY
            children += step.children
            choices += step.choices
        self._tables[Place.INSTRUCTIONS] = found
        self._numbers(Place.CHILDREN, children)
        self._numbers(Place.CHOICES, choices)
        means: list[float] = []
        demands = rows(Place.DEMANDS, len(program.demands))
        for row, demand in zip(demands, program.demands, strict=True):
            row["sigma"], row["means"], row["seconds_count"] = demand.sigma, len(means), len(demand.mean_seconds)
            means += demand.mean_seconds
        self._tables[Place.DEMANDS] = demands
        self._tables[Place.MEANS] = np.array(means, dtype=np.float64)
        self._tables[Place.STAGES] = rows(Place.STAGES, max(1, len(program.stages)))
        self._tables[Place.REASONS] = rows(Place.REASONS, max(1, len(self.reasons)))
        jobs = rows(Place.JOB_TALLIES, max(1, len(program.jobs)))
        jobs["for_readers"][: len(program.jobs)] = [job == _FOR_READERS for job in program.jobs]
        self._tables[Place.JOB_TALLIES] = jobs
        self._tables[Place.JOB_CLASSES] = rows(Place.JOB_CLASSES, max(1, len(program.jobs)) * CLASSES)

    def _keys(self, step: Instruction) -> int:
        match step.op:
            case Op.MARK:
                if step.keys not in self.reasons:
                    self.reasons.append(step.keys)
                return self.reasons.index(step.keys)
            case Op.LOOKUP | Op.MISSED:
                return walk.KEYS_CODES[Keys(step.keys)]
            case Op.COMMITTED:
                return self.operations.index(step.keys)
        return 0

    # --- the schedule -----------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        schedule, content = self._parts.schedule, self._parts.content
        found = rows(Place.ARRIVALS, max(1, len(schedule)))
        count = len(schedule)
        authors = content.authors(schedule.target, schedule.person)
        people, person_rows = np.unique(schedule.person, return_inverse=True)
        known, author_rows = np.unique(authors, return_inverse=True)
        found["at"][:count], found["act"][:count] = schedule.at_seconds, schedule.act
        found["person"][:count], found["author"][:count] = schedule.person, authors
        found["limit_row"][:count] = person_rows
        found["page"][:count] = person_rows
        instances = np.array([content.instance(person) for person in people.tolist()], dtype=np.int32)
        found["person_instance"][:count] = instances[person_rows]
        instances = np.array([content.instance(author) for author in known.tolist()], dtype=np.int32)
        found["author_instance"][:count] = instances[author_rows]
        plans = [content.fanout(author) for author in known.tolist()]
        pushes = np.array([plan.push_count for plan in plans])
        found["pushes"][:count] = (pushes > 0)[author_rows]
        found["push_count"][:count] = pushes[author_rows]
        homes = np.array([content.home(author) for author in known.tolist()], dtype=np.int32)
        found["author_home"][:count] = homes[author_rows]
        found["readers"][:count] = np.array([content.readers(author) for author in known.tolist()])[author_rows]
        self._people(found[:count], people.tolist(), person_rows)
        self._counters(found[:count])
        self._partitions_of(found[:count], known, author_rows)
        found["photo_bytes"][:count] = np.array([content.photo_bytes(author) for author in known.tolist()])[author_rows]
        self._tables[Place.ARRIVALS] = found
        self._pages(people.tolist())
        self._limits(len(people))
        steps: list[int] = []
        acts = rows(Place.ACTS, len(schedule.acts))
        for row, act in zip(acts, schedule.acts, strict=True):
            names = steps_of(act)
            row["steps"], row["steps_count"] = len(steps), len(names)
            steps += [self.operations.index(name) for name in names]
        self._tables[Place.ACTS] = acts
        self._numbers(Place.STEPS, steps)
        most = int(acts["steps_count"][schedule.act].sum()) if count else 0
        self._tables[Place.SAMPLES] = rows(Place.SAMPLES, most + 1)

    def _people(self, found: Array, people: list[int], person_rows: Array) -> None:
        """What depends on who asks: the node with their keys, what they pull."""
        content, pulls, known = self._parts.content, self._parts.pulls, self._parts.content.celebrities()
        if self._parts.scenario.system.redis.nodes > 1:
            found["person_node"] = np.array([content.node(person) for person in people])[person_rows]
        found["person_home"] = np.array([content.home(person) for person in people], dtype=np.int32)[person_rows]
        wanted = {step.per for step in self._parts.program.instructions}
        for name, per in (("pull_factor", Per.PULL), ("merge_factor", Per.MERGE)):
            if per in wanted:
                factors = [pulls.factor(per, followed=content.pulls(person), known=known) for person in people]
                found[name] = np.array(factors)[person_rows]
        wrote = rows(Place.WROTE, max(1, len(people)))
        wrote[:] = -math.inf
        self._tables[Place.WROTE] = wrote

    def _counters(self, found: Array) -> None:
        """Counters of posts, where they lie on more than one node."""
        parts = self._parts
        if parts.scenario.system.redis.nodes > 1 and len(found):
            posts, counter_rows = np.unique(
                np.array([parts.content.post(target) for target in parts.schedule.target.tolist()]), return_inverse=True
            )
            found["counter"] = counter_rows
            found["counter_node"] = np.array([parts.content.counter_node(post) for post in posts.tolist()])[
                counter_rows
            ]
            self._tables[Place.COUNTERS] = rows(Place.COUNTERS, len(posts) * len(parts.layout.regions))

    def _partitions_of(self, found: Array, authors: Array, author_rows: Array) -> None:
        """Where events of each request go: all topics have the same number of partitions."""
        if not self._parts.program.topics:
            return
        partitions = self._parts.program.topics[0].partitions
        keys = np.array([partition_of(str(author).encode(), partitions) for author in authors.tolist()])
        found["author_partition"] = keys[author_rows]
        acts = self._parts.schedule.acts
        starting = [index for index, act in enumerate(acts) if len(steps_of(act)) > 1 or not _is_read(act)]
        for number in np.flatnonzero(np.isin(self._parts.schedule.act, starting)).tolist():
            found["number_partition"][number] = partition_of(str(number).encode(), partitions)

    def _pages(self, people: Iterable[int]) -> None:
        wanted = any(
            step.op in (Op.LOOKUP, Op.MISSED) and step.keys in (Keys.POSTS, Keys.AUTHORS)
            for step in self._parts.program.instructions
        )
        asked = list(people)
        pages = rows(Place.PAGES, max(1, len(asked)))
        posts: list[int] = []
        authors: list[int] = []
        if wanted:
            for row, person in zip(pages, asked, strict=False):
                own_posts, own_authors = self._parts.content.page(person)
                row["posts"], row["posts_count"] = len(posts), len(own_posts)
                row["authors"], row["authors_count"] = len(authors), len(own_authors)
                posts += own_posts
                authors += own_authors
        self._tables[Place.PAGES] = pages
        self._numbers(Place.PAGE_POSTS, posts)
        self._numbers(Place.PAGE_AUTHORS, authors)

    def _limits(self, people: int) -> None:
        entries = rows(Place.ENTRIES, len(self.operations))
        places = heads = 0
        program = self._parts.program
        for row, name in zip(entries, self.operations, strict=True):
            row["front"], row["behind"] = program.entries[name].front, program.entries[name].behind
            limit = self._parts.plant.limits.get(name)
            if limit is not None:
                row["limit_count"], row["limit_seconds"] = math.ceil(limit[0]), limit[1]
                row["limit_place"], row["limit_heads"] = places, heads
                places += people * int(row["limit_count"])
                heads += people
        self._tables[Place.ENTRIES] = entries
        self._tables[Place.RECENTS] = rows(Place.RECENTS, max(1, places))
        self._tables[Place.RECENT_HEADS] = rows(Place.RECENT_HEADS, max(1, heads))

    # --- the plant --------------------------------------------------------------------------------------------------

    def _plant(self) -> None:
        plant, program = self._parts.plant, self._parts.program
        hosts = rows(Place.HOSTS, len(plant.hosts))
        hosts["cores"] = [host.cores for host in plant.hosts]
        hosts["changed"] = plant.kernel.now
        self._tables[Place.HOSTS] = hosts
        layout = plant.layout
        processes = rows(Place.PROCESSES, len(layout.processes))
        processes["host"] = [process.host for process in layout.processes]
        self._tables[Place.PROCESSES] = processes
        stations = rows(Place.STATIONS, len(plant.stations))
        for index, (row, station) in enumerate(zip(stations, plant.stations, strict=True)):
            process = index % len(layout.processes)
            row["tally"], row["process"], row["workers"] = 2 + index, process, station.workers
            row["host"] = layout.processes[process].host
        stations["first"] = stations["last"] = stations["waiting"] = stations["waiting_last"] = NOBODY
        self._tables[Place.STATIONS] = stations
        self._pools(2 + len(stations))
        families = rows(Place.BREAKER_FAMILIES, max(1, len(program.breakers)))
        total = 0
        for row, (_, instances) in zip(families, program.breakers, strict=False):
            row["first"], row["instances"] = total, instances
            total += instances * len(layout.regions)
        self._tables[Place.BREAKER_FAMILIES] = families
        self._tables[Place.BREAKERS] = rows(Place.BREAKERS, max(1, total))
        delays = rows(Place.DELAYS, max(1, len(plant.delays)))
        for row, (mu, sigma) in zip(delays, plant.delays, strict=False):
            row["mu"], row["sigma"] = mu, sigma
        self._tables[Place.DELAYS] = delays
        self._caches()
        self._disturbances()
        self._faults()

    def _pools(self, tallies: int) -> None:
        plant = self._parts.plant
        families = rows(Place.POOL_FAMILIES, max(1, len(plant.pools)))
        pools = rows(Place.POOLS, max(1, sum(len(family) for family in plant.pools)))
        pools["first"] = pools["last"] = NOBODY
        total = 0
        for row, spec, family in zip(families, self._parts.program.pools, plant.pools, strict=False):
            row["first"], row["callers"], row["callees"] = total, spec.callers, spec.callees
            for pool in family:
                pools[total]["size"], pools[total]["tally"] = pool.size, tallies + total
                total += 1
        self._tables[Place.POOL_FAMILIES] = families
        self._tables[Place.POOLS] = pools
        found = rows(Place.TALLIES, tallies + total + len(plant.logs))
        found["changed"] = found["started"] = plant.kernel.now
        self._tables[Place.TALLIES] = found
        self._logs(tallies + total)

    def _logs(self, tally: int) -> None:
        """Topics, the partitions of each, the members of each one's group."""
        program, plant = self._parts.program, self._parts.plant
        logs = [log.topic for log in plant.logs]
        topics = rows(Place.TOPICS, max(1, len(logs)))
        partitions = rows(Place.PARTITIONS, max(1, sum(topic.partitions for topic in logs)))
        partitions["first"] = partitions["last"] = partitions["holder"] = partitions["task"] = NOBODY
        members = rows(Place.MEMBERS, max(1, sum(len(topic.members) for topic in logs)))
        members["expelled"] = plant.kernel.now
        first = one = 0
        for place, (row, topic) in enumerate(zip(topics, logs, strict=False)):
            region, job = divmod(place, len(program.topics))
            row["tally"], row["entry"], row["job"] = tally + place, self.operations.index(topic.job), job
            row["by_author"] = topic.keyed is Keyed.AUTHOR
            row["broker"] = plant.layout.of(Server.KAFKA)[0] + region * plant.layout.span
            row["partitions"], row["partitions_count"] = first, topic.partitions
            row["members"], row["members_count"] = one, len(topic.members)
            everybody = range(len(topic.members))
            for number in range(topic.partitions):
                partitions[first + number]["topic"] = place
                partitions[first + number]["owner"] = owner_of(number, everybody)
            members["station"][one : one + len(topic.members)] = topic.members
            first, one = first + topic.partitions, one + len(topic.members)
        self._tables |= {Place.TOPICS: topics, Place.PARTITIONS: partitions, Place.MEMBERS: members}

    def _caches(self) -> None:
        parts = self._parts
        keys = self._keys_counts()
        caches = rows(Place.CACHES, max(1, len(parts.plant.caches)))
        slots = 0
        for row, cache, count in zip(caches, parts.plant.caches, keys, strict=False):
            row["capacity"], row["ttl"], row["slots"] = cache.capacity_bytes, cache.ttl_seconds, slots
            slots += count
        caches["oldest"] = caches["newest"] = NOBODY
        self._tables[Place.CACHES] = caches
        found = rows(Place.SLOTS, max(1, slots))
        found["waiter"] = found["waiter_last"] = NOBODY
        for row, cache in zip(caches, parts.plant.caches, strict=False):
            _fill(row, found, cache.held())
        self._tables[Place.SLOTS] = found

    def _keys_counts(self) -> list[int]:
        """How many keys each cache can be asked for."""
        content = self._parts.content
        found = [1] * len(self._parts.plant.caches)
        for step in self._parts.program.instructions:
            if step.op in (Op.LOOKUP, Op.MISSED):
                for place in range(step.index, len(found), len(self._parts.program.caches)):
                    found[place] = max(found[place], content.keys_count(Keys(step.keys)))
        return found

    def _disturbances(self) -> None:
        parts, told, seed = self._parts, self._parts.profile.stalls, self._parts.scenario.seed
        classes = [
            (host, index)
            for host in range(len(parts.plant.hosts))
            for index, rate in enumerate(told.per_second)
            if rate > 0.0
        ]
        found = rows(Place.STALLS, max(1, len(classes)))
        for row, (host, index) in zip(found, classes, strict=False):
            lower = told.upto_seconds[index - 1] if index else 0.0
            upper, mean = told.upto_seconds[index], told.mean_seconds[index]
            row["host"], row["rate"], row["lower"], row["upper"] = host, told.per_second[index], lower, upper
            row["mean"] = mean
            row["power"] = (upper - lower) / (mean - lower) - 1.0 if lower < mean < upper else math.inf
            row["key"] = disturbances.stalls_stream(seed, host, index).key
        self._tables[Place.STALLS] = found
        self.stalls_count = len(classes)
        idle = disturbances.idle_ratios(parts.plant.layout, parts.profile)
        found = rows(Place.IDLES, max(1, len(idle)))
        for row, (place, share) in zip(found, idle, strict=False):
            row["share"], row["station"] = share, place
            row["key"] = streams.named(seed, f"model.idle.{parts.plant.stations[place].name}").key
        self._tables[Place.IDLES] = found
        self.idles_count = len(idle)

    def _faults(self) -> None:
        plant = self._parts.plant
        self.deeds = faults.deeds(plant, scenario=self._parts.scenario, profile=self._parts.profile)
        links = rows(Place.LINKS, max(1, len(plant.links)))
        for row, link in zip(links, plant.links, strict=False):
            row["mu"], row["sigma"] = link.mu, link.sigma
        found = rows(Place.DEEDS, max(1, len(self.deeds)))
        stations: list[int] = []
        caches: list[int] = []
        for row, deed in zip(found, self.deeds, strict=False):
            row["at"], row["for_seconds"] = deed.at_seconds, deed.for_seconds
            row["began"] = row["ended"] = math.nan
            row["kind"], row["region"] = stores.TOXIC_KINDS.index(deed.fault.kind), deed.regions[0]
            row["stations"], row["stations_count"] = len(stations), len(deed.stations)
            row["caches"], row["caches_count"] = len(caches), len(deed.caches) if deed.nodes == 1 else 0
            stations += deed.stations
            caches += deed.caches if deed.nodes == 1 else ()
        self._toxics(links, found)
        self._lost_keys(found)
        self._replicas(found)
        self._regions(len(found))
        self._tables |= {Place.LINKS: links, Place.DEEDS: found}
        self._numbers(Place.DEED_STATIONS, stations)
        self._numbers(Place.DEED_CACHES, caches)

    def _toxics(self, links: Array, deeds: Array) -> None:
        """A toxic for every link that a fault acts on; those of one link together, in the order in which they begin."""
        names, span = self._parts.program.links, len(self._parts.program.links)
        acting = sorted(
            (names.index(deed.link) + region * span, deed.at_seconds, number)
            for number, deed in enumerate(self.deeds)
            if deed.link is not None
            for region in deed.regions
        )
        toxics = rows(Place.TOXICS, max(1, len(acting)))
        by_deed: dict[int, list[int]] = {}
        for place, (link, _, number) in enumerate(acting):
            if not links[link]["faults_count"]:
                links[link]["faults"] = place
            links[link]["faults_count"] += 1
            by_deed.setdefault(number, []).append(place)
            fault, row = self.deeds[number].fault, toxics[place]
            row["link"], row["kind"], row["end"] = link, stores.TOXIC_KINDS.index(fault.kind), fault.end_seconds
            row["latency"], row["jitter"] = fault.latency_seconds or 0.0, fault.jitter_seconds
            row["bandwidth"], row["timeout"] = fault.bandwidth_bytes or 0.0, fault.timeout_seconds or 0.0
        listed: list[int] = []
        for number, row in enumerate(deeds[: len(self.deeds)]):
            row["toxics"], row["toxics_count"] = len(listed), len(by_deed.get(number, ()))
            listed += by_deed.get(number, ())
        self._tables[Place.TOXICS] = toxics
        self._numbers(Place.DEED_TOXICS, listed)

    def _regions(self, deeds: int) -> None:
        """Who serves whom, and how far regions are from each other."""
        geography, operations = self._parts.plant.geography, len(self.operations)
        count = len(geography.names)
        self._tables |= {
            Place.SERVING: np.array(geography.serving, dtype=np.int64),
            Place.RTTS: np.array(geography.rtt_seconds, dtype=np.float64).reshape(-1),
            Place.SHARES: np.array([self._parts.content.share(region) for region in range(count)]),
            Place.NOT_THERE: rows(Place.NOT_THERE, count * count * operations),
            Place.LACKING: rows(Place.LACKING, deeds * count * operations),
            Place.REROUTES: rows(Place.REROUTES, 2 * deeds * count + 1),
        }

    def _lost_keys(self, found: Array) -> None:
        """Keys that are lost with one node of several, as pairs of cache and slot."""
        keys: list[int] = []
        for row, deed in zip(found, self.deeds, strict=False):
            row["keys"] = len(keys) // 2
            for cache in deed.caches if deed.nodes > 1 else ():
                name, first = self._parts.plant.caches[cache].name, int(self._tables[Place.CACHES][cache]["slots"])
                for key in range(self._keys_counts()[cache]):
                    if node_of(name, key, deed.nodes) == deed.node:
                        keys += (cache, first + key)
            row["keys_count"] = len(keys) // 2 - row["keys"]
        self._numbers(Place.DEED_KEYS, keys)

    def _replicas(self, found: Array) -> None:
        """Who takes the place of each process that dies, where it is a database's."""
        plant, layout, operations = self._parts.plant, self._parts.layout, len(self.operations)
        dying: list[int] = []
        for row, deed in zip(found, self.deeds, strict=False):
            processes = [place for place in deed.stations if place < len(layout.processes)]
            row["promotions"], row["promotions_count"] = len(dying), len(processes)
            dying += processes
        promotions = rows(Place.PROMOTIONS, max(1, len(dying)))
        promotions["at"] = math.nan
        for row, dead in zip(promotions, dying, strict=False):
            first = dead - layout.processes[dead].replica
            row["first"], row["dead"] = first, dead
            row["nodes"] = layout.nodes(layout.processes[first].group)
        self._tables |= {
            Place.PROMOTIONS: promotions,
            Place.PRIMARIES: np.array(plant.primary, dtype=np.int64),
            Place.UNREPLICATED: rows(Place.UNREPLICATED, len(plant.stations) * operations),
            Place.MISSING: rows(Place.MISSING, len(promotions) * operations),
            Place.LOST: rows(Place.LOST, operations),
        }

    def _clock(self, timeout_lane: int) -> None:
        parts, plant = self._parts, self._parts.plant
        clock = rows(Place.CLOCK, 1)
        row, seed = clock[0], parts.scenario.seed
        row["now"] = row["start"] = row["last_ended"] = plant.kernel.now
        row["until_idle"] = parts.last_seconds
        row["retry_tokens"] = plant.retry_budget.tokens
        row["open"] = row["arrivals_count"] = len(parts.schedule)
        row["counting"] = plant.kernel.now >= 0.0
        layout, program = parts.layout, parts.program
        row["topics_count"], row["jobs_count"] = len(plant.logs), len(program.jobs)
        row["regions"], row["span"], row["processes_count"] = len(layout.regions), layout.span, len(layout.processes)
        row["links_count"], row["caches_count"] = len(program.links), len(program.caches)
        row["regions_up"], row["health_check"] = plant.geography.up, plant.geography.health_check_seconds
        row["push_mean"] = parts.push_mean
        row["lanes_count"], row["hosts_count"] = len(self._lanes), len(plant.hosts)
        row["timeout_lane"] = timeout_lane
        row["breaker_failures"] = plant.breaker_policy.failures
        row["breaker_open_seconds"] = plant.breaker_policy.open_seconds
        row["retry_attempts"], row["retry_ratio"] = plant.retry_policy.attempts, plant.retry_policy.budget_ratio
        row["retry_base"], row["retry_cap"] = plant.retry_policy.backoff_seconds, plant.retry_policy.backoff_cap_seconds
        row["operations_count"] = len(self.operations)
        row["own_writes"], row["failover"] = plant.own_writes_seconds, plant.failover_seconds
        row["hot_per_second"], row["hot_keys_max"] = plant.hot_keys.hot_per_second, plant.hot_keys.keys_max
        for name in ("demand", "wait", "plain"):
            row[f"{name}_key"] = streams.named(seed, f"model.{name}").key
        self._tables[Place.CLOCK] = clock

    def _numbers(self, place: Place, numbers: list[int]) -> None:
        self._tables[place] = np.array(numbers or [0], dtype=KINDS[place])


def _is_read(act: str) -> bool:
    """Whether an act only reads, and so puts nothing on the log."""
    return act in OPERATIONS and OPERATIONS[act].method == "GET"


def _fill(row: Any, slots: Array, held: Iterable[tuple[int, int, float]]) -> None:
    """Put a cache's entries (key, bytes, expiry), the least recently used first, into its slots."""
    entries = list(held)
    if not entries:
        return
    keys = int(row["slots"]) + np.array([key for key, _, _ in entries])
    slots["held"][keys] = 1
    slots["size"][keys] = [size for _, size, _ in entries]
    slots["expiry"][keys] = [expiry for _, _, expiry in entries]
    slots["older"][keys] = np.concatenate([[NOBODY], keys[:-1]])
    slots["newer"][keys] = np.concatenate([keys[1:], [NOBODY]])
    row["oldest"], row["newest"] = keys[0], keys[-1]
    row["used"] = sum(size for _, size, _ in entries)
