"""Builds a world from a program and its plant: every name, object and function of Python becomes rows of numbers."""

from __future__ import annotations

from typing import Final

from core import streams
from sim.compiled import draft_plant, draft_program
from sim.compiled.arrivals import Arrivals
from sim.compiled.draft import Draft, rows
from sim.compiled.records import NOBODY, Place
from sim.compiled.world import World
from sim.log import RECORDS_MAX
from sim.parts import Parts
from sim.program import Op

#: More than what every event and thread adds by itself.
_FEW: Final = 16


class Builder(Draft):
    """Collects tables; `world` makes the world."""

    def __init__(self, parts: Parts):
        super().__init__(parts)
        self.arrivals = Arrivals(parts, self.operations)

    def world(self) -> World:
        """The world before the first event."""
        timeout_lane = self.lane(self.parts.scenario.traffic.timeout_seconds)
        draft_program.program(self)
        self.tables |= self.arrivals.tables()
        draft_plant.plant(self)
        self._clock(timeout_lane)
        lanes = rows(Place.LANES, len(self.lanes))
        lanes["delay"] = self.lanes
        lanes["first"] = lanes["last"] = NOBODY
        self.tables[Place.LANES] = lanes
        # of a thread each instruction is under way once at most
        return World(self.tables, frames=len(self.parts.program.instructions) + _FEW, burst=self._burst())

    def _burst(self) -> int:
        """Threads and later events that one event can set off at most: a fault takes all stations and members,
        consumers begin with all partitions at once, and get through all that they took at once where work takes no
        time."""
        program, plant = self.parts.program, self.parts.plant
        logs = sum(log.topic.partitions + len(log.topic.members) for log in plant.logs)
        rounds = max((1 + self._starts(program.entries[job].front) for job in program.jobs), default=0)
        steps = max(max(self._starts(entry.front), self._starts(entry.behind)) for entry in program.entries.values())
        return len(plant.stations) + len(self.parts.layout.regions) + logs + RECORDS_MAX * rounds + steps + _FEW

    def _starts(self, at: int) -> int:
        """How many threads and events an instruction and all below it start."""
        step, found = self.parts.program.instructions[at], 0
        if step.op is Op.ASIDE:
            found = 1
        elif step.op is Op.EMIT:
            found = len(self.parts.layout.regions)
        elif step.op is Op.FORK:
            found = len(step.children)
        for child in step.children:
            found += self._starts(child)
        return found

    def _clock(self, timeout_lane: int) -> None:
        parts, plant = self.parts, self.parts.plant
        clock = rows(Place.CLOCK, 1)
        row, seed = clock[0], parts.scenario.seed
        row["now"] = row["start"] = row["last_ended"] = plant.kernel.now
        row["until_idle"] = parts.last_seconds
        row["retry_tokens"] = plant.retry_budget.tokens
        self.arrivals.clock(row)
        row["counting"] = plant.kernel.now >= 0.0
        layout, program = parts.layout, parts.program
        row["topics_count"], row["jobs_count"] = len(plant.logs), len(program.jobs)
        row["regions"], row["span"], row["processes_count"] = len(layout.regions), layout.span, len(layout.processes)
        row["links_count"], row["caches_count"] = len(program.links), len(program.caches)
        row["regions_up"], row["health_check"] = plant.geography.up, plant.geography.health_check_seconds
        row["push_mean"] = parts.push_mean
        row["lanes_count"], row["hosts_count"] = len(self.lanes), len(plant.hosts)
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
        self.tables[Place.CLOCK] = clock
