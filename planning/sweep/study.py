"""A sweep: a scenario simulated at every place of a grid, with replications; its record, table and files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.scenario import Scenario
from core.stats import Estimate
from planning.simulations.complete import complete
from planning.simulations.readings import Reading
from planning.simulations.results import Results
from planning.simulations.runners import Runner
from planning.simulations.task import Setup, tasks
from planning.studies import words
from planning.studies.difference import ALPHA, compare
from planning.studies.grid import Axis, Point
from present.progress import Report

PAGE_FILE: Final = "sweep.html"
RECORD_FILE: Final = "sweep.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One point of the grid and what its replications showed."""

    point: Point
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
        """Whether every expectation holds in the mean of the replications; None where none could be judged."""
        found: dict[str, list[float]] = {}
        for reading in self.readings:
            for name, excess in reading.excesses.items():
                found.setdefault(name, []).append(excess)
        return all(float(np.mean(values)) <= 0 for values in found.values()) if found else None

    @property
    def unsteady(self) -> str:
        """What saturates; empty where there is a steady state."""
        return next((reading.unsteady for reading in self.readings if reading.unsteady), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The whole."""

    scenario: Scenario
    axes: tuple[Axis, ...]
    places: tuple[Place, ...]
    replications: int
    calibration: str
    engine: str
    commit: str

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Of all places."""
        return tuple(reading for place in self.places for reading in place.readings)

    @property
    def headline(self) -> tuple[str, ...]:
        """Figures to show first."""
        return words.headline(self.scenario, self.readings)

    @property
    def good(self) -> bool | None:
        """Whether every setting holds its expectations; None where some do or none has any. Without a steady state
        none does."""
        held = [place.held is not False and not place.unsteady for place in self.places]
        if not any(held):
            return False
        return True if all(held) and any(place.held for place in self.places) else None

    def told(self, figure: str, place: Place) -> str:
        """A figure at a place, with its interval."""
        return words.interval(figure, place.estimate(figure), patience_seconds=place.patience_seconds)

    @property
    def limited(self) -> bool:
        """Whether a headline latency is somewhere the client's time limit."""
        return any(place.beyond(figure) for figure in self.headline for place in self.places)

    @property
    def sentence(self) -> str:
        """What came out, in one sentence with its numbers."""
        parts = [f"{len(self.places)} settings", *self._extremes()]
        judged = [place for place in self.places if place.held is not None]
        if judged:
            parts.append(f"expectations hold at {sum(place.held is True for place in judged)} of {len(judged)}")
        first = next((place for place in self.places if place.unsteady), None)
        if first is not None:
            count = sum(bool(place.unsteady) for place in self.places)
            parts.append(f"{first.unsteady} ({first.point.name}; {count} of {len(self.places)} settings)")
        return "; ".join(parts) + "."

    def _extremes(self) -> list[str]:
        """The first figure's smallest and largest value, and whether more than noise lies between them."""
        for figure in self.headline[:1]:
            known = [(found.value, place) for place in self.places if (found := place.estimate(figure)) is not None]
            if len(known) < 2:
                break
            low, high = min(known, key=lambda each: each[0]), max(known, key=lambda each: each[0])
            least, most = (
                words.value(figure, value, patience_seconds=place.patience_seconds) for value, place in (low, high)
            )
            limited = sum(place.beyond(figure) for _, place in known) if high[1].beyond(figure) else 0
            if limited:
                most += ", the client's time limit"
            if low[0] == high[0]:
                where = (
                    "every setting" if len(known) == len(self.places) else f"the {len(known)} settings that carry it"
                )
                return [f"{words.name_of(figure)} {most}{',' if limited else ''} at {where}"]
            others = f", and {limited - 1} more" if limited > 1 else ""
            told = (
                f"{words.name_of(figure)} from {least} ({low[1].point.name}) to {most} ({high[1].point.name}{others})"
            )
            sides = [[reading.figures for reading in place.readings] for place in (low[1], high[1])]
            pairs = math.comb(len(known), 2)  # any two of them might have been the extremes (Bonferroni)
            noise = all(each.chance * pairs >= ALPHA for each in compare(*sides, figures=[figure]))
            return [told + (", not distinguishable" if self.replications > 1 and noise else "")]
        return []


def make(
    scenario: Scenario,
    points: Sequence[Point],
    axes: Sequence[Axis],
    *,
    replications: int,
    shared: Setup,
    calibration: str,
    commit: str,
    runner: Runner,
    results: Results,
    report: Report | None = None,
) -> Sweep:
    """Simulate what ``results`` does not know yet. Replication r of every setting has one seed."""
    wanted = [tasks(point.scenario, point.name, range(replications), shared) for point in points]
    found = complete([task for each in wanted for task in each], shared, runner=runner, results=results, report=report)
    places = [
        Place(point=point, readings=found[index * replications : (index + 1) * replications])
        for index, point in enumerate(points)
    ]
    return Sweep(
        scenario=scenario,
        axes=tuple(axes),
        places=tuple(places),
        replications=replications,
        calibration=calibration,
        engine=shared.engine,
        commit=commit,
    )
