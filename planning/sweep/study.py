"""A sweep: a scenario simulated at every point of a grid, with replications."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.scenario import Scenario
from core.stats import Estimate
from planning.simulations.readings import Reading
from planning.simulations.simulator import Simulator, StudySource
from planning.simulations.task import tasks
from planning.studies import words
from planning.studies.difference import (
    ALPHA,
    PAIRS_MIN,
    FigureDifference,
    compare,
    held_together,
    pairs_needed,
)
from planning.studies.grid import Axis, GridPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class PointResult:
    """One point of the grid and the readings of its replications."""

    point: GridPoint
    readings: tuple[Reading, ...]

    def estimate(self, figure: str) -> Estimate | None:
        """A figure with its interval over the replications."""
        return words.mean(self.readings, figure)

    @property
    def patience_seconds(self) -> float:
        """How long a client waits there."""
        return self.point.scenario.traffic.timeout_seconds

    def beyond(self, figure: str) -> bool:
        """Whether a latency is the client's time limit."""
        found = self.estimate(figure)
        return found is not None and words.beyond(figure, found.value, self.patience_seconds)

    @property
    def held(self) -> bool | None:
        """Whether every expectation holds in the mean of the replications; None if none could be judged."""
        found: dict[str, list[float]] = {}
        for reading in self.readings:
            for name, excess in reading.excesses.items():
                found.setdefault(name, []).append(excess)
        return all(float(np.mean(values)) <= 0 for values in found.values()) if found else None

    @property
    def unsteady(self) -> str:
        """What saturates; empty in a steady state."""
        return next((reading.unsteady for reading in self.readings if reading.unsteady), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourDifference:
    """One figure of two settings of which one axis alone differs, from a value to the next one that was swept."""

    axis: str
    first: PointResult
    second: PointResult
    found: FigureDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """All points of the grid with their results."""

    scenario: Scenario
    axes: tuple[Axis, ...]
    results: tuple[PointResult, ...]
    replications: int
    source: StudySource

    @property
    def readings(self) -> tuple[Reading, ...]:
        return tuple(reading for result in self.results for reading in result.readings)

    @property
    def headline(self) -> tuple[str, ...]:
        return words.headline(self.scenario, self.readings)

    @property
    def good(self) -> bool | None:
        """Whether every setting holds its expectations; None if only some do or none has any. A setting without a
        steady state holds none."""
        held = [result.held is not False and not result.unsteady for result in self.results]
        if not any(held):
            return False
        return True if all(held) and any(result.held for result in self.results) else None

    def cell(self, figure: str, result: PointResult) -> str:
        """A figure at a point, with its interval."""
        return words.interval(figure, result.estimate(figure), patience_seconds=result.patience_seconds)

    @property
    def limited(self) -> bool:
        """Whether a headline latency is somewhere the client's time limit."""
        return any(result.beyond(figure) for figure in self.headline for result in self.results)

    def neighbours(self, figure: str) -> tuple[NeighbourDifference, ...]:
        """The figure from each setting to the next along each axis, replication by replication under common random
        numbers; what is distinguishable is decided over all of them together (Holm 1979)."""
        known = {result.point.settings: result for result in self.results}
        pairs = []
        for result in self.results:
            for index, axis in enumerate(self.axes):
                later = axis.values[axis.values.index(result.point.settings[index][1]) + 1 :]
                changed = list(result.point.settings)
                changed[index] = (axis.field, later[0] if later else "")
                if (other := known.get(tuple(changed))) is not None:
                    pairs.append((axis.field, result, other))
        sides = [[[reading.figures for reading in each.readings] for each in pair[1:]] for pair in pairs]
        found = [compare(*side, figures=[figure]) for side in sides]
        carried = [(pair, each[0]) for pair, each in zip(pairs, found, strict=True) if each]
        together = held_together([each for _, each in carried])
        return tuple(
            NeighbourDifference(axis=axis, first=first, second=second, found=each)
            for ((axis, first, second), _), each in zip(carried, together, strict=True)
        )

    @property
    def sentence(self) -> str:
        count = len(self.results)
        parts = [f"{count} setting{'' if count == 1 else 's'}", *self._extremes()]
        judged = [result for result in self.results if result.held is not None]
        if judged:
            parts.append(f"expectations hold at {sum(result.held is True for result in judged)} of {len(judged)}")
        first = next((result for result in self.results if result.unsteady), None)
        if first is not None:
            count = sum(bool(result.unsteady) for result in self.results)
            parts.append(f"{first.unsteady} ({first.point.name}; {count} of {len(self.results)} settings)")
        return "; ".join(parts) + "."

    def _extremes(self) -> list[str]:
        """The first figure's smallest and largest value, and whether more than noise lies between them."""
        for figure in self.headline[:1]:
            known = [(found.value, result) for result in self.results if (found := result.estimate(figure)) is not None]
            if len(known) < 2:
                break
            low, high = min(known, key=lambda each: each[0]), max(known, key=lambda each: each[0])
            least, most = (
                words.value(figure, value, patience_seconds=result.patience_seconds) for value, result in (low, high)
            )
            limited = sum(result.beyond(figure) for _, result in known) if high[1].beyond(figure) else 0
            if limited:
                most += ", the client's time limit"
            if low[0] == high[0]:
                where = (
                    "every setting" if len(known) == len(self.results) else f"the {len(known)} settings that have it"
                )
                return [f"{words.name_of(figure)} {most}{',' if limited else ''} at {where}"]
            others = f", and {limited - 1} more" if limited > 1 else ""
            sentence = (
                f"{words.name_of(figure)} from {least} ({low[1].point.name}) to {most} ({high[1].point.name}{others})"
            )
            return [sentence + (self._noise(figure, low[1], high[1], of=len(known)) if self.replications > 1 else "")]
        return []

    def _noise(self, figure: str, low: PointResult, high: PointResult, *, of: int) -> str:
        """Words for a figure that does not differ by more than noise: neither between any neighbours, nor between its
        extremes, which any two of the settings might have been (Bonferroni)."""
        sides = [[reading.figures for reading in result.readings] for result in (low, high)]
        comparisons = math.comb(of, 2)
        extremes = compare(*sides, figures=[figure])
        if any(each.chance * comparisons < ALPHA for each in extremes):
            return ""
        if any(each.found.distinguishable for each in self.neighbours(figure)):
            return ""
        needed = pairs_needed(extremes[0], comparisons=comparisons) if extremes else None
        enough = f"; about {needed} would tell" if needed is not None and needed > self.replications else ""
        few = f"; at least {PAIRS_MIN} replications are needed" if not extremes else ""
        return f", not distinguishable with {self.replications} replications{enough}{few}"


def make(
    scenario: Scenario,
    points: Sequence[GridPoint],
    axes: Sequence[Axis],
    *,
    replications: int,
    simulator: Simulator,
) -> Sweep:
    """Simulate every point. Replication r has the same seed at every setting."""
    wanted = [tasks(point.scenario, point.name, range(replications), simulator.shared) for point in points]
    found = simulator.readings([task for each in wanted for task in each])
    points_done = [
        PointResult(point=point, readings=found[index * replications : (index + 1) * replications])
        for index, point in enumerate(points)
    ]
    return Sweep(
        scenario=scenario,
        axes=tuple(axes),
        results=tuple(points_done),
        replications=replications,
        source=simulator.source,
    )
