"""Does a system come back after a burst or fault while its normal load stays, and if not, how far must the load fall?

Every replication is its own search under its own seed: a system with a burst and the same system without it see the
same people and arrivals. A boundary is what most replications have; the lowest and the highest of them are the band in
which the answer is uncertain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from core.scenario import Scenario
from planning.breakpoint import scenes, search
from planning.breakpoint.scenes import Disturbance
from planning.breakpoint.search import Boundary
from planning.simulations.readings import BACK_AFTER, GOODPUT, Reading
from planning.simulations.simulator import Simulator, StudySource
from planning.simulations.task import SimulationTask, tasks
from planning.studies import words

#: How far above the boundary the burst is after which the load falls.
_BEYOND: Final = 1.15
#: The load after a burst from which the system does not come back.
_FULL_LOAD: Final[Mapping[float, bool]] = {1.0: False}

Scene = Callable[[float], Scenario]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakpointRequest:
    """What is looked for."""

    disturbances: tuple[Disturbance, ...]
    resolution_ratio: float
    observe_seconds: float
    replications: int


@dataclass(slots=True)
class Trials:
    """The readings of one search, by replication and amount."""

    readings: dict[int, dict[float, Reading]] = field(default_factory=dict)

    def add(self, replication: int, amount: float, reading: Reading) -> None:
        self.readings.setdefault(replication, {})[amount] = reading

    def came_back(self, replication: int) -> dict[float, bool]:
        """By amount, whether this replication came back."""
        return {amount: is_back(each) for amount, each in sorted(self.readings.get(replication, {}).items())}

    def boundary(self) -> Boundary:
        """The smallest amount from which the system does not come back."""
        edges = []
        for replication in sorted(self.readings):
            found = search.bracket(self.came_back(replication), start=0.0)
            edges.append(None if found is None else found.high)
        return Boundary(edges=tuple(edges))

    @property
    def amounts(self) -> tuple[float, ...]:
        """Amounts that every replication tried: those of the scan."""
        tried = [set(each) for each in self.readings.values()]
        return tuple(sorted(set.intersection(*tried))) if tried else ()

    def at(self, amount: float) -> tuple[Reading, ...]:
        """The readings at an amount."""
        return tuple(each[amount] for _, each in sorted(self.readings.items()) if amount in each)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisturbanceAnswer:
    """What was found for one kind of burst or fault."""

    disturbance: Disturbance
    trials: Trials
    boundary: Boundary
    height: float | None = None  # after which the load falls
    falls: Trials = field(default_factory=Trials)  # by remaining load

    @property
    def loads(self) -> tuple[float, ...]:
        """By replication, the highest load up to which the system comes back; 0 if it does not at any."""
        found = []
        for replication in sorted(self.falls.readings):
            edge = search.bracket({**self.falls.came_back(replication), **_FULL_LOAD}, start=0.0)
            assert edge is not None  # the full load
            found.append(edge.low)
        return tuple(sorted(found))

    @property
    def load(self) -> float:
        """The load to which it must fall so that most replications come back; 0 if none is low enough."""
        return self.loads[(len(self.loads) - 1) // 2] if self.loads else 0.0

    @property
    def slowest_seconds(self) -> float:
        """The longest time after which it came back, over all amounts and replications."""
        found = [
            reading.figures[BACK_AFTER]
            for tried in self.trials.readings.values()
            for reading in tried.values()
            if is_back(reading)
        ]
        return max(found, default=0.0)

    @property
    def returns(self) -> tuple[float, ...]:
        """Amounts of the scan above the boundary from which most replications came back."""
        value = self.boundary.value
        if value is None:
            return ()
        tried = [amount for amount in self.trials.amounts if amount > value]
        return tuple(amount for amount in tried if majority_back(self.trials.at(amount)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakpoint:
    """The answers of a study. ``carried`` is how many replications carry the normal load by themselves; without most
    of them nothing else is looked for."""

    scenario: Scenario  # the normal load, with the limits by which it is judged
    request: BreakpointRequest
    own_limits: bool  # whether the limits are the scenario's own
    normal: tuple[Reading, ...]
    answers: tuple[DisturbanceAnswer, ...]
    source: StudySource

    @property
    def carried(self) -> int:
        return sum(is_back(each) for each in self.normal)

    @property
    def carries(self) -> bool:
        """Whether the system carries its normal load, in most replications."""
        return 2 * self.carried > len(self.normal)

    @property
    def sentence(self) -> str:
        rate = f"{self.scenario.traffic.rate_per_second:.4g}/s"
        if not self.carries:
            return (
                f"{self.scenario.name} does not carry its normal load of {rate}: without any burst or fault it is down "
                f"at the end in {len(self.normal) - self.carried} of {len(self.normal)} replications. "
                "Lower traffic.rate."
            )
        return " ".join(self._of(each) for each in self.answers)

    def _of(self, answer: DisturbanceAnswer) -> str:
        name, value, amount = answer.disturbance.name, answer.boundary.value, answer.disturbance.amount
        if value is None:
            some = ""
            if answer.boundary.low is not None:
                count = len(answer.boundary.edges) - answer.boundary.none_count
                some = f" ({count} of {len(answer.boundary.edges)} replications do not)"
            return (
                f"{self.scenario.name} comes back by itself after {answer.slowest_seconds:.0f} s from every {name} "
                f"up to {amount(answer.disturbance.most)}{some}."
            )
        said = f"{self.scenario.name} does not come back from a {name} from {amount(value)}{band(answer)} on"
        if not answer.load:
            return f"{said}; not even {percent(scenes.LOADS[0])} of the normal load lets it recover."
        return f"{said}; to recover, the load must fall to {percent(answer.load)} of the normal one."


def make(scenario: Scenario, request: BreakpointRequest, *, simulator: Simulator) -> Breakpoint:
    """Search for the boundary of every disturbance, then for the load to which it must fall."""
    base, own = scenes.normal(scenario), scenes.has_limits(scenario)
    alone = scenes.undisturbed(base, request.disturbances[0], observe_seconds=request.observe_seconds)
    count = range(request.replications)
    if not own:
        first = simulator.readings(tasks(alone, "the normal load", count, simulator.shared))
        base = scenes.with_limits(base, _means(first))
        alone = scenes.undisturbed(base, request.disturbances[0], observe_seconds=request.observe_seconds)
    normal = simulator.readings(tasks(alone, "the normal load", count, simulator.shared))
    found = Breakpoint(
        scenario=base, request=request, own_limits=own, normal=normal, answers=(), source=simulator.source
    )
    if not found.carries:
        return found
    seeds = [replication for replication in count if is_back(normal[replication])]
    answers = tuple(_answer(base, each, request, seeds, simulator) for each in request.disturbances)
    return replace(found, answers=answers)


def predictions(
    found: Breakpoint, disturbance: Disturbance, amounts: Sequence[float], *, simulator: Simulator
) -> Trials:
    """What the model says of these amounts, for every replication that carries the normal load."""
    trials, request = Trials(), found.request
    seeds = [replication for replication, each in enumerate(found.normal) if is_back(each)]

    def burst(amount: float) -> Scenario:
        return scenes.disturbed(found.scenario, disturbance, amount, observe_seconds=request.observe_seconds)

    wanted = [(seed, amount) for seed in seeds for amount in amounts]
    _try(trials, wanted, burst, lambda amount: f"{disturbance.name}, {disturbance.amount(amount)}", simulator)
    return trials


def _answer(
    base: Scenario, disturbance: Disturbance, request: BreakpointRequest, seeds: Sequence[int], simulator: Simulator
) -> DisturbanceAnswer:
    def burst(amount: float) -> Scenario:
        return scenes.disturbed(base, disturbance, amount, observe_seconds=request.observe_seconds)

    trials = _search(
        burst,
        lambda amount: f"{disturbance.name}, {disturbance.amount(amount)}",
        disturbance.amounts,
        start=disturbance.start,
        request=request,
        seeds=seeds,
        simulator=simulator,
    )
    boundary = trials.boundary()
    if boundary.value is None:
        return DisturbanceAnswer(disturbance=disturbance, trials=trials, boundary=boundary)
    height = search.rounded(min(disturbance.most, _BEYOND * boundary.value))
    _try(trials, [(seed, height) for seed in seeds], burst, disturbance.amount, simulator)
    down = [seed for seed in seeds if not trials.came_back(seed)[height]]

    def fall(load: float) -> Scenario:
        return scenes.fallen(base, disturbance, height, load, observe_seconds=request.observe_seconds)

    falls = _search(
        fall,
        lambda load: f"{disturbance.name}, then {load:.0%} of the load",
        scenes.LOADS,
        start=0.0,
        request=request,
        seeds=down,
        simulator=simulator,
        known=_FULL_LOAD,
    )
    return DisturbanceAnswer(disturbance=disturbance, trials=trials, boundary=boundary, height=height, falls=falls)


def _search(
    scene: Scene,
    name: Callable[[float], str],
    amounts: Sequence[float],
    *,
    start: float,
    request: BreakpointRequest,
    seeds: Sequence[int],
    simulator: Simulator,
    known: Mapping[float, bool] | None = None,
) -> Trials:
    """Scan the amounts, then bisect for each replication; those that still search go on together. Amounts that are
    ``known`` are not tried."""
    found = Trials()
    wanted = [(seed, amount) for seed in seeds for amount in amounts]
    while wanted:
        _try(found, wanted, scene, name, simulator)
        wanted = []
        for seed in seeds:
            edge = search.bracket({**found.came_back(seed), **(known or {})}, start=start)
            following = None if edge is None else search.middle(edge, resolution_ratio=request.resolution_ratio)
            if following is not None:
                wanted.append((seed, following))
    return found


def _try(
    found: Trials,
    wanted: Sequence[tuple[int, float]],
    scene: Scene,
    name: Callable[[float], str],
    simulator: Simulator,
) -> None:
    """Simulate amounts under the seeds of replications."""
    made = {amount: scene(amount) for amount in dict.fromkeys(amount for _, amount in wanted)}
    work: list[SimulationTask] = []
    for seed, amount in wanted:
        work += tasks(made[amount], name(amount), range(seed, seed + 1), simulator.shared)
    for (seed, amount), reading in zip(wanted, simulator.readings(work), strict=True):
        found.add(seed, amount, reading)


def is_back(reading: Reading) -> bool:
    """Whether the system had come back."""
    return BACK_AFTER in reading.figures


def majority_back(readings: Sequence[Reading]) -> bool:
    """Whether it had come back in most replications."""
    return 2 * sum(map(is_back, readings)) > len(readings)


def percent(load: float) -> str:
    """``72 %``."""
    return f"{100 * load:.0f} %"


def band(answer: DisturbanceAnswer) -> str:
    """`` [1.9×–2.4×]``: the boundaries of all replications; empty for one replication."""
    low, high, count = answer.boundary.low, answer.boundary.high, len(answer.boundary.edges)
    if count == 1 or low is None:
        return ""
    if high is None:
        none = answer.boundary.none_count
        return f" [{answer.disturbance.amount(low)}; {none} of {count} replications have no boundary]"
    return f" [{answer.disturbance.amount(low)}–{answer.disturbance.amount(high)}]"


def goodput(readings: Sequence[Reading]) -> float | None:
    """Mean share that was answered within the limits at the end of the observation."""
    found = words.mean(readings, GOODPUT)
    return None if found is None else found.value


def _means(readings: Sequence[Reading]) -> Mapping[str, float]:
    names = dict.fromkeys(name for each in readings for name in each.figures)
    return {name: found.value for name in names if (found := words.mean(readings, name)) is not None}
