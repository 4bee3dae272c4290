"""Utilisation of every part of a system before anything is simulated: what saturates first, and whether there is a
steady state at all.

The utilisation of a place in each second is its rate of visits times the work of one, along the path on which nothing
fails. Queueing has no part in it. A place with a utilisation of 100 % or more has no steady state: what a run shows of
it depends on the length of the run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, assert_never

import numpy as np

from core import population
from core.operations import FANOUT_DELIVER, OPERATIONS
from core.profile import DEGRADED, Profile
from core.scenario import Scenario
from core.scenario.processes import in_region
from sim.model import disturbances, layout
from sim.model.content import Content
from sim.model.draws import lognormal_of
from sim.model.flow import READS, Per, Where
from sim.model.layout import Layout
from sim.model.offered import Floats, rates_by_source, shares_per_second
from sim.model.program import Instruction, Op, Program
from sim.model.pulls import Pulls
from sim.model.replication import SHIPPED

Kind = Literal["process", "host", "pool", "partition"]

#: A peak counts when it lasts this long: after a shorter one the queue drains.
SUSTAINED_SECONDS: Final = 5
#: With this many workers a process has no queue of its own: its host has.
_MANY: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """Utilisation of one place: the mean over the judged time, and that of its busiest `SUSTAINED_SECONDS`."""

    place: str
    kind: Kind
    mean_ratio: float
    peak_ratio: float


def saturation(program: Program, scenario: Scenario, profile: Profile) -> tuple[Utilisation, ...]:
    """The utilisation of every place, the highest peak first."""
    return saturation_of(program, scenario, profile, placed=layout.layout_of(scenario), content=_content(scenario))


def saturation_of(
    program: Program, scenario: Scenario, profile: Profile, *, placed: Layout, content: Content
) -> tuple[Utilisation, ...]:
    """`saturation` for a caller that has worked out layout and content."""
    load = _Load(program, scenario, profile, placed, content)
    found = [
        Utilisation(place=place, kind=kind, mean_ratio=load.mean(busy), peak_ratio=load.peak(busy))
        for place, kind, busy in load.places()
    ]
    return tuple(sorted(found, key=lambda each: (-each.peak_ratio, each.place)))


def verdict(ranked: tuple[Utilisation, ...]) -> str | None:
    """One sentence where there is no steady state; None where there is one."""
    if not ranked or ranked[0].peak_ratio < 1.0:
        return None
    first = ranked[0]
    when = "in the mean" if first.mean_ratio >= 1.0 else f"for {SUSTAINED_SECONDS} s at the peak"
    ratio = first.mean_ratio if first.mean_ratio >= 1.0 else first.peak_ratio
    return f"no steady state, first saturated: {first.kind} {first.place} at ρ = {ratio:.2f} {when}"


def _content(scenario: Scenario) -> Content:
    viral = scenario.traffic.viral
    author = population.draw_population(scenario).nearest(viral.author.followers) if viral else None
    return Content(scenario, viral_author=author)


class _Load:
    """Work by place and second. Rates have two rows: the usual traffic, and what the viral post adds."""

    def __init__(self, program: Program, scenario: Scenario, profile: Profile, placed: Layout, content: Content):
        self._program, self._scenario, self._profile = program, scenario, profile
        self._placed, self._content = placed, content
        self._stations: dict[int, Floats] = {}
        self._held: dict[tuple[str, int], Floats] = {}  # by region: share of the places of a pool that is taken
        self._jobs: dict[tuple[str, int], Floats] = {}  # by region: rates
        self._worked: dict[tuple[str, int], Floats] = {}  # seconds that a job's consumers are at work, a second
        self._wires = {wire.link: _mean_of(wire.median_seconds, wire.p99_seconds) for wire in profile.wires}
        self._waits = {each.station: _mean_of(each.median_seconds, each.p99_seconds) for each in profile.delays}
        replication = scenario.system.shards.replication
        self._waits.setdefault(SHIPPED, _mean_of(replication.lag_seconds, replication.lag_p99_seconds))
        self._pushed, self._timelines = self._pushes()
        rates, shares = rates_by_source(scenario), shares_per_second(scenario)
        self._nothing, self._region = np.zeros(shares.shape[1]), 0
        for region, share in enumerate(shares):
            self._region = region
            for name, entry in program.entries.items():
                if name in OPERATIONS:
                    self._visit(entry.front, rates[name] * share)
                    self._visit(entry.behind, rates[name] * share)
        for (name, region), rate in self._jobs.items():
            entry, self._region = program.entries[name], region
            self._worked[name, region] = rate.sum(axis=0) * self._visit(entry.front, rate)
            self._visit(entry.behind, rate)

    def mean(self, busy: Floats) -> float:
        """Over the judged time."""
        return float(busy[self._first :].mean())

    def peak(self, busy: Floats) -> float:
        """Over the busiest consecutive seconds."""
        span = min(SUSTAINED_SECONDS, len(busy))
        sums = np.convolve(busy, np.ones(span), mode="valid")
        return float(sums.max()) / span

    @property
    def _first(self) -> int:
        return int(self._scenario.traffic.warm_up_seconds)

    def places(self) -> list[tuple[str, Kind, Floats]]:
        """Name, kind and utilisation by second of every place that can saturate."""
        processes, nothing = self._placed.processes, self._nothing
        found: list[tuple[str, Kind, Floats]] = []
        hosts = [nothing.copy() for _ in self._placed.hosts]
        idle = dict(disturbances.idle_ratios(self._placed, self._profile))
        for station, process in enumerate(processes):
            own = self._stations.get(station, nothing) + idle.get(station, 0.0)
            hosts[process.host] += own + self._stations.get(len(processes) + station, nothing)
            if process.workers < _MANY:
                found.append((process.name, "process", own / process.workers))
        lost = 1.0 - self._profile.stalls.lost_ratio
        found += [
            (machine.name, "host", busy / (machine.cores * lost))
            for machine, busy in zip(self._placed.hosts, hosts, strict=True)
        ]
        found += [(self._named(name, region), "pool", taken) for (name, region), taken in self._held.items()]
        partitions = {topic.job: topic.partitions for topic in self._program.topics}
        found += [
            (self._named(job, region), "partition", worked / partitions[job])
            for (job, region), worked in self._worked.items()
        ]
        return found

    def _named(self, name: str, region: int) -> str:
        return in_region(self._scenario, self._placed.regions[region], name)

    def _visit(self, at: int, rate: Floats) -> Floats:
        """Add the work of a step at this rate; returns its duration without queueing, by second."""
        step, nothing = self._program.instructions[at], self._nothing
        match step.op:
            case Op.USE:
                return self._use(step, step.index, step.choices, rate)
            case Op.CALL:
                if step.proxy >= 0 and step.choices:
                    self._use(step, step.proxy, step.choices[:1], rate)
                wire = self._wires.get(self._program.links[step.index], self._wires.get("loopback", 0.0))
                return self._visit(step.children[0], rate) + wire * step.trips
            case Op.HOLD:
                spec = self._program.pools[step.index]
                seconds = self._visit(step.children[0], rate)
                places = spec.callers * (1 if step.where is Where.EACH else spec.callees // step.nodes)
                taken = rate.sum(axis=0) * seconds / (places * spec.size)
                key = (spec.name, self._region)
                self._held[key] = self._held.get(key, nothing) + taken
                return seconds
            case Op.WAIT:
                return nothing + self._waits.get(self._program.delays[step.index], 0.0)
            case Op.LOOKUP:
                missed = 1.0 - self._profile.cache_hit_ratio.get(self._program.caches[step.index], 0.0)
                hit = self._visit(step.children[0], rate * (1.0 - missed))
                return (1.0 - missed) * hit + missed * self._visit(step.children[1], rate * missed)
            case Op.DECIDE:
                pushed = self._pushed
                push = self._visit(step.children[0], rate * pushed)
                return pushed * push + (1.0 - pushed) * self._visit(step.children[1], rate * (1.0 - pushed))
            case Op.EMIT:
                everybody = range(len(self._placed.regions)) if step.everywhere else (self._region,)
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
            case Op.LIMIT | Op.MARK | Op.FAIL | Op.MISSED | Op.COMMITTED:
                return nothing
            case _:
                assert_never(step.op)

    def _use(self, step: Instruction, row: int, choices: tuple[int, ...], rate: Floats) -> Floats:
        demand = self._program.demands[row]
        if demand.operation.endswith(DEGRADED):  # nothing fails on the path that is walked
            return self._nothing
        seconds = np.asarray(demand.mean_seconds)[: rate.shape[1]] * step.share * self._size(step.per)
        shift = (self._region + step.hop) % len(self._placed.regions) * self._placed.span
        for choice, share in self._spread(step, choices).items():
            choice += shift
            self._stations[choice] = (
                self._stations.get(choice, self._nothing) + (rate * share[:, None]).sum(axis=0) * seconds
            )
        return seconds

    def _size(self, per: Per) -> float:
        content, sizes = self._content, self._profile.batch_sizes
        match per:
            case Per.VISIT:
                return 1.0
            case Per.PUSH:
                mean = max(1.0, sizes.get(FANOUT_DELIVER, content.mean_push_count()))
                return self._timelines * content.share(self._region) / mean
            case Per.PULL | Per.MERGE:
                pulls = Pulls.from_profile(self._profile)
                return pulls.factor(per, followed=content.mean_pull_count(), known=content.celebrities())
            case _:
                assert_never(per)

    def _pushes(self) -> tuple[float, float]:
        """Share of posts that are pushed, and to how many timelines each of those is."""
        posters = self._content.people.posters
        pushed = 1.0 - self._content.celebrities() / posters
        return pushed, self._content.mean_push_count() / pushed if pushed else 0.0

    def _spread(self, step: Instruction, choices: tuple[int, ...]) -> dict[int, Floats]:
        """Share of the visits that each choice gets, for the usual traffic and for that of the viral post."""
        nodes = step.nodes if len(choices) > 1 else 1
        count = len(choices) // nodes
        even = np.full(count, 1.0 / count)
        viral = even
        if step.where in (Where.AUTHOR, Where.COUNTER) and self._content.viral_author is not None:
            place = self._content.instance(self._content.viral_author) if step.where is Where.AUTHOR else 0
            viral = np.eye(count)[place % count] if step.where is Where.AUTHOR or not self._splits() else even
        roles = {0: 1.0} if step.role == 0 else {step.role: 1.0}
        if step.role == READS:
            roles = dict.fromkeys(range(1, nodes), 1.0 / (nodes - 1)) if nodes > 1 else {0: 1.0}
        return {
            choices[instance * nodes + role]: np.array([even[instance], viral[instance]]) * part
            for instance in range(count)
            for role, part in roles.items()
        }

    def _splits(self) -> bool:
        return self._scenario.system.redis.hot_keys > 1


def _mean_of(median_seconds: float, p99_seconds: float) -> float:
    """Mean of the lognormal distribution with this median and 99 % quantile: exp(μ + σ² / 2)."""
    mu, sigma = lognormal_of(median_seconds, p99_seconds)
    return math.exp(mu + sigma * sigma / 2.0)
