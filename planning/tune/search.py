"""Searches settings for small objectives within constraints, by Optuna: multi-objective TPE or NSGA-II.

Trials are requested and reported in batches of one size, and each batch has a sampler with its own seed. The trials are
therefore a function of seed and results, whatever finishes first, and an interrupted search resumes as if it had not
been interrupted.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from core import streams
from planning.studies.grid import Settings
from planning.tune.space import Dimension

BATCH: Final = 8
Sampler = Literal["tpe", "nsga2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutcome:
    """The outcome of one trial: objectives to minimise, and by how much each limit is exceeded (≤ 0 holds)."""

    objectives: tuple[float, ...]
    excesses: Mapping[str, float]

    @property
    def feasible(self) -> bool:
        """Whether every limit holds."""
        return all(value <= 0 for value in self.excesses.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One setting tried."""

    number: int
    settings: Settings
    outcome: TrialOutcome


#: Evaluates a batch; results in its order.
Evaluate = Callable[[Sequence[Settings]], Sequence[TrialOutcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The settings of a search."""

    name: str  # of the study in its storage; another request has another name
    dimensions: tuple[Dimension, ...]
    objectives: tuple[str, ...]
    trials: int
    seed: int
    sampler: Sampler = "tpe"
    first: Settings | None = None  # tried before all others, if it is inside the space


def search(ask: Ask, evaluate: Evaluate, *, journal: Path | None = None) -> tuple[Trial, ...]:
    """Try ``ask.trials`` settings and return them by number; if there are no more settings than that, each once.

    ``journal`` keeps the trials, so that an interrupted search resumes.
    """
    import optuna  # slow to import

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name=ask.name,
        storage=_storage(journal),
        directions=["minimize"] * len(ask.objectives),
        sampler=_sampler(ask, 0),
        load_if_exists=True,
    )
    every = _every(ask)
    wanted = ask.trials if every is None else len(every)
    if not study.get_trials(deepcopy=False):
        first = _inside(ask)
        for each in dict.fromkeys([*([first] if first else []), *(every or [])]):
            study.enqueue_trial(dict(each))
    space = {each.field: each.distribution() for each in ask.dimensions}
    while True:
        waiting = _waiting(study, space)
        done = len(_finished(study))
        room = min(BATCH - done % BATCH, wanted - done)
        if room <= 0:
            return completed_trials(study, ask.dimensions)
        study.sampler = _sampler(ask, len(study.get_trials(deepcopy=False)))
        asked = waiting[:room] + [study.ask(space) for _ in range(room - len(waiting))]
        for trial, outcome in zip(asked, evaluate([_settings(each, ask) for each in asked]), strict=True):
            for limit, excess in sorted(outcome.excesses.items()):
                trial.set_constraint(limit, excess)
            study.tell(trial, outcome.objectives)


def completed_trials(study: Any, dimensions: Sequence[Dimension]) -> tuple[Trial, ...]:
    return tuple(
        Trial(
            number=each.number,
            settings=tuple((one.field, one.text(each.params[one.field])) for one in dimensions),
            outcome=TrialOutcome(objectives=tuple(each.values), excesses=dict(each.constraints)),
        )
        for each in _finished(study)
    )


def _storage(journal: Path | None) -> Any:
    if journal is None:
        return None
    from optuna.storages import JournalStorage  # slow to import
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(journal)))


def _sampler(ask: Ask, asked: int) -> Any:
    import optuna  # slow to import

    seed = streams.named(ask.seed, "studies.search").bits(asked) >> 32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if ask.sampler == "nsga2":
            return optuna.samplers.NSGAIISampler(population_size=2 * BATCH, seed=seed)
        return optuna.samplers.TPESampler(n_startup_trials=2 * BATCH, seed=seed)


def _inside(ask: Ask) -> tuple[tuple[str, Any], ...] | None:
    """The parameters of the setting to try first; None if it is outside the space."""
    values = dict(ask.first or ())
    found = tuple((each.field, each.parameter(values[each.field])) for each in ask.dimensions if each.field in values)
    return found if len(found) == len(ask.dimensions) and all(value is not None for _, value in found) else None


def _every(ask: Ask) -> list[tuple[tuple[str, Any], ...]] | None:
    """All settings, if there are no more than the number of trials."""
    sides = [[(each.field, value) for value in each.values(ask.trials)] for each in ask.dimensions]
    if not all(sides) or math.prod(map(len, sides)) > ask.trials:
        return None
    return list(itertools.product(*sides))


def _finished(study: Any) -> list[Any]:
    from optuna.trial import TrialState  # slow to import

    return list(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def _waiting(study: Any, space: Mapping[str, Any]) -> list[Any]:
    """Trials that were requested but not reported because the search was stopped; they run first. One that was stopped
    during its request is abandoned."""
    import optuna  # slow to import
    from optuna.trial import TrialState

    found = []
    for each in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if set(each.params) == set(space):
            found.append(optuna.trial.Trial(study, each._trial_id))
        else:
            study.tell(each.number, state=TrialState.FAIL)
    return found


def _settings(trial: Any, ask: Ask) -> Settings:
    return tuple((each.field, each.text(trial.params[each.field])) for each in ask.dimensions)
