"""Fleets: a cell is its part of the whole, what is added up is added up exactly, rules are kept, what is not exact is
told."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from core import population, traffic
from core.errors import UserError
from core.names import Outcome
from core.profile import Profile
from core.scenario import Scenario, ScenarioError, explain, parse
from planning.fleet import simulate as make
from planning.fleet import text as told
from planning.fleet.cell import cell_of
from planning.fleet.doubled import doubled, moved
from planning.fleet.seen import SimulatedCell, seen
from planning.fleet.whole import Fleet, watched, whole
from planning.fleet.work import work
from planning.plan.demand import followers
from planning.simulations.runners import Here
from planning.simulations.task import seed_of, setup
from records.scenarios import read
from sim.model import layout
from sim.model.content import Content
from sim.model.flow import Per
from sim.model.prepared import PEOPLE_MAX, ScaleError, prepare
from sim.model.pulls import FOLLOWED, KNOWN, Pulls
from sim.results.histogram import Histogram, merged
from sim.results.outcomes import MOMENTS
from sim.results.replications import StoppingVerdict, pooled_interval, pooled_quantile, pseudo_values
from sim.simulate import simulate
from stack import unsupported
from tests.model.synthetic import profile

PEAK = Path(__file__).parents[2] / "scenarios" / "reference" / "design_a_peak.yaml"
FLEET = """\
scenario: small_fleet
seed: 5
population: {people: 4_000, follows: {mean: 20, maximum: 600}}
system:
  cells: 4
  fanout: {threshold: 60}
  placement: {cores: {stack: [0, 1]}}
traffic:
  warm_up: 1s
  duration: 4s
  rate: 400/s
  mix: {feed.read: 60%, like.add: 25%, image.read: 10%, media.upload: 5%}
"""


def _fleet(cells: int = 4, **traffic: object) -> Scenario:
    found = parse(FLEET)
    load = replace(found.traffic, **traffic)  # type: ignore[arg-type]
    return replace(found, system=replace(found.system, cells=cells), traffic=load)


def _told() -> Profile:
    told = profile()
    return msgspec.structs.replace(told, batch_sizes={**told.batch_sizes, FOLLOWED: 4.0, KNOWN: 8.0})


@pytest.fixture(scope="module")
def all_seen() -> tuple[SimulatedCell, ...]:
    """All four cells of the fleet."""
    cell = cell_of(_fleet(), _told())
    cells = [replace(cell.scenario, seed=seed_of(cell.scenario.seed, number)) for number in range(4)]
    return tuple(seen(each, simulate(each, cell.profile, engine="compiled")) for each in cells)


# --- a cell -----------------------------------------------------------------------------------------------------------


def test_a_fleet_of_one_cell_is_the_plain_run() -> None:
    asked, measured = _fleet(1), _told()
    cell = cell_of(asked, measured)
    assert cell.scenario is asked
    assert cell.profile is measured
    result = simulate(asked, measured, engine="compiled")
    alone = whole(asked, 1, [seen(asked, result)])
    for figures in alone.operations:
        rows = result.samples.judged().of(figures.name)
        assert figures.count == len(rows)
        assert figures.per_second.value == len(rows) / asked.traffic.duration_seconds
        if (median := figures.quantiles[0.5]) is not None:
            # what was refused ranks behind all answers; a histogram does not interpolate between two samples
            ranked = np.where(rows.outcome == Outcome.REFUSED.value, math.inf, rows.latency_seconds)
            low, high = (np.quantile(ranked, 0.5, method=each) for each in ("lower", "higher"))
            assert 0.996 * low <= median.value <= 1.004 * high
            assert math.isinf(median.high)  # one run says nothing of its spread


def test_a_cell_has_its_part_of_people_and_traffic_and_the_whole_system() -> None:
    fleet = _fleet()
    cell = cell_of(fleet, _told())
    assert cell.count == 4
    assert cell.scenario.population.people * 4 == fleet.population.people
    assert cell.scenario.traffic.rate_per_second * 4 == fleet.traffic.rate_per_second
    assert replace(cell.scenario.system, cells=4) == fleet.system
    assert parse(explain(cell.scenario)) == cell.scenario


@pytest.mark.parametrize(
    ("people", "cells", "mean", "maximum", "threshold"),
    [(4_000, 4, 20, 600, 60), (40_000, 10, 20, 2_000, 140), (2_000_000_000, 20_000, 200, 500_000_000, 10_000)],
)
def test_work_that_grows_with_the_graph_costs_in_a_cell_what_it_costs_in_the_fleet(
    people: int, cells: int, mean: float, maximum: int, threshold: int
) -> None:
    follows = f"follows: {{mean: {mean}, maximum: {maximum}}}"
    system = f"system: {{cells: {cells}, fanout: {{threshold: {threshold}}}}}"
    fleet = parse(f"scenario: f\npopulation: {{people: {people}, {follows}}}\n{system}\n")
    cell = cell_of(fleet, _told())
    content, curve = Content(cell.scenario, viral_author=None), followers.curve(fleet.population.follows, people=people)
    known, followed = curve.celebrities(threshold)
    pushed = curve.pushes_per_post(posters_ratio=0.2, settings=fleet.system.fanout)
    assert content.celebrities() == pytest.approx(known / cells, rel=0.02, abs=1)
    assert content.mean_push_count() == pytest.approx(pushed, rel=0.03)
    calibrated = _told().batch_sizes["fanout.deliver"]
    assert content.mean_push_count() / cell.profile.batch_sizes["fanout.deliver"] == pytest.approx(pushed / calibrated)
    for per in (Per.PULL, Per.MERGE):
        here = Pulls.from_profile(cell.profile).factor(
            per, followed=content.mean_pull_count(), known=content.celebrities()
        )
        assert here == pytest.approx(Pulls.from_profile(_told()).factor(per, followed=followed, known=known))


def test_cells_of_a_fleet_have_seeds_of_their_own_and_of_two_fleets_the_same() -> None:
    one, other = cell_of(_fleet(), _told()).scenario, cell_of(_fleet(rate_per_second=800.0), _told()).scenario
    seeds = [seed_of(one.seed, number) for number in range(4)]
    assert len(set(seeds)) == 4
    assert seeds == [seed_of(other.seed, number) for number in range(4)]


# --- the fleet --------------------------------------------------------------------------------------------------------


def test_what_all_cells_do_together_is_what_the_fleet_does(all_seen: tuple[SimulatedCell, ...]) -> None:
    fleet = whole(_fleet(), 4, all_seen)
    assert {each.name for each in fleet.operations} >= {"feed.read", "like.add", "image.read", "post.create"}
    for figures in fleet.operations:
        services = [each.services[figures.name] for each in all_seen]
        asked = sum(service.count for service in services) / 4.0
        assert figures.per_second.value == pytest.approx(asked, rel=1e-12)
        together = merged(service.latency for service in services)
        for q, found in figures.quantiles.items():
            if found is not None:
                assert found.value == together.quantile(q)
    offered = sum(each.per_second.value for each in fleet.operations if each.name in ("feed.read", "like.add"))
    assert offered == pytest.approx(0.85 * 400.0, rel=0.1)
    spent = sum(sum(each.quantities.cores.values()) for each in all_seen)
    assert fleet.busy_ratio["stack machines"].value * 4 * 2 == pytest.approx(spent, rel=1e-9)
    hits, misses = zip(*(each.look_ups["post_card"] for each in all_seen), strict=True)
    assert fleet.hit_ratio["post_card"].value == pytest.approx(sum(hits) / (sum(hits) + sum(misses)), abs=0.01)
    assert fleet.dollars_month is not None
    assert fleet.dollars_month.value > 0


def test_an_error_that_was_never_seen_is_below_what_so_many_requests_would_show(
    all_seen: tuple[SimulatedCell, ...],
) -> None:
    figures = next(each for each in whole(_fleet(), 4, all_seen).operations if each.name == "feed.read")
    assert figures.errors_ratio.value == 0.0
    assert figures.errors_ratio.high == pytest.approx(3.0 / figures.count)


def test_the_first_seconds_of_a_cell_that_fills_up_are_seen_as_unsteady(all_seen: tuple[SimulatedCell, ...]) -> None:
    noise = np.random.default_rng(1).normal(size=500)
    rise = np.minimum(np.arange(500) / MOMENTS, 20.0) + noise  # for 20 s
    fleet = whole(_fleet(warm_up_seconds=5.0), 4, [replace(each, means=rise) for each in all_seen])
    assert fleet.settled_seconds is not None
    assert 10 <= fleet.settled_seconds <= 20  # from t0: 5 s of the rise are the warm-up
    assert any("lengthen the warm-up" in note for note in told.notes(_found(fleet)))
    steady = whole(_fleet(), 4, [replace(each, means=20.0 + noise) for each in all_seen])
    assert steady.settled_seconds is not None
    assert steady.settled_seconds <= 0
    short = whole(_fleet(), 4, [replace(each, means=np.arange(150.0)) for each in all_seen])
    assert short.settled_seconds is None
    assert any("no steady state" in note for note in told.notes(_found(short)))


def _found(fleet: Fleet) -> make.SimulatedFleet:
    return make.SimulatedFleet(fleet=fleet, until=None, verdicts={})


# --- enough of them ---------------------------------------------------------------------------------------------------


def test_the_interval_of_all_cells_percentile_holds_the_truth_as_often_as_it_says() -> None:
    draws, truth, held = np.random.default_rng(3), math.exp(0.5 * 2.3263478740408408), 0
    for _ in range(200):
        cells = [Histogram() for _ in range(10)]
        for cell in cells:
            cell.add(np.exp(0.5 * draws.standard_normal(1_500)))
        found = pooled_interval(cells, 0.99)
        held += found.low <= truth <= found.high
        assert found.value == pooled_quantile(cells, 0.99)
        assert np.mean(pseudo_values(cells, 0.99)) == pytest.approx(found.value, rel=0.05)
    assert 180 <= held <= 199  # of 95 %, with 1,500 samples a cell


def _made(*, until: float | None, replications: int | None, rate: float = 2_400.0) -> make.SimulatedFleet:
    asked = _fleet(rate_per_second=rate, mix_ratio={"image.read": 0.98, "like.add": 0.02})
    cell = cell_of(asked, _told())
    return make.make(
        asked,
        cell,
        setup(cell.profile, "compiled"),
        runner=Here(work),
        at_once=2,
        replications=replications,
        until=until,
        report=lambda *_: None,
    )


def test_cells_are_simulated_until_the_interval_is_narrow_and_no_longer() -> None:
    found = _made(until=0.25, replications=None)
    assert found.verdicts == {"image.read": StoppingVerdict.NARROW, "like.add": None}
    assert found.reached
    assert len(found.fleet.seen) == 10
    (image, like) = sorted(found.fleet.operations, key=lambda each: each.name)
    assert image.half_width_ratio is not None
    assert image.half_width_ratio <= 0.25
    assert not watched(found.fleet, like)
    assert like.quantiles[0.5] is not None
    assert any("not waited for" in note and "like.add" in note for note in told.notes(found))


def test_an_interval_that_does_not_get_narrow_is_told_when_no_more_cells_are_allowed() -> None:
    found = _made(until=0.0001, replications=11)
    assert found.verdicts["image.read"] is StoppingVerdict.SPENT
    assert not found.reached
    assert len(found.fleet.seen) == 11
    assert any("wider than asked for" in note and "image.read" in note for note in told.notes(found))
    assert told.sentence(found).startswith("✗ 11 of 4 cells")


def test_so_many_replications_as_were_asked_for_are_simulated() -> None:
    found = _made(until=None, replications=3, rate=400.0)
    assert len(found.fleet.seen) == 3
    assert found.verdicts == {}
    again = _made(until=None, replications=3, rate=400.0)
    record = told.record(found, commit="c", calibration="p", took_seconds=1.0)
    assert record == told.record(again, commit="c", calibration="p", took_seconds=1.0)
    everything = [value for each in record["operations"] for value in each.values() if isinstance(value, float)]
    assert all(math.isfinite(value) for value in everything)


# --- what is not exact ------------------------------------------------------------------------------------------------


def test_a_cell_of_twice_the_size_has_twice_of_everything() -> None:
    fleet = read(PEAK)
    usual, larger = fleet.system, doubled(fleet).system
    one, two = (layout.layout_of(replace(fleet, system=replace(each, cells=1))) for each in (usual, larger))
    for group in ("gateway", "feed", "engagement", "discovery", "posts", "media", "fanout", "api", "postgres", "redis"):
        assert len(two.named(group)) == 2 * len(one.named(group)), group
    assert two.cores == 2 * one.cores
    assert larger.kafka.partitions == 2 * usual.kafka.partitions
    assert larger.cdn.edge.size_bytes == 2 * usual.cdn.edge.size_bytes
    cell = cell_of(doubled(fleet), _told(), size=2)
    assert cell.count == fleet.system.cells / 2
    assert cell.scenario.population.people == 2 * fleet.population.people / fleet.system.cells


def test_what_moves_when_cells_are_twice_as_large_is_told_with_an_interval(all_seen: tuple[SimulatedCell, ...]) -> None:
    same = moved(all_seen, all_seen)
    assert {each.figure for each in same} >= {"feed.read p50", "stack machines busy"}
    assert all(each.difference.mean == 0.0 and not each.difference.distinguishable for each in same)
    busier = [
        replace(each, busy_ratio={"stack machines": each.busy_ratio["stack machines"] + 0.1}) for each in all_seen
    ]
    found = {each.figure: each for each in moved(all_seen, busier)}["stack machines busy"]
    assert found.difference.mean == pytest.approx(0.1)
    assert found.difference.distinguishable
    assert found.ratio == pytest.approx(0.1 / found.usual)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_fleet_and_a_population_beyond_one_system_are_refused_before_anything_is_set_up() -> None:
    with pytest.raises(ScaleError, match="a fleet of 2,000 cells, which `windtunnel simulate` takes apart"):
        prepare(read(PEAK), _told())
    people = replace(_fleet(1).population, people=2_000_000_000)
    with pytest.raises(ScaleError, match=rf"{PEOPLE_MAX:,} at most; split them with `system: {{cells: 2000}}`"):
        prepare(replace(_fleet(1), population=people), _told())


def test_a_cell_that_is_too_large_is_refused_before_anything_is_set_up_and_so_is_a_run_without_end() -> None:
    large = _fleet(2)
    large = replace(large, population=replace(large.population, people=2_000_000_000))
    with pytest.raises(ScaleError, match=r"1,000,000,000 people in one cell.*cells: 2000"):
        cell_of(large, _told())
    with pytest.raises(ScaleError, match="a run of 31,536,001 s"):
        prepare(_fleet(1, duration_seconds=365 * 86_400.0, rate_per_second=0.001), _told())
    posts = replace(_fleet(1).population, posts_per_poster=1_000_000)
    with pytest.raises(ScaleError, match="800,000,000 posts"):
        prepare(replace(_fleet(1), population=posts), _told())


def test_the_stack_cannot_start_cells_and_a_cdn_that_is_warm() -> None:
    assert unsupported.parts(read(PEAK))[0] == "2,000 cells (system.cells)"
    assert "a CDN that is warm from the start (system.cdn.warm)" in unsupported.parts(read(PEAK))


def test_cells_of_a_handful_of_people_are_refused_by_name() -> None:
    with pytest.raises(ScenarioError, match=r"system\.cells: found 100; expected 50 people or more in each cell"):
        parse(FLEET.replace("cells: 4", "cells: 100"))


def test_there_is_no_split_to_check_of_one_cell() -> None:
    one = _found(_alone())
    with pytest.raises(UserError, match="nothing to split"):
        make.check(_fleet(1), one, _told(), "simpy", runner=Here(work), report=lambda *_: None)


def _alone() -> Fleet:
    asked = _fleet(1, rate_per_second=20.0)
    return whole(asked, 1, [seen(asked, simulate(asked, _told(), engine="simpy"))])


# --- the reference ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def peak() -> Scenario:
    """The file as it is shipped."""
    return read(PEAK)


@pytest.mark.parametrize(
    ("act", "a_day"),
    [("feed.read", 10e9), ("like.add", 50e9), ("media.upload", 500e6), ("image.read", 50 * 10e9)],
)
def test_the_peak_of_design_a_is_three_times_its_mean_day(peak: Scenario, act: str, a_day: float) -> None:
    rate = peak.traffic.rate_per_second * peak.traffic.mix_ratio[act]
    assert rate == pytest.approx(3.0 * a_day / 86_400, rel=1e-3)


def test_the_reference_reads_back_and_its_cell_is_people_and_requests_that_can_be_held(peak: Scenario) -> None:
    assert parse(explain(peak)) == peak
    cell = cell_of(peak, _told()).scenario
    assert cell.population.people == 1_000_000
    assert cell.population.people <= PEOPLE_MAX
    counts = population.draw_population(cell).follower_counts
    assert len(counts) == 1_000_000
    assert counts[0] < 1_000_000
    short = replace(cell, traffic=replace(cell.traffic, duration_seconds=1.0, warm_up_seconds=0.0))
    assert len(traffic.draw_schedule(short)) == pytest.approx(9_731, abs=500)


@pytest.mark.parametrize("cells", ["0", "many", "1.5"])
def test_cells_are_a_whole_number_from_one(cells: str) -> None:
    with pytest.raises(ScenarioError, match=r"system\.cells"):
        parse(FLEET.replace("cells: 4", f"cells: {cells}"))
