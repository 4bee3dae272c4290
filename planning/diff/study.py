"""Two scenarios side by side: which settings differ, how much each figure differs, and whether significantly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from core.scenario import Scenario
from core.scenario.reach import ScenarioSide, without_effect
from planning.simulations.readings import COST, FRESHNESS, Reading
from planning.simulations.simulator import Simulator, StudySource
from planning.simulations.task import tasks
from planning.studies import words
from planning.studies.difference import ALPHA, FigureDifference, compare, narrow_enough
from planning.studies.grid import differing

#: With fewer replications a stopping rule may stop by chance; see `sim.results.replications.StoppingRule`.
COUNT_MIN: Final = 10
#: Replications that are added at once, so that all cores are busy.
_STEP: Final = 5
#: Fields that name a scenario and do not affect the simulation.
_NAMES: Final = frozenset({"scenario", "description"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """The two scenarios and their differences; ``readings`` by side and replication."""

    first: Scenario
    second: Scenario
    names: tuple[str, str]
    settings: tuple[tuple[str, str | None, str | None], ...]
    differences: tuple[FigureDifference, ...]
    readings: tuple[tuple[Reading, ...], tuple[Reading, ...]]
    source: StudySource
    enough: bool | None = None  # whether the intervals became as narrow as requested; None without a request

    @property
    def replications(self) -> int:
        """Pairs that were simulated."""
        return len(self.readings[0])

    @property
    def distinguished(self) -> tuple[FigureDifference, ...]:
        """The figures that differ significantly: those of the headline first, then by significance."""
        order = {figure: index for index, figure in enumerate(self.headline)}
        found = [each for each in self.differences if each.distinguishable]
        return tuple(sorted(found, key=lambda each: (order.get(each.figure, len(order)), each.together, each.chance)))

    @property
    def family(self) -> int:
        """The number of figures judged together: those that are not equal in every pair."""
        return sum(not each.same for each in self.differences)

    @property
    def headline(self) -> tuple[str, ...]:
        known = {each.figure for each in self.differences}
        watched = words.watched(self.first, self.readings[0])
        wanted = [f"{name}.{measure}" for name in watched for measure in ("p99_seconds", "p95_seconds", "errors_ratio")]
        return tuple(figure for figure in (*wanted, COST, FRESHNESS) if figure in known)

    @property
    def sentence(self) -> str:
        if not self.family:
            return f"{self.names[1]} is the same as {self.names[0]}: every figure of every replication is equal."
        if not self.distinguished:
            return (
                f"{self.names[1]} is not distinguishable from {self.names[0]} by any of {self.family} figures "
                f"over {self.replications} replications."
            )
        shown = self.distinguished[:3]
        parts = [f"{words.name_of(each.figure)} {words.change(each.figure, each.difference)}" for each in shown]
        more = len(self.distinguished) - len(shown)
        rest = f"; and {more} more figures" if more > 0 else ""
        return f"{self.names[1]} against {self.names[0]}: {', '.join(parts)}{rest}."

    def values(self, each: FigureDifference) -> tuple[str, str]:
        """A figure of the first and of the second."""
        first, second = (
            words.value(each.figure, amount, patience_seconds=side.traffic.timeout_seconds)
            for side, amount in ((self.first, each.first), (self.second, each.second))
        )
        return first, second

    @property
    def notes(self) -> tuple[str, ...]:
        found: list[str] = []
        if self.family:
            found.append(
                "Intervals are 95 % each, of paired differences under common random numbers. A figure counts as "
                f"different where Holm's method over all {self.family} figures together says so, at {ALPHA:.0%}."
            )
        if any(each.figure.endswith("_ratio") and not each.same for each in self.differences):
            found.append("Differences of shares are in percentage points (pp).")
        for name, readings in zip(self.names, self.readings, strict=True):
            unsteady = next((reading.unsteady for reading in readings if reading.unsteady), "")
            if unsteady:
                found.append(f"{name}: {unsteady}; its figures depend on the length of the simulation.")
        if any(text.startswith(">") for each in self.differences for text in self.values(each)):
            found += dict.fromkeys(words.time_limit(side) for side in (self.first, self.second))
        for name, side in zip(self.names, (self.first, self.second), strict=True):
            found += [f"{name}: {note}." for note in without_effect(side, ScenarioSide.MODEL)]
        if self.first.seed != self.second.seed:
            found.append(f"Both are simulated from the seed of {self.names[0]}, {self.first.seed}.")
        if self.enough is False:
            found.append("The intervals are wider than requested, because no more replications were allowed.")
        return tuple(found)


def make(
    first: Scenario,
    second: Scenario,
    *,
    names: tuple[str, str],
    replications: int,
    until: float | None,
    simulator: Simulator,
) -> Diff:
    """Simulate both in pairs: ``replications`` of them or, if ``until`` is given, from `COUNT_MIN` up to
    ``replications``, until the headline intervals are at most ± ``until`` of the first's figure."""
    seed = first.seed
    count = replications if until is None else min(COUNT_MIN, replications)
    while True:
        wanted = [
            task
            for scenario, name in ((first, names[0]), (second, names[1]))
            for task in tasks(scenario, name, range(count), simulator.shared, seed=seed)
        ]
        found = simulator.readings(wanted)
        ours, theirs = found[:count], found[count:]
        whole = Diff(
            first=first,
            second=second,
            names=names,
            settings=tuple(each for each in differing(first, second) if each[0] not in _NAMES),
            differences=compare([each.figures for each in ours], [each.figures for each in theirs]),
            readings=(ours, theirs),
            source=simulator.source,
        )
        if until is None:
            return whole
        watched = [each for each in whole.differences if each.figure in whole.headline and each.first > 0]
        enough = narrow_enough(watched, until)
        if enough or count >= replications:
            return replace(whole, enough=enough)
        count = min(replications, count + _STEP)


def word(each: FigureDifference) -> str:
    if each.same:
        return "equal"
    if not each.distinguishable:
        return "not distinguishable"
    return "more" if each.difference.value > 0 else "less"
