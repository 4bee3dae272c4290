"""What every operation costs: CPU by process, round trips, bytes and waits, from the calibrated profile over its page.

A planned instance is busy, so demands are those of the highest calibrated rate, where caches are warm and a wake-up
serves several events; beyond that rate nothing was measured, so they are taken as constant (an upper bound: servers
that batch spend less the busier they are). What a scenario states of its own CPU goes before the profile, brought to
the calibrated core by the ratio of the cores' speeds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from core.names import Server
from core.operations import BACKGROUND, OPERATIONS
from core.profile import DEGRADED, Profile
from core.scenario import Scenario
from core.scenario.demand import AT, Core, Demand
from sim import flow as flows
from sim.components import all_flows
from sim.flow import Per
from sim.planner.legs import Leg, Path, Visit, paths
from sim.pulls import Pulls

#: Of a value that a design states without saying how it varies.
STATED_VARIATION: Final = 0.5
#: Core of a machine that does not tell its clock: one of 2017 at its base clock.
PLAIN_CORE: Final = Core(ghz=2.5)
#: A miss path is calibrated only where at least this share of look-ups missed (as in `sim.compiler`).
_MISS_RATIO_MIN: Final = 0.01
_GHZ: Final = re.compile(r"@\s*([0-9.]+)\s*GHz")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationDemand:
    """One operation or background job."""

    name: str
    component: str  # whose event loop does it, or the server that answers
    paths: tuple[Path, ...]

    def probabilities(self, miss_ratio: Mapping[str, float]) -> tuple[float, ...]:
        """Probability of each path, its look-ups hitting independently; what is not named always hits."""
        found = []
        for path in self.paths:
            probability = 1.0
            for cache in path.misses:
                probability *= miss_ratio.get(cache, 0.0)
            for cache in path.hits:
                probability *= 1.0 - miss_ratio.get(cache, 0.0)
            found.append(probability)
        return tuple(found)

    def cpu_seconds(self, miss_ratio: Mapping[str, float]) -> dict[str, float]:
        """Seconds of a calibrated core by process, in the mean."""
        found: dict[str, float] = {}
        for probability, path in zip(self.probabilities(miss_ratio), self.paths, strict=True):
            if not probability:
                continue
            for leg in (*path.leg.every(), *path.beside.every()):
                for visit in leg.visits:
                    found[visit.process] = found.get(visit.process, 0.0) + probability * visit.seconds
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What of who follows whom some work grows with."""

    pushes_per_post: float
    celebrities: float
    celebrities_followed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """All operations and background jobs that a workload asks for."""

    operations: Mapping[str, OperationDemand]
    beyond: Mapping[tuple[str, str], Visit]  # by operation and process: what its fallback path costs beyond the usual
    core: Core  # as fast as this one are the seconds
    missing: tuple[str, ...]  # operations whose own work is neither calibrated nor stated
    notes: tuple[str, ...]


def core_of(profile: Profile) -> Core:
    """The core that a profile was measured on, by the clock in its processor's name."""
    match = _GHZ.search(str(profile.machine.get("processor", "")))
    return Core(ghz=float(match[1])) if match else PLAIN_CORE


def speed(core: Core, *, over: Core) -> float:
    """Work a second of ``core`` over that of another."""
    return core.ghz * core.ipc / (over.ghz * over.ipc)


def of(
    scenario: Scenario,
    profile: Profile,
    *,
    names: tuple[str, ...],
    graph: Graph,
    rates_per_second: Mapping[str, float] | None = None,
) -> Demands:
    """Demands of the operations ``names``, at the given rates or else at the highest calibrated ones."""
    costs = _Costs(scenario, profile, graph=graph, rates=rates_per_second)
    pages = all_flows(scenario)
    found = {}
    for name in names:
        own = str(BACKGROUND[name] if name in BACKGROUND else OPERATIONS[name].component)
        known = paths(pages[name], own=own, cost=lambda use, missed, name=name: costs.visit(name, use, missed))  # type: ignore[misc]
        unseen = Leg(visits=tuple(costs.unseen(name, pages[name])))
        found[name] = OperationDemand(
            name=name,
            component=own,
            paths=tuple(
                Path(hits=path.hits, misses=path.misses, leg=path.leg, beside=path.beside + unseen) for path in known
            ),
        )
    fallbacks = [each for each in profile.demands if each.operation.removesuffix(DEGRADED) in names]
    return Demands(
        operations=found,
        beyond={
            (name, each.process): visit
            for each in fallbacks
            if each.operation.endswith(DEGRADED)
            and (name := each.operation.removesuffix(DEGRADED))
            and (visit := costs.fallback(name, each.process)) is not None
        },
        core=core_of(profile),
        missing=tuple(name for name, each in found.items() if not _works(each)),
        notes=tuple(dict.fromkeys(costs.notes)),
    )


class _Costs:
    """What one step's CPU is."""

    def __init__(self, scenario: Scenario, profile: Profile, *, graph: Graph, rates: Mapping[str, float] | None):
        self._profile, self._rates = profile, rates
        self._demand: Demand | None = scenario.demand
        calibrated = profile.batch_sizes.get("fanout.deliver", 0.0)
        pulls = Pulls.of(profile)
        self._grows = {Per.PUSH: graph.pushes_per_post / max(1.0, calibrated or graph.pushes_per_post)} | {
            per: pulls.factor(per, followed=graph.celebrities_followed, known=graph.celebrities)
            for per in (Per.PULL, Per.MERGE)
        }
        self.notes: list[str] = []

    def visit(self, operation: str, use: flows.Use, missed: tuple[str, ...]) -> Visit | None:
        """None where the step costs this process nothing."""
        process = str(use.process)
        usual = self._seconds(operation, process)
        if use.degraded:
            seconds, variation = self._beyond(operation, process)
        else:
            seconds, variation = usual
        seconds *= use.share
        for cache in missed:  # what was measured per operation was spent by those that missed
            ratio = 1.0 - self._profile.cache_hit_ratio.get(cache, 0.0)
            seconds /= ratio if ratio >= _MISS_RATIO_MIN else 1.0
        if self._stated_seconds(operation, process) is None:  # which is that of one job as this workload has them
            seconds *= self._grows.get(use.per, 1.0)
        if not seconds:
            return None
        return Visit(process=process, seconds=seconds, variation=variation, threaded=use.threaded)

    def fallback(self, operation: str, process: str) -> Visit | None:
        """All that the fallback path costs a process beyond the usual one."""
        return self.visit(operation, flows.Use(process=process, degraded=True), ())

    def unseen(self, operation: str, page: flows.OperationFlow) -> Iterator[Visit]:
        """What the operation was measured, or stated, to cost processes that its page does not visit."""
        whole = flows.steps(page.front, page.behind)
        seen = {str(step.process) for step in flows.walk(whole) if isinstance(step, flows.Use) and not step.degraded}
        seen |= {str(Server.TOXIPROXY), str(Server.PROMETHEUS)}
        measured = [each.process for each in self._profile.demands if each.operation == operation]
        stated = [name.partition(AT)[2] for name in self._stated() if name.partition(AT)[0] == operation]
        for process in dict.fromkeys([*measured, *(each for each in stated if each)]):
            if process not in seen:
                seconds, variation = self._seconds(operation, process)
                if seconds:
                    yield Visit(process=process, seconds=seconds, variation=variation)

    def _seconds(self, operation: str, process: str) -> tuple[float, float]:
        """(CPU seconds, coefficient of variation) of one execution."""
        measured = self._profile.demand(operation, process)
        stated = self._stated_seconds(operation, process)
        if stated is not None:
            return stated, measured.variation if measured is not None else STATED_VARIATION
        if measured is None:
            return 0.0, STATED_VARIATION
        return measured.at(self._rate(operation, measured.rates_per_second)), measured.variation

    def _beyond(self, operation: str, process: str) -> tuple[float, float]:
        """What the fallback path costs beyond the usual one, in proportion to what the usual one is stated to cost."""
        fallback, usual = (self._profile.demand(name, process) for name in (operation + DEGRADED, operation))
        if fallback is None:
            if not self._calibrated(operation + DEGRADED):
                self.notes.append(f"{operation}: its miss path was not calibrated")
            return 0.0, STATED_VARIATION
        more = fallback.at(self._rate(operation, fallback.rates_per_second))
        if usual is None:
            return more, fallback.variation
        base = usual.at(self._rate(operation, usual.rates_per_second))
        stated = self._stated_seconds(operation, process)
        scale = stated / base if stated is not None and base else 1.0
        return max(0.0, more - base) * scale, fallback.variation

    def _rate(self, operation: str, measured: tuple[float, ...]) -> float:
        return measured[-1] if self._rates is None else self._rates.get(operation, 0.0)

    def _calibrated(self, operation: str) -> bool:
        return any(demand.operation == operation for demand in self._profile.demands)

    def _stated(self) -> Mapping[str, float]:
        return self._demand.cpu_seconds if self._demand is not None else {}

    def _stated_seconds(self, operation: str, process: str) -> float | None:
        stated = self._stated()
        found = stated.get(f"{operation}{AT}{process}")
        if found is None and process == _own(operation):
            found = stated.get(operation)
        if found is None or self._demand is None or self._demand.core is None:
            return found
        return found * speed(self._demand.core, over=core_of(self._profile))


def _works(operation: OperationDemand) -> bool:
    """Whether anything is known of what its own component does."""
    legs = [leg for path in operation.paths for whole in (path.leg, path.beside) for leg in whole.every()]
    return any(visit.process == operation.component for leg in legs for visit in leg.visits)


def _own(operation: str) -> str:
    return str(BACKGROUND[operation] if operation in BACKGROUND else OPERATIONS[operation].component)
