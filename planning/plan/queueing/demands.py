"""Demands of every operation: CPU by process, round trips, bytes and waits, from the calibrated profile and its flow.

A planned instance is busy, so demands are those of the highest calibrated rate, where caches are warm and a wake-up
serves several events; beyond that rate nothing was measured, so they are taken as constant (an upper bound: servers
that batch spend less the busier they are). CPU that a scenario states replaces the profile's, converted to the
calibrated core by the ratio of the cores' speeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from core.names import Server
from core.operations import FANOUT_DELIVER
from core.profile import DEGRADED, Profile
from core.scenario import Scenario
from core.scenario.demand import Core
from planning.plan.queueing.paths import Path, Segment, SegmentVisit, paths
from sim.model import cpu, stated
from sim.model import flow as flows
from sim.model.components import all_flows
from sim.model.flow import Per
from sim.model.pulls import Pulls


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationDemand:
    """One operation or background job."""

    name: str
    component: str  # whose event loop executes it, or the server that answers
    paths: tuple[Path, ...]

    def probabilities(self, miss_ratio: Mapping[str, float]) -> tuple[float, ...]:
        """Probability of each path, with independent look-ups; a cache that is not named always hits."""
        found = []
        for path in self.paths:
            probability = 1.0
            for cache in sorted(path.misses):  # a set, and the order of factors changes the last digit
                probability *= miss_ratio.get(cache, 0.0)
            for cache in sorted(path.hits):
                probability *= 1.0 - miss_ratio.get(cache, 0.0)
            found.append(probability)
        return tuple(found)

    def cpu_seconds(self, miss_ratio: Mapping[str, float]) -> dict[str, float]:
        """Mean seconds of a calibrated core by process."""
        found: dict[str, float] = {}
        for probability, path in zip(self.probabilities(miss_ratio), self.paths, strict=True):
            if not probability:
                continue
            for segment in (*path.segment.every(), *path.beside.every()):
                for visit in segment.visits:
                    found[visit.process] = found.get(visit.process, 0.0) + probability * visit.seconds
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowGraph:
    """Figures of the follow graph that work depends on."""

    pushes_per_post: float
    celebrities: float
    celebrities_followed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadDemands:
    """All operations and background jobs of a workload."""

    operations: Mapping[str, OperationDemand]
    beyond: Mapping[
        tuple[str, str], SegmentVisit
    ]  # by operation and process: what its fallback path costs beyond the usual
    core: Core  # the core whose seconds these are
    error_ratio: Mapping[str, float]  # by operation: standard error of its CPU over it, from calibration
    notes: tuple[str, ...]


def demands_of(
    scenario: Scenario,
    profile: Profile,
    *,
    names: tuple[str, ...],
    graph: FollowGraph,
) -> WorkloadDemands:
    """Demands of the operations ``names`` at their highest calibrated rates.

    Raises `sim.model.cpu.NoDemandError` for operations whose own work is neither calibrated nor stated.
    """
    pages = all_flows(scenario)
    costs = _Costs(scenario, profile, pages=pages, graph=graph)
    cpu.check(costs.profile, names)
    found = {}
    for name in names:
        own = cpu.own_process(name)
        known = paths(pages[name], own=own, cost=lambda use, missed, name=name: costs.visit(name, use, missed))  # type: ignore[misc]
        unseen = Segment(visits=tuple(costs.unseen(name, pages[name])))
        found[name] = OperationDemand(
            name=name,
            component=own,
            paths=tuple(replace(path, beside=path.beside + unseen) for path in known),
        )
    fallbacks = [each for each in profile.demands if each.operation.removesuffix(DEGRADED) in names]
    return WorkloadDemands(
        operations=found,
        beyond={
            (name, each.process): visit
            for each in fallbacks
            if each.operation.endswith(DEGRADED)
            and (name := each.operation.removesuffix(DEGRADED))
            and (visit := costs.fallback(name, each.process)) is not None
        },
        core=stated.core_of(profile),
        error_ratio={name: _error_ratio(name, each, costs.profile) for name, each in found.items()},
        notes=tuple(dict.fromkeys(costs.notes)),
    )


def _error_ratio(name: str, demand: OperationDemand, profile: Profile) -> float:
    """Standard error of an operation's CPU on all processes over it, with every look-up a hit. Its processes are high
    or low together (`core.profile.drawn`)."""
    spent = demand.cpu_seconds({})
    errors = {each.process: each.error_ratio for each in profile.demands if each.operation == name}
    whole = sum(spent.values())
    return sum(spent[each] * errors.get(each, 0.0) for each in spent) / whole if whole else 0.0


class _Costs:
    """CPU of single steps."""

    def __init__(
        self,
        scenario: Scenario,
        profile: Profile,
        *,
        pages: Mapping[str, flows.OperationFlow],
        graph: FollowGraph,
    ):
        calibrated = profile.batch_sizes.get(FANOUT_DELIVER, 0.0)
        pulls = Pulls.from_profile(profile)
        self._grows = {Per.PUSH: graph.pushes_per_post / max(1.0, calibrated or graph.pushes_per_post)} | {
            per: pulls.factor(per, followed=graph.celebrities_followed, known=graph.celebrities)
            for per in (Per.PULL, Per.MERGE)
        }
        self.profile = stated.applied(profile, scenario, flows=pages, grows=self._grows)
        self.notes: list[str] = []

    def visit(self, operation: str, use: flows.Use, missed: tuple[str, ...]) -> SegmentVisit | None:
        """None if the step costs this process nothing."""
        process = str(use.process)
        found = cpu.cost(self.profile, operation, process, degraded=use.degraded)
        if found is None:
            if use.degraded and not cpu.is_measured(self.profile, operation + DEGRADED):
                self.notes.append(f"{operation}: its miss path was not calibrated")
            return None
        seconds = float(found.while_busy(cpu.BUSY)) * use.share * self._grows.get(use.per, 1.0)
        for cache in missed:
            seconds *= cpu.per_miss(self.profile, cache)
        if not seconds:
            return None
        return SegmentVisit(process=process, seconds=seconds, variation=found.demand.variation, threaded=use.threaded)

    def fallback(self, operation: str, process: str) -> SegmentVisit | None:
        """Cost of the fallback path for a process, beyond the usual path."""
        return self.visit(operation, flows.Use(process=process, degraded=True), ())

    def unseen(self, operation: str, page: flows.OperationFlow) -> Iterator[SegmentVisit]:
        """Measured or stated cost for processes that the operation's flow does not visit."""
        whole = flows.steps(page.front, page.behind)
        seen = {str(step.process) for step in flows.walk(whole) if isinstance(step, flows.Use) and not step.degraded}
        seen |= {str(Server.TOXIPROXY), str(Server.PROMETHEUS)}
        for each in self.profile.demands:
            if (
                each.operation == operation
                and each.process not in seen
                and (seconds := float(each.while_busy(cpu.BUSY)))
            ):
                yield SegmentVisit(process=each.process, seconds=seconds, variation=each.variation)
