"""The figures that a study reads from a run: by name, none where a run has none, and the bill of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.names import Origin
from core.run import RunRecord
from core.scenario import parse
from core.stats import Estimate
from planning.cost import bill, prices
from planning.simulations import readings
from planning.simulations.task import seed_of
from planning.studies import words
from records import run
from sim import simulate as simulation
from sim.model import prepared as parts
from sim.simulate import Result, simulate
from tests.model.synthetic import profile
from tests.studies.conftest import BUSY, TINY

EXPECTS = "expect: {feed.read: {p95: < 1ms}, like.add: {errors: < 50%}}\n"


@pytest.fixture(scope="module")
def result() -> Result:
    return simulate(parse(BUSY + EXPECTS), profile(), engine="simpy")


def test_every_figure_is_there_with_its_unit_in_its_name(result: Result) -> None:
    found = readings.read(parse(BUSY), result).figures
    assert found["feed.read.errors_ratio"] == 0.0
    assert found["feed.read.answered_per_second"] == pytest.approx(105, rel=0.25)
    assert found["feed.read.p50_seconds"] < found["feed.read.p95_seconds"]
    assert 0 < found["cpu.feed.busy_ratio"] < 1
    assert found["cache.post_card.hit_ratio"] == 1.0
    assert found["freshness.mean_seconds"] > 0
    assert found["cost.dollars_month"] > 0


def test_a_percentile_of_too_few_requests_is_left_out_and_never_zero(result: Result) -> None:
    found = readings.read(parse(BUSY), result).figures
    assert "feed.read.p99_seconds" not in found
    assert "like.add.p95_seconds" not in found
    assert "cache.edge.hit_ratio" not in found


def test_expectations_are_told_by_how_much_they_are_exceeded(result: Result) -> None:
    found = readings.read(parse(BUSY + EXPECTS), result).excesses
    assert found["feed.read p95"] > 0
    assert found["like.add errors"] == -1.0


@pytest.mark.parametrize("nodes", [1, 400])
def test_the_bill_is_the_one_that_the_written_run_gets(nodes: int, result: Result, tmp_path: Path) -> None:
    text = BUSY.replace("system: {", f"system: {{redis: {{nodes: {nodes}}}, ")
    scenario = parse(text)
    assert scenario.system.redis.nodes == nodes
    record = RunRecord(
        origin=Origin.SIMULATED,
        scenario=scenario.name,
        seed=scenario.seed,
        commit="test",
        warm_up_seconds=0.0,
        duration_seconds=2.0,
        facts=result.facts,
    )
    run.write(
        tmp_path,
        record=record,
        scenario_text=text,
        samples=result.samples,
        usage=result.usage,
        stages=result.stages,
        caches=result.caches,
        journal=result.journal,
    )
    book = prices.read(scenario.prices)
    expected = bill.of_run(run.read(tmp_path), book)
    found = bill.bill(readings.used(scenario, result), book)
    assert found.total_dollars_month == pytest.approx(expected.total_dollars_month, rel=1e-12)
    assert found.by_component() == pytest.approx(expected.by_component(), rel=1e-12)


def test_replication_zero_is_the_scenario_itself_and_the_others_differ() -> None:
    scenario = parse(BUSY)
    seeds = [seed_of(scenario.seed, replication) for replication in range(50)]
    assert seeds[0] == scenario.seed
    assert len(set(seeds)) == 50
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of(9, 3) != seed_of(5, 3)


@pytest.mark.parametrize(
    ("figure", "value", "told"),
    [
        ("feed.read.p99_seconds", (0.212, 0.198, 0.231), "212 [198–231] ms"),
        ("feed.read.p99_seconds", (1.5, 1.5, 1.5), "1.50 s"),
        ("feed.read.p99_seconds", (0.02, -float("inf"), float("inf")), "20.0 ms"),
        ("cost.dollars_month", (1234.0, 1200.0, 1270.0), "$1,230 [1,200–1,270]"),
        ("cpu.redis.busy_ratio", (0.432, 0.41, 0.45), "43.2 [41.0–45.0] %"),
        ("feed.read.answered_per_second", (105.0, 101.0, 109.0), "105 [101–109]/s"),
    ],
)
def test_a_figure_is_told_in_the_unit_of_its_measure(figure: str, value: tuple[float, ...], told: str) -> None:
    assert words.interval(figure, Estimate(value=value[0], low=value[1], high=value[2])) == told


def test_a_change_always_has_its_sign() -> None:
    assert words.change("a.p99_seconds", Estimate(value=-0.0142, low=-0.017, high=0.0011)) == "−14.2 [−17.0, +1.1] ms"
    assert words.change("cost.dollars_month", Estimate(value=12.0, low=10.0, high=14.0)) == "+$12.0 [+$10.0, +$14.0]"
    assert words.change("cost.dollars_month", Estimate(value=0.0, low=0.0, high=0.0)) == "$0"


def test_a_run_that_keeps_few_rows_gives_the_figures_of_all_its_requests(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = readings.read(parse(BUSY), result).figures
    monkeypatch.setattr(simulation, "WHOLE_MAX", 60)
    monkeypatch.setattr(parts, "WHOLE_MAX", 60)
    thinned = simulate(parse(BUSY), profile(), engine="simpy")
    assert thinned.outcomes.every > 1
    assert len(thinned.samples) < len(result.samples) / 2
    found = readings.read(parse(BUSY), thinned).figures
    assert found.keys() == whole.keys()
    assert found["feed.read.answered_per_second"] == whole["feed.read.answered_per_second"]
    assert found["cost.dollars_month"] == pytest.approx(whole["cost.dollars_month"])
    assert found["feed.read.p95_seconds"] == pytest.approx(whole["feed.read.p95_seconds"], rel=0.005)


def test_a_run_without_a_steady_state_says_so_and_holds_no_expectation() -> None:
    flooded = parse(TINY.replace("rate: 30/s", "rate: 600/s").replace("duration: 2s", "duration: 1s"))
    found = readings.read(flooded, simulate(flooded, profile(), engine="simpy"))
    assert found.unsteady.startswith("no steady state, first saturated: ")
    assert found.excesses[readings.STEADY] > 0
    calm = readings.read(parse(TINY), simulate(parse(TINY), profile(), engine="simpy"))
    assert (calm.unsteady, calm.excesses) == ("", {})
