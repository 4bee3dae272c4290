"""The summary sentence of a study: its numbers, its interval, and “not distinguishable” if that is the answer."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from core.scenario import parse
from planning.simulations.readings import Reading
from planning.simulations.simulator import StudySource
from planning.studies import grid
from planning.studies.difference import compare
from planning.sweep.page import content
from planning.sweep.study import PointResult, Sweep
from planning.tune.optimum import TriedSetting, choose, objectives_of, scores
from planning.tune.search import Trial, TrialOutcome
from planning.tune.space import Dimension, dimension
from planning.tune.study import Tune, TuneRequest
from present.parts import Section
from present.tables import WIDTH, table
from tests.studies.conftest import TINY

OBJECTIVES = objectives_of("feed.read")
AXES = (grid.axis("traffic.rate=10/s,20/s,30/s"),)


def _sweep(*values: tuple[float, ...]) -> Sweep:
    points = grid.points(TINY, AXES)
    results = [
        PointResult(
            point=point,
            readings=tuple(
                Reading(figures={"feed.read.p95_seconds": value, "feed.read.answered_per_second": 1.0}, excesses={})
                for value in row
            ),
        )
        for point, row in zip(points, values, strict=True)
    ]
    return Sweep(
        scenario=parse(TINY),
        axes=AXES,
        results=tuple(results),
        replications=3,
        source=StudySource(commit="", engine="simpy", calibration=""),
    )


def test_a_sweep_names_its_extremes_and_says_where_they_are_noise() -> None:
    rising = _sweep((0.10, 0.11, 0.12), (0.20, 0.21, 0.22), (0.30, 0.312, 0.321)).sentence
    assert rising == "3 settings; feed.read p95 from 110 ms (traffic.rate=10/s) to 311 ms (traffic.rate=30/s)."
    noisy = _sweep((0.1, 0.2, 0.3), (0.15, 0.1, 0.4), (0.2, 0.3, 0.1)).sentence
    assert noisy.endswith("to 217 ms (traffic.rate=20/s), not distinguishable with 3 replications.")
    hidden = _sweep((0.1, 0.2, 0.3), (0.15, 0.22, 0.38), (0.16, 0.27, 0.33)).sentence
    assert re.search(r", not distinguishable with 3 replications; about \d+ would tell\.$", hidden)


def test_a_step_between_neighbours_that_is_no_noise_is_told_apart_though_any_two_of_many_settings_are_not() -> None:
    """A paired t of 14 over three replications: p is 0.005, which ten pairs of five settings would hide."""
    axes = (grid.axis("traffic.rate=10/s,20/s,30/s,40/s,50/s"),)
    rows = ((0.0125, 0.0131, 0.0119),) * 4 + ((0.0281, 0.0315, 0.0252),)
    results = tuple(
        PointResult(
            point=point,
            readings=tuple(
                Reading(figures={"feed.read.p95_seconds": value, "feed.read.answered_per_second": 1.0}, excesses={})
                for value in row
            ),
        )
        for point, row in zip(grid.points(TINY, axes), rows, strict=True)
    )
    sweep = dataclasses.replace(_sweep((1.0,) * 3, (1.0,) * 3, (1.0,) * 3), axes=axes, results=results)
    sides = ([each.figures for each in results[place].readings] for place in (3, 4))
    (found,) = compare(*sides, figures=["feed.read.p95_seconds"])
    assert found.chance * 10 > 0.05
    steps = sweep.neighbours("feed.read.p95_seconds")
    assert [each.found.distinguishable for each in steps] == [False, False, False, True]
    assert "not distinguishable" not in sweep.sentence
    section = next(each for each in content(sweep).sections if each.title == "From setting to setting")
    assert [row.cells[1] for row in section.tables[0].rows] == [f"{low}/s → {low + 10}/s" for low in (10, 20, 30, 40)]


def test_neighbours_differ_in_one_setting_alone() -> None:
    axes = (grid.axis("traffic.rate=10/s,20/s,30/s"), grid.axis("system.fanout.threshold=5,9"))
    results = tuple(
        PointResult(
            point=point,
            readings=tuple(Reading(figures={"feed.read.p95_seconds": 1.0 + one}, excesses={}) for one in (0, 1, 2)),
        )
        for point in grid.points(TINY, axes)
    )
    sweep = dataclasses.replace(_sweep((1.0,) * 3, (1.0,) * 3, (1.0,) * 3), axes=axes, results=results)
    steps = sweep.neighbours("feed.read.p95_seconds")
    assert len(steps) == 2 * 2 + 3 * 1
    for each in steps:
        differing = {
            field for field, value in each.first.point.settings if dict(each.second.point.settings)[field] != value
        }
        assert differing == {each.axis}
    assert not any(each.found.distinguishable for each in steps)


def test_a_sweep_tells_the_clients_time_limit_as_such_and_names_no_setting_twice() -> None:
    full = _sweep((5.0, 5.0, 5.0), (5.0, 5.0, 5.0), (5.0, 5.0, 5.0))
    assert full.sentence == "3 settings; feed.read p95 >5.00 s, the client's time limit, at every setting."
    assert [full.cell("feed.read.p95_seconds", result) for result in full.results] == [">5.00 s"] * 3
    some = _sweep((0.10, 0.11, 0.12), (5.0, 5.0, 5.0), (5.0, 5.0, 5.0))
    assert "from 110 ms (traffic.rate=10/s) to >5.00 s, the client's time limit (traffic.rate=20/s, and 1 more)" in (
        some.sentence
    )
    bare = dataclasses.replace(full.results[0], readings=(Reading(figures={}, excesses={}),))
    part = dataclasses.replace(full, results=(bare, *full.results[1:]))
    assert part.sentence.endswith("time limit, at the 2 settings that have it.")
    assert not _sweep((0.1, 0.1, 0.1), (0.2, 0.2, 0.2), (4.9, 4.9, 4.9)).limited
    assert _sweep((0.1,) * 3, (0.1,) * 3, (0.1,) * 3).sentence == "3 settings; feed.read p95 100 ms at every setting."


def _drawn(*values: tuple[float | None, float | None], figure: str = "freshness.mean_seconds") -> Section:
    """The chart of a figure over two rates, a line for each of two thresholds."""
    axes = (grid.axis("traffic.rate=10/s,20/s"), grid.axis("system.fanout.threshold=5,9"))
    flat = [value for pair in values for value in pair]
    results = [
        PointResult(point=point, readings=(Reading(figures={} if value is None else {figure: value}, excesses={}),))
        for point, value in zip(grid.points(TINY, axes), flat, strict=True)
    ]
    sweep = dataclasses.replace(_sweep((1.0,) * 3, (1.0,) * 3, (1.0,) * 3), axes=axes, results=tuple(results))
    return next(each for each in content(sweep).sections if each.title == "freshness mean")


def test_a_line_that_is_alone_keeps_its_name_and_the_missing_one_is_told() -> None:
    (chart,) = _drawn((0.1, None), (0.2, None)).figures
    assert "threshold 5</text>" in chart.wide
    assert "threshold 9</text>" not in chart.wide
    assert "too few requests: traffic.rate=10/s, system.fanout.threshold=9; traffic.rate=20/s" in chart.caption
    (whole,) = _drawn((0.1, 0.2), (0.2, 0.3)).figures
    assert "threshold 9</text>" in whole.wide
    assert "Not drawn" not in whole.caption


def test_a_freshness_of_zero_is_drawn_at_zero() -> None:
    for values in (((0.03, 0.0), (0.02, 0.0)), ((0.0, 0.0), (0.0, 0.0))):
        (chart,) = _drawn(*values).figures
        assert ">0 ms</text>" in chart.wide
        assert ">0 ms</text>" in chart.narrow
    (positive,) = _drawn((0.03, 0.04), (0.02, 0.01)).figures
    assert ">0 ms</text>" not in positive.wide


def test_a_sweep_is_no_success_where_a_setting_saturates_or_none_was_judged() -> None:
    plain = _sweep((0.1, 0.1, 0.1), (0.2, 0.2, 0.2), (0.3, 0.3, 0.3))

    def marked(*changes: dict[str, object]) -> str:
        results = [
            dataclasses.replace(result, readings=tuple(dataclasses.replace(each, **change) for each in result.readings))
            for result, change in zip(plain.results, changes, strict=True)
        ]
        return content(dataclasses.replace(plain, results=tuple(results))).mark

    held: dict[str, object] = {"excesses": {"feed.read p95": -0.5}}
    missed: dict[str, object] = {"excesses": {"feed.read p95": 0.5}}
    full: dict[str, object] = {**held, "unsteady": "no steady state"}
    assert content(plain).mark == ""
    assert marked(held, held, held) == "✓ "
    assert marked(held, held, full) == marked(held, missed, full) == ""
    assert marked(missed, full, full) == "✗ "


def test_a_sweep_names_what_saturates_first() -> None:
    whole = _sweep((0.1, 0.1, 0.1), (0.2, 0.2, 0.2), (0.3, 0.3, 0.3))
    full = Reading(figures=whole.results[2].readings[0].figures, excesses={}, unsteady="no steady state, first …")
    results = (*whole.results[:2], dataclasses.replace(whole.results[2], readings=(full,) * 3))
    said = dataclasses.replace(whole, results=results).sentence
    assert said.endswith("; no steady state, first … (traffic.rate=30/s; 1 of 3 settings).")


def _candidate(
    threshold: int, p99: float, *, noise: float = 0.002, excess: float = -0.5, seed: int = 1
) -> TriedSetting:
    random = np.random.default_rng(seed)
    outcomes = [
        TrialOutcome(objectives=(100.0, p99 * (1 + noise * random.normal()), 0.1), excesses={"feed.read p99": excess})
        for _ in range(6)
    ]
    return TriedSetting(settings=(("system.fanout.threshold", str(threshold)),), outcomes=tuple(outcomes))


def _tune(
    *candidates: TriedSetting,
    fresh: tuple[TriedSetting, TriedSetting] | None = None,
    idle: tuple[Dimension, ...] = (),
) -> Tune:
    found = choose(candidates, OBJECTIVES, seed=1)
    ours, best = fresh or (candidates[0], candidates[found.best])
    trials = tuple(
        Trial(number=number, settings=each.settings, outcome=each.outcomes[0]) for number, each in enumerate(candidates)
    )
    return Tune(
        scenario=parse(TINY),
        request=TuneRequest(
            dimensions=(dimension("system.fanout.threshold=1..100:log"),),
            objectives=OBJECTIVES,
            trials=len(trials),
            search_replications=1,
            replications=6,
            few=3,
        ),
        idle=idle,
        objectives=OBJECTIVES,
        trials=trials,
        candidates=candidates,
        optimum=found,
        best=grid.point(TINY, candidates[found.best].settings),
        differences=compare(scores(ours, OBJECTIVES), scores(best, OBJECTIVES)) if found.best else (),
        source=StudySource(commit="", engine="simpy", calibration=""),
    )


def test_a_better_setting_is_told_with_its_interval_and_the_change() -> None:
    said = _tune(_candidate(15, 0.2), _candidate(30, 0.1, seed=2), _candidate(60, 0.3, seed=3)).sentence
    assert said.startswith("threshold 30 [30–30]: cost × p99 × freshness −50")
    assert "p99 −100" in said
    assert said.endswith("against today's 15.")


def test_a_lucky_setting_is_not_distinguishable_from_todays_on_fresh_replications() -> None:
    lucky = _candidate(30, 0.0999, seed=2)
    fresh = (_candidate(15, 0.1, noise=0.2, seed=7), _candidate(30, 0.1, noise=0.2, seed=8))
    said = _tune(_candidate(15, 0.1), lucky, fresh=fresh).sentence
    assert said.startswith("threshold 30 [")
    assert ": not distinguishable from today's 15 (cost × p99 × freshness" in said


def test_todays_setting_may_be_the_best() -> None:
    found = _tune(_candidate(15, 0.1), _candidate(30, 0.2, seed=2))
    assert found.stays
    assert found.sentence == "threshold 15 [15–15]: today's setting is the best of 2 tried."


def test_an_expectation_that_today_misses_or_that_nothing_holds_comes_first() -> None:
    rescued = _tune(_candidate(15, 0.1, excess=0.3), _candidate(30, 0.2, seed=2)).sentence
    assert "holds every expectation, and today's 15 misses feed.read p99" in rescued
    lost = _tune(_candidate(15, 0.1, excess=0.3), _candidate(30, 0.2, excess=0.1, seed=2)).sentence
    assert lost == "No setting of 2 tried holds every expectation; the nearest is threshold 30 [30–30]."


@pytest.mark.parametrize("columns", [3, 12])
def test_a_table_is_never_wider_than_the_terminal_and_names_what_it_leaves_out(columns: int) -> None:
    head = ["setting", *(f"figure {number}" for number in range(columns))]
    lines, missing = table(head, [["10/s", *("212 [198–231] ms" for _ in range(columns))]])
    assert all(len(line) <= WIDTH for line in lines)
    assert len(missing) == max(0, columns - 4)
    assert not any(name in lines[0].split("  ") for name in missing)


def test_a_tie_is_told_as_a_tie() -> None:
    found = _tune(_candidate(15, 0.2), _candidate(30, 0.1, seed=2), _candidate(60, 0.1, seed=2))
    assert found.sentence.startswith("threshold 30 [30–60]: ")
    assert found.sentence.endswith(" A tie: 60 gives the same figures.")
    assert found.optimum.chosen_ratio == (0.0, 0.5, 0.5)
    assert _tune(_candidate(15, 0.1), _candidate(30, 0.2, seed=2)).ties == ()


def test_what_was_not_varied_is_told() -> None:
    idle = (dimension("system.cdn.edge.size=16MiB,64MiB"),)
    said = _tune(_candidate(15, 0.1), _candidate(30, 0.2, seed=2), idle=idle).sentence
    assert said.endswith("tried. Not varied: system.cdn.edge.size, because no figure here depends on it.")
