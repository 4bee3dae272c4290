"""Builds the memory of a run from a `PreparedRun`: names, objects and functions of Python become rows of numbers."""

from __future__ import annotations

from typing import Final

from core import streams
from core.bounds import CONSUMER_RECORDS_MAX
from core.policies.retry import RetryBudget
from sim.compiled import draft_program, draft_resources
from sim.compiled.arrivals import ArrivalRows
from sim.compiled.draft import Draft
from sim.compiled.memory import Memory
from sim.compiled.records import NOBODY, TableId
from sim.model.prepared import PreparedRun
from sim.model.program import Op

#: More events and threads than any one of them adds by itself.
_FEW: Final = 16


class Builder(Draft):
    """Makes all tables of a run; `memory` returns them."""

    def __init__(self, prepared: PreparedRun):
        super().__init__(prepared)
        self.arrivals = ArrivalRows(prepared, self.operations)

    def memory(self) -> Memory:
        """The memory before the first event."""
        timeout_lane = self.lane(self.prepared.scenario.traffic.timeout_seconds)
        draft_program.program(self)
        self.tables |= self.arrivals.tables()
        draft_resources.resources(self)
        self._clock(timeout_lane)
        self.add(TableId.LANES, len(self.lanes), delay=self.lanes, first=NOBODY, last=NOBODY)
        # a thread has at most one frame of each instruction
        return Memory(self.tables, frames=len(self.prepared.program.instructions) + _FEW, burst=self._burst())

    def _burst(self) -> int:
        """The most threads and later events that one event can start: a fault affects all stations and members;
        consumers begin all partitions at once, and finish everything they took at once where work takes no time."""
        program, resources = self.prepared.program, self.prepared.resources
        logs = sum(log.topic.partitions + len(log.topic.members) for log in resources.logs)
        rounds = max((1 + self._starts(program.entries[job].front) for job in program.jobs), default=0)
        steps = max(max(self._starts(entry.front), self._starts(entry.behind)) for entry in program.entries.values())
        regions = len(self.prepared.layout.regions)
        return len(resources.stations) + regions + logs + CONSUMER_RECORDS_MAX * rounds + steps + _FEW

    def _starts(self, at: int) -> int:
        """Threads and events that an instruction and all below it start."""
        step = self.prepared.program.instructions[at]
        own = {Op.ASIDE: 1, Op.EMIT: len(self.prepared.layout.regions), Op.PARALLEL: len(step.children)}
        return own.get(step.op, 0) + sum(self._starts(child) for child in step.children)

    def _clock(self, timeout_lane: int) -> None:
        prepared, resources = self.prepared, self.prepared.resources
        row, seed = self.add(TableId.CLOCK, 1)[0], prepared.scenario.seed
        row["now"] = row["start"] = row["last_ended"] = resources.start_seconds
        row["until_idle"] = prepared.last_seconds
        row["retry_tokens"] = RetryBudget().tokens
        self.arrivals.clock(row)
        row["counting"] = resources.start_seconds >= 0.0
        layout, program = prepared.layout, prepared.program
        row["topics_count"], row["jobs_count"] = len(resources.logs), len(program.jobs)
        row["regions"], row["span"], row["processes_count"] = len(layout.regions), layout.span, len(layout.processes)
        row["links_count"], row["caches_count"] = len(program.links), len(program.caches)
        row["regions_up"], row["health_check"] = (1 << len(layout.regions)) - 1, resources.health_check_seconds
        row["push_mean"] = prepared.push_mean
        row["lanes_count"] = len(self.lanes)
        row["hosts_count"], row["cores_count"] = len(layout.hosts), layout.cores
        row["tick"], row["slice"] = resources.scheduler.tick_seconds, resources.scheduler.slice_seconds
        row["timeout_lane"] = timeout_lane
        row["breaker_failures"] = resources.breaker_policy.failures
        row["breaker_open_seconds"] = resources.breaker_policy.open_seconds
        retry = resources.retry_policy
        row["retry_attempts"], row["retry_ratio"] = retry.attempts, retry.budget_ratio
        row["retry_base"], row["retry_cap"] = retry.backoff_seconds, retry.backoff_cap_seconds
        row["operations_count"] = len(self.operations)
        row["own_writes"], row["failover"] = resources.own_writes_seconds, resources.failover_seconds
        row["hot_per_second"], row["hot_keys_max"] = resources.hot_per_second, resources.hot_keys_max
        for name in ("demand", "wait", "plain"):
            row[f"{name}_key"] = streams.named(seed, f"model.{name}").key
