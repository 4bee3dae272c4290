"""A planned fleet is simulated, a cell of it, and must be as late and as busy as the plan says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.run import Samples
from core.scenario import explain, parse, processes
from planning.plan import answer as plan
from planning.plan.answer import Plan
from planning.plan.brief import Case
from planning.plan.demand.workload import Moment
from planning.plan.queueing.latency import ERROR_RATIO
from planning.plan.queueing.stations import Loop
from planning.plan.sizing import size
from sim.simulate import Result, simulate
from tests.planner import cells, made
from tests.planner.cells import Cell

SECONDS = 8.0


def planned(reads: float, **intent: Any) -> Plan:
    per_day = {"feed.read": 86_400 * reads, "like.add": 86_400 * reads / 2, "story.tray": 86_400 * reads / 2}
    scenario = made.scenario(per_day=per_day, intent={"horizon": "1d", **ON_C7G, **intent})
    return plan.make(scenario, made.profile(), made.book(), sure=False, more=False)


ON_C7G = {"shapes": dict.fromkeys(("services", "redis", "postgres", "kafka"), "vm.c7g.xlarge")}


@pytest.fixture(scope="module")
def whole() -> tuple[Plan, Cell, Result]:
    """800 reads of the feed a second on two of its processes behind one gateway: one cell is the whole fleet."""
    found = planned(800.0)
    cell = cells.cell_of(found, duration_seconds=SECONDS, warm_up_seconds=2.0)
    return found, cell, simulate(cell.scenario, cell.profile)


def percentile(samples: Samples, operation: str, level: float) -> float:
    return float(np.quantile(samples.judged().of(operation).latency_seconds, level))


@pytest.mark.parametrize("operation", ["feed.read", "like.add", "story.tray"])
def test_percentiles_are_within_the_error_that_a_plan_tells(whole: tuple[Plan, Cell, Result], operation: str) -> None:
    found, _, result = whole
    known, region = found.brief, found.regions[0]
    at = size.fleet_at(known, region, Moment.LOST, Case())
    expected = at.latency(known.demands.operations[operation], {})
    for level, error in ((0.5, 0.14), (0.95, ERROR_RATIO)):
        seen = percentile(result.samples, operation, level)
        assert float(expected.quantile(level)[0]) == pytest.approx(seen, rel=error), (operation, level)


def test_several_gateways_that_know_all_are_as_late_as_simulated_ones() -> None:
    """The model's gateways of one cell know what they have all sent, as one does; HAProxy's know each their own."""
    found = planned(6_000.0)
    cell = cells.cell_of(found, cells=1, duration_seconds=4.0, warm_up_seconds=2.0)
    result = simulate(cell.scenario, cell.profile)
    known, region = found.brief, found.regions[0]
    assert region.tiers["gateway"].working == 3
    at = size.fleet_at(known, region, Moment.LOST, Case())
    for name in ("feed", "api"):
        station = at.groups[name].station
        assert isinstance(station, Loop)
        one = replace(station, mates=np.array([float(region.tiers[name].working)]))
        at = at.with_group(name, replace(at.groups[name], station=one))
    for operation in ("feed.read", "like.add", "story.tray"):
        expected = at.latency(known.demands.operations[operation], {})
        for level, error in ((0.5, 0.14), (0.95, ERROR_RATIO)):
            seen = percentile(result.samples, operation, level)
            assert float(expected.quantile(level)[0]) == pytest.approx(seen, rel=error), operation


def test_every_group_is_as_busy_as_planned(whole: tuple[Plan, Cell, Result]) -> None:
    found, cell, result = whole
    spent: dict[str, float] = {}
    for process, second, cpu_seconds in result.usage:
        if second >= 0:
            group = processes.group_of(process)
            spent[group] = spent.get(group, 0.0) + cpu_seconds
    # redis has memory for many and work for few
    busy = {tier.name: tier.utilisation[Moment.LOST] for tier in found.outlook.tiers if tier.name != "redis"}
    seen = {}
    for name in (name for name, ratio in busy.items() if ratio > 0.05):
        unit = found.regions[0].tiers[name]
        cores = size.left(unit, Moment.LOST) * max(1, unit.unit.cores) / cell.count
        seen[name] = spent[name] / SECONDS / cores
    assert len(seen) > 1
    assert seen == pytest.approx({name: busy[name] for name in seen}, rel=0.06)


def test_a_cell_is_a_scenario_that_can_be_written_down(whole: tuple[Plan, Cell, Result]) -> None:
    _, cell, _ = whole
    assert parse(explain(cell.scenario)).system == cell.scenario.system
    assert cell.scenario.demand is None


def test_a_cell_of_many_has_their_share_of_everything() -> None:
    found = planned(40_000.0)
    cell = cells.cell_of(found)
    region = found.regions[0]
    assert cell.count > 1
    assert cell.scenario.traffic.rate_per_second == pytest.approx(80_000 / cell.count)
    assert cell.scenario.system.feed.instances == pytest.approx(region.tiers["feed"].working / cell.count, rel=0.1)
    assert all(abs(cell.rounding[name]) <= 0.1 for name in ("feed", "gateway", "api"))
    two = cells.cell_of(found, cells=2)
    assert two.scenario.traffic.rate_per_second == pytest.approx(40_000)
    assert cells.scenario_of(found) == cell.scenario
