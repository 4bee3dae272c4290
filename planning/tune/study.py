"""Tuning: a search for the best settings by cost × latency × freshness, with the uncertainty of its answer.

Three steps, each with seeds of its own: the search tries many settings on few replications; the best few are simulated
again with many, beside today's, and one is chosen; the choice is compared with today's on replications that had no part
in choosing it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.errors import UserError
from core.scenario import Scenario, explain
from planning.simulations.readings import FRESHNESS, Reading
from planning.simulations.results import JOURNAL_FILE
from planning.simulations.simulator import Simulator, StudySource
from planning.simulations.task import Setup, SimulationTask, tasks
from planning.studies import grid, words
from planning.studies.difference import ROUNDING, FigureDifference, compare
from planning.studies.grid import GridPoint, Settings
from planning.tune import optimum, search
from planning.tune.optimum import PRODUCT, MissingFigureError, Objective, Optimum, TriedSetting
from planning.tune.pareto import front
from planning.tune.search import Ask, Sampler, Trial, TrialOutcome
from planning.tune.space import Dimension, today
from present.progress import ProgressReport

#: The scenario with the best settings.
BEST_FILE: Final = "best.yaml"
#: Settings that tie with the best one and are named.
_TIES_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneRequest:
    """The request of a tuning."""

    dimensions: tuple[Dimension, ...]
    objectives: tuple[Objective, ...]
    trials: int
    search_replications: int
    replications: int
    few: int  # candidates that are examined again
    sampler: Sampler = "tpe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tune:
    """The trials, the candidates and the choice. The first candidate is today's setting."""

    scenario: Scenario
    request: TuneRequest  # without what cannot act
    idle: tuple[Dimension, ...]  # asked for, and left out because no figure depends on them
    objectives: tuple[Objective, ...]
    trials: tuple[Trial, ...]
    candidates: tuple[TriedSetting, ...]
    optimum: Optimum
    best: GridPoint
    differences: tuple[FigureDifference, ...]  # best against today's, on fresh replications; empty if they are the same
    source: StudySource

    @property
    def today(self) -> TriedSetting:
        """The scenario's own setting."""
        return self.candidates[0]

    @property
    def chosen(self) -> TriedSetting:
        return self.candidates[self.optimum.best]

    @property
    def ties(self) -> tuple[TriedSetting, ...]:
        """Other candidates with the outcomes of the chosen one, in every replication."""
        return tuple(
            each for index, each in enumerate(self.candidates) if index != self.optimum.best and self._ties(each)
        )

    def _ties(self, other: TriedSetting) -> bool:
        return all(
            math.isclose(ours, theirs, rel_tol=ROUNDING)
            for one, two in zip(self.chosen.outcomes, other.outcomes, strict=True)
            for ours, theirs in zip(one.objectives, two.objectives, strict=True)
        )

    @property
    def stays(self) -> bool:
        return self.optimum.best == 0

    @property
    def front(self) -> tuple[int, ...]:
        """Numbers of the trials that hold every expectation and that no other such trial beats in all objectives."""
        held = [each for each in self.trials if each.outcome.feasible]
        return tuple(held[index].number for index in front([each.outcome.objectives for each in held]))

    @property
    def product(self) -> FigureDifference | None:
        """The best's product against today's."""
        return next((each for each in self.differences if each.figure == PRODUCT), None)

    @property
    def name(self) -> str:
        """``cost × p99 × freshness``."""
        return " × ".join(short(each.figure) for each in self.objectives if each.weight)

    @property
    def sentence(self) -> str:
        parts = [self._sentence()]
        if self.ties:
            others = "; ".join(", ".join(value for _, value in each.settings) for each in self.ties[:_TIES_MAX])
            more = f" and {len(self.ties) - _TIES_MAX} more" if len(self.ties) > _TIES_MAX else ""
            parts.append(f"A tie: {others}{more} give{'s' if len(self.ties) == 1 else ''} the same figures.")
        if self.idle:
            names = ", ".join(each.field for each in self.idle)
            parts.append(
                f"Not varied: {names}, because no figure here depends on {'it' if len(self.idle) == 1 else 'them'}."
            )
        return " ".join(parts)

    def _sentence(self) -> str:
        where = ", ".join(f"{_last(span.field)} {span.values}" for span in self.optimum.spans)
        before = ", ".join(value for _, value in self.today.settings)
        if self.stays:
            return f"{where}: today's setting is the best of {len(self.trials)} tried."
        if not self.chosen.feasible:
            return f"No setting of {len(self.trials)} tried holds every expectation; the nearest is {where}."
        if not self.today.feasible:
            missed = [name for name, excess in self.today.excesses.items() if excess > 0]
            return (
                f"{where}: holds every expectation, and today's {before} misses {', '.join(missed)}; {self._change()}."
            )
        if self.product is None or not self.product.distinguishable:
            return f"{where}: not distinguishable from today's {before} ({self._change()})."
        return f"{where}: {self._change()} against today's {before}."

    def _change(self) -> str:
        parts = [f"{self.name} {factor(self.product)}"] if self.product is not None else []
        parts += [
            f"{short(each.figure)} {words.change(each.figure, each.difference)}"
            for each in self.differences
            if each.figure != PRODUCT
        ]
        return ", ".join(parts)


def short(figure: str) -> str:
    """An objective in a word: ``cost``, ``p99``, ``freshness``."""
    subject, measure = figure.rpartition(".")[::2]
    return subject if subject in ("cost", "freshness") else measure.removesuffix("_seconds")


def factor(product: FigureDifference) -> str:
    """The change of the product, whose figures are logarithms, as a percentage with its interval."""
    parts = [math.expm1(each) for each in (product.difference.value, product.difference.low, product.difference.high)]
    texts = [f"{each * 100:+.1f}".replace("-", "−") for each in parts]
    return f"{texts[0]} % [{texts[1]}, {texts[2]}]"


def make(
    scenario: Scenario,
    text: str,
    request: TuneRequest,
    *,
    simulator: Simulator,
) -> Tune:
    """Search, simulate the best again, choose, compare; raises UserError if the scenario lacks an objective, or none of
    the fields acts on any."""
    trial_runs = _Trials(scenario, text, request, simulator)
    asked, before = request.dimensions, today(scenario, request.dimensions)
    objectives = _carried(trial_runs.readings([before], range(1))[0][0], request.objectives)
    trial_runs.objectives = objectives
    acting = _acting(asked, before, trial_runs)
    request = replace(request, dimensions=acting)
    before = today(scenario, acting)
    ask = Ask(
        name=_study(scenario, request, objectives, simulator.shared),
        dimensions=request.dimensions,
        objectives=tuple(each.figure for each in objectives),
        trials=request.trials,
        seed=scenario.seed,
        sampler=request.sampler,
        first=before,
    )
    trials = search.search(ask, trial_runs.evaluate, journal=simulator.results.folder / JOURNAL_FILE)
    few = [each for each in optimum.best_few(trials, objectives, request.few) if each != before]
    candidates = trial_runs.candidates([before, *few], range(request.replications))
    chosen = optimum.choose(candidates, objectives, seed=scenario.seed)
    differences: tuple[FigureDifference, ...] = ()
    if chosen.best:
        fresh = range(request.replications, 2 * request.replications)
        ours, best = trial_runs.candidates([before, candidates[chosen.best].settings], fresh)
        differences = compare(optimum.scores(ours, objectives), optimum.scores(best, objectives))
    return Tune(
        scenario=scenario,
        request=request,
        idle=tuple(each for each in asked if each not in acting),
        objectives=objectives,
        trials=trials,
        candidates=candidates,
        optimum=chosen,
        best=trial_runs.point(candidates[chosen.best].settings),
        differences=differences,
        source=simulator.source,
    )


def _acting(asked: Sequence[Dimension], before: Settings, trial_runs: _Trials) -> tuple[Dimension, ...]:
    """The dimensions on which an outcome depends: one replication at each dimension's ends and in its middle, with all
    others as today, is not that of today. Under common random numbers what does not act changes nothing at all."""
    probes = [
        (each, tuple((field, value if field == each.field else now) for field, now in before))
        for each in asked
        for value in each.probes()
    ]
    found = [each.outcomes[0] for each in trial_runs.candidates([before, *(probe for _, probe in probes)], range(1))]
    changed = {each.field for (each, _), outcome in zip(probes, found[1:], strict=True) if outcome != found[0]}
    acting = tuple(each for each in asked if each.field in changed)
    if not acting:
        names = ", ".join(each.field for each in asked)
        raise UserError(
            f"nothing to search: no figure of this scenario depends on {names}; vary something else (--vary)"
        )
    return acting


class _Trials:
    """Simulates settings and reports the overall progress."""

    def __init__(self, scenario: Scenario, text: str, request: TuneRequest, simulator: Simulator):
        self._scenario, self._text, self._request, self._simulator = scenario, text, request, simulator
        self._done = 0
        probes = sum(len(each.probes()) for each in request.dimensions)
        searched = request.trials * request.search_replications
        self._total = 2 + probes + searched + (request.few + 3) * request.replications
        self.objectives = request.objectives

    def point(self, settings: Settings) -> GridPoint:
        """The scenario with ``settings``; raises GridError."""
        return grid.point(self._text, settings, base=self._scenario)

    def evaluate(self, batch: Sequence[Settings]) -> list[TrialOutcome]:
        found = self.readings(batch, range(self._request.search_replications))
        return [optimum.mean_outcome([self._outcome(each) for each in readings]) for readings in found]

    def candidates(self, settings: Sequence[Settings], replications: range) -> tuple[TriedSetting, ...]:
        """Settings with an outcome for each replication."""
        found = self.readings(settings, replications)
        return tuple(
            TriedSetting(settings=each, outcomes=tuple(self._outcome(reading) for reading in readings))
            for each, readings in zip(settings, found, strict=True)
        )

    def readings(self, settings: Sequence[Settings], replications: range) -> list[tuple[Reading, ...]]:
        """Simulate every setting under the same seeds."""
        wanted: list[SimulationTask] = []
        for each in settings:
            point = self.point(each)
            wanted += tasks(point.scenario, point.name, replications, self._simulator.shared, seed=self._scenario.seed)
        found = self._simulator.readings(wanted, report=self._ahead())
        self._done += len(wanted)
        count = len(replications)
        return [found[index * count : (index + 1) * count] for index in range(len(settings))]

    def _outcome(self, reading: Reading) -> TrialOutcome:
        return outcome_of(reading, self.objectives)

    def _ahead(self) -> ProgressReport | None:
        report, begun, whole = self._simulator.report, self._done, self._total
        if report is None:
            return None

        def report_ahead(done: float, total: float, note: str = "") -> None:
            report(begun + done, max(whole, begun + total), note.partition(", ")[2])

        return report_ahead


def outcome_of(reading: Reading, objectives: Sequence[Objective]) -> TrialOutcome:
    """The outcome of a reading for the search; raises UserError if it lacks an objective."""
    try:
        return optimum.outcome(reading, objectives)
    except MissingFigureError as error:
        raise UserError(
            f"a simulation has too few requests for {words.name_of(str(error))}; make traffic.duration or its rate "
            "larger, or choose another --latency"
        ) from error


def _carried(reading: Reading, objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """The objectives that the scenario has: without posts there is no freshness."""
    found = tuple(each for each in objectives if each.figure != FRESHNESS or FRESHNESS in reading.figures)
    outcome_of(reading, found)
    return found


def _study(scenario: Scenario, request: TuneRequest, objectives: Sequence[Objective], shared: Setup) -> str:
    """A name for the request: a search resumes only with its own trials."""
    asked = [
        explain(scenario),
        *(each.written() for each in request.dimensions),
        *(each.figure for each in objectives),
        str(request.search_replications),
        request.sampler,
        shared.digest,
    ]
    return hashlib.blake2b("\n".join(asked).encode(), digest_size=10).hexdigest()


def _last(field: str) -> str:
    return field.rpartition(".")[2]
