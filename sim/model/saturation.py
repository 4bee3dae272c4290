"""Utilisation of every resource of a system before anything is simulated: what saturates first, and whether there is a
steady state at all.

The utilisation of a resource in each second is its rate of visits times the work of one visit, along the path on which
nothing fails; queueing is left out. A resource with a utilisation of 100 % or more has no steady state: the figures of
a run then depend on the length of the run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, assert_never

import numpy as np

from core.operations import OPERATIONS
from core.profile import DEGRADED
from core.scenario.processes import in_region
from sim.model import disturbances
from sim.model.flow import READS, Per, Where
from sim.model.offered import Floats, rates_by_source, shares_per_second
from sim.model.prepared import PreparedRun
from sim.model.program import Instruction, Op

Kind = Literal["process", "host", "pool", "partition"]

#: A peak counts when it lasts this long: after a shorter one the queue drains.
SUSTAINED_SECONDS: Final = 5
#: A process with this many workers has no queue: its host has.
_MANY: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """Utilisation of one resource: the mean over the judged time, and that of its busiest `SUSTAINED_SECONDS`."""

    name: str
    kind: Kind
    mean_ratio: float
    peak_ratio: float


def saturation(prepared: PreparedRun) -> tuple[Utilisation, ...]:
    """The utilisation of every resource, the highest peak first."""
    load = _Load(prepared)
    found = [
        Utilisation(name=name, kind=kind, mean_ratio=load.mean(busy), peak_ratio=load.peak(busy))
        for name, kind, busy in load.resources()
    ]
    return tuple(sorted(found, key=lambda each: (-each.peak_ratio, each.name)))


def verdict(ranked: tuple[Utilisation, ...]) -> str | None:
    """One sentence where there is no steady state; None where there is one."""
    if not ranked or ranked[0].peak_ratio < 1.0:
        return None
    first = ranked[0]
    when = "in the mean" if first.mean_ratio >= 1.0 else f"for {SUSTAINED_SECONDS} s at the peak"
    ratio = first.mean_ratio if first.mean_ratio >= 1.0 else first.peak_ratio
    return f"no steady state, first saturated: {first.kind} {first.name} at ρ = {ratio:.2f} {when}"


class _Load:
    """Work by resource and second. Rates have two rows: the usual traffic, and what the viral post adds."""

    def __init__(self, prepared: PreparedRun):
        self._prepared, self._program = prepared, prepared.program
        self._layout, self._content = prepared.layout, prepared.content
        self._stations: dict[int, Floats] = {}
        self._held: dict[tuple[str, int], Floats] = {}  # by pool and region: share of its slots that is in use
        self._jobs: dict[tuple[str, int], Floats] = {}  # by job and region: rates
        self._worked: dict[tuple[str, int], Floats] = {}  # seconds per second that a job's consumers work
        self._wires = [_mean_of(spec.mu, spec.sigma) for spec in prepared.resources.links]
        self._waits = [_mean_of(mu, sigma) for mu, sigma in prepared.resources.delays]
        # share of posts that are pushed, and timelines written for each of those
        self._pushed = 1.0 - self._content.celebrities() / self._content.people.posters
        self._timelines = self._content.mean_push_count() / self._pushed if self._pushed else 0.0
        rates, shares = rates_by_source(prepared.scenario), shares_per_second(prepared.scenario)
        self._nothing, self._region = np.zeros(shares.shape[1]), 0
        for region, share in enumerate(shares):
            self._region = region
            for name, entry in self._program.entries.items():
                if name in OPERATIONS:
                    self._visit(entry.front, rates[name] * share)
                    self._visit(entry.behind, rates[name] * share)
        for (name, region), rate in self._jobs.items():
            entry, self._region = self._program.entries[name], region
            self._worked[name, region] = rate.sum(axis=0) * self._visit(entry.front, rate)
            self._visit(entry.behind, rate)

    def mean(self, busy: Floats) -> float:
        """Mean over the judged time."""
        return float(busy[int(self._prepared.scenario.traffic.warm_up_seconds) :].mean())

    def peak(self, busy: Floats) -> float:
        """Mean over the busiest consecutive seconds."""
        span = min(SUSTAINED_SECONDS, len(busy))
        sums = np.convolve(busy, np.ones(span), mode="valid")
        return float(sums.max()) / span

    def resources(self) -> list[tuple[str, Kind, Floats]]:
        """Name, kind and utilisation by second of every resource that can saturate."""
        processes, nothing = self._layout.processes, self._nothing
        found: list[tuple[str, Kind, Floats]] = []
        hosts = [nothing.copy() for _ in self._layout.hosts]
        idle = dict(disturbances.idle_ratios(self._layout, self._prepared.profile))
        for station, process in enumerate(processes):
            own = self._stations.get(station, nothing) + idle.get(station, 0.0)
            hosts[process.host] += own + self._stations.get(len(processes) + station, nothing)
            if process.workers < _MANY:
                found.append((process.name, "process", own / process.workers))
        left = 1.0 - self._prepared.profile.stalls.lost_ratio
        found += [
            (machine.name, "host", busy / (machine.cores * left))
            for machine, busy in zip(self._layout.hosts, hosts, strict=True)
        ]
        found += [(self._named(name, region), "pool", taken) for (name, region), taken in self._held.items()]
        partitions = {topic.job: topic.partitions for topic in self._program.topics}
        found += [
            (self._named(job, region), "partition", worked / partitions[job])
            for (job, region), worked in self._worked.items()
        ]
        return found

    def _named(self, name: str, region: int) -> str:
        return in_region(self._prepared.scenario, self._layout.regions[region], name)

    def _visit(self, at: int, rate: Floats) -> Floats:
        """Add the work of a step at this rate; returns its duration without queueing, by second."""
        step, nothing = self._program.instructions[at], self._nothing
        match step.op:
            case Op.USE:
                return self._use(step, step.index, step.choices, rate)
            case Op.CALL:
                if step.proxy >= 0 and step.choices:
                    self._use(step, step.proxy, step.choices[:1], rate)
                return self._visit(step.children[0], rate) + self._wires[step.index] * step.trips
            case Op.HOLD:
                spec = self._program.pools[step.index]
                seconds = self._visit(step.children[0], rate)
                pools = spec.callers * (1 if step.where is Where.EACH else spec.callees // step.nodes)
                taken = rate.sum(axis=0) * seconds / (pools * spec.size)
                key = (spec.name, self._region)
                self._held[key] = self._held.get(key, nothing) + taken
                return seconds
            case Op.WAIT:
                return nothing + self._waits[step.index]
            case Op.LOOKUP:
                missed = 1.0 - self._prepared.profile.cache_hit_ratio.get(self._program.caches[step.index], 0.0)
                hit = self._visit(step.children[0], rate * (1.0 - missed))
                return (1.0 - missed) * hit + missed * self._visit(step.children[1], rate * missed)
            case Op.DECIDE:
                pushed = self._pushed
                push = self._visit(step.children[0], rate * pushed)
                return pushed * push + (1.0 - pushed) * self._visit(step.children[1], rate * (1.0 - pushed))
            case Op.EMIT:
                everybody = range(len(self._layout.regions)) if step.everywhere else (self._region,)
                for region in everybody:
                    key = (self._program.jobs[step.index], region)
                    self._jobs[key] = self._jobs.get(key, np.zeros_like(rate)) + rate
                return nothing
            case Op.ASIDE:
                self._visit(step.children[0], rate)
                return nothing
            case Op.PARALLEL:
                longest = nothing
                for child in step.children:
                    longest = np.maximum(longest, self._visit(child, rate))
                return longest
            case Op.DEADLINE:
                return np.minimum(self._visit(step.children[0], rate), step.seconds)
            case Op.RESCUE | Op.BREAKER:
                return self._visit(step.children[0], rate)
            case Op.SEQUENCE | Op.ADMIT | Op.RETRY | Op.STAGE:
                total = nothing
                for child in step.children:
                    total = total + self._visit(child, rate)
                return total
            case Op.LIMIT | Op.BACKLOG | Op.MARK | Op.FAIL | Op.MISSED | Op.COMMITTED:
                return nothing
            case _:
                assert_never(step.op)

    def _use(self, step: Instruction, row: int, choices: tuple[int, ...], rate: Floats) -> Floats:
        demand = self._program.demands[row]
        if demand.operation.endswith(DEGRADED):  # nothing fails on the path that is walked
            return self._nothing
        seconds = np.asarray(demand.mean_seconds)[: rate.shape[1]] * step.share * self._size(step.per)
        shift = (self._region + step.hop) % len(self._layout.regions) * self._layout.span
        for choice, share in self._spread(step, choices).items():
            before = self._stations.get(choice + shift, self._nothing)
            self._stations[choice + shift] = before + (rate * share[:, None]).sum(axis=0) * seconds
        return seconds

    def _size(self, per: Per) -> float:
        content, prepared = self._content, self._prepared
        match per:
            case Per.VISIT:
                return 1.0
            case Per.PUSH:
                return self._timelines * content.share(self._region) / prepared.push_mean
            case Per.PULL | Per.MERGE:
                return prepared.pulls.factor(per, followed=content.mean_pull_count(), known=content.celebrities())
            case _:
                assert_never(per)

    def _spread(self, step: Instruction, choices: tuple[int, ...]) -> dict[int, Floats]:
        """Share of the visits that each choice gets, for the usual traffic and for that of the viral post."""
        nodes = step.nodes if len(choices) > 1 else 1
        count = len(choices) // nodes
        even = viral = np.full(count, 1.0 / count)
        author = self._content.viral_author
        if step.where is Where.AUTHOR and author is not None:
            viral = np.eye(count)[self._content.instance(author) % count]
        elif step.where is Where.COUNTER and author is not None and self._prepared.resources.hot_keys_max <= 1:
            viral = np.eye(count)[0]
        roles = {step.role: 1.0}
        if step.role == READS:
            roles = dict.fromkeys(range(1, nodes), 1.0 / (nodes - 1)) if nodes > 1 else {0: 1.0}
        return {
            choices[instance * nodes + role]: np.array([even[instance], viral[instance]]) * part
            for instance in range(count)
            for role, part in roles.items()
        }


def _mean_of(mu: float, sigma: float) -> float:
    """Mean of a lognormal distribution."""
    return math.exp(mu + sigma * sigma / 2.0)
