"""The plan: shares that add up, and limits that are checked before anything is sent."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from core import traffic
from core.scenario import Scenario, parse
from loadtest import plan
from tests.loadtest.conftest import SCENARIO


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return parse(SCENARIO)


def changed(scenario: Scenario, **values: object) -> Scenario:
    return dataclasses.replace(scenario, traffic=dataclasses.replace(scenario.traffic, **values))  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_the_shares_of_all_workers_are_the_schedule_each_request_once(scenario: Scenario, workers: int) -> None:
    shares = [plan.make_plan(scenario, worker=each, worker_count=workers) for each in range(workers)]
    numbers = np.sort(np.concatenate([share.numbers for share in shares]))
    assert np.array_equal(numbers, np.arange(len(traffic.draw_schedule(scenario))))
    assert sum(share.posts_viral for share in shares) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rate_per_second": 20_000.0}, "one process sends at most 5,000"),
        ({"duration_seconds": 8_000.0}, "at most 7200 s"),
        ({"duration_seconds": 7_000.0, "rate_per_second": 1_000.0}, "at most 2,000,000"),
        ({"mix_ratio": {"media.complete": 1.0}}, "step of a journey"),
        ({"mix_ratio": {"post.delete": 1.0}}, "expected e.g. post.withdraw"),
        ({"mix_ratio": {"media.delete": 1.0}}, "expected e.g. media.withdraw"),
    ],
)
def test_traffic_out_of_bounds_is_refused(scenario: Scenario, change: dict[str, object], says: str) -> None:
    with pytest.raises(plan.LoadPlanError, match=says):
        plan.make_plan(changed(scenario, viral=None, **change))


def test_more_workers_carry_a_rate_that_one_may_not(scenario: Scenario) -> None:
    quick = changed(scenario, viral=None, rate_per_second=8_000.0)
    with pytest.raises(plan.LoadPlanError):
        plan.make_plan(quick)
    assert len(plan.make_plan(quick, worker=1, worker_count=2))


def test_there_is_no_share_of_a_worker_beyond_the_last(scenario: Scenario) -> None:
    with pytest.raises(plan.LoadPlanError, match="expected a worker below the count"):
        plan.make_plan(scenario, worker=2, worker_count=2)


def test_one_operation_alone_keeps_the_world_and_drops_the_rest(scenario: Scenario) -> None:
    alone = plan.steady(scenario, "feed.read", rate_per_second=50.0, seconds=20.0, warm_up_seconds=2.0)
    share = plan.make_plan(alone)
    assert {share.act(number) for number in share.numbers.tolist()} == {"feed.read"}
    assert share.schedule.viral_author is None
    assert not share.posts_viral
    assert alone.population == scenario.population
    assert 800 < int((share.schedule.at_seconds >= 0).sum()) < 1_200  # 1,000 ± 6 standard deviations


def test_a_step_of_a_journey_stands_for_the_shortest_journey_that_has_it() -> None:
    found = {name: plan.act_of(name) for name in ("feed.read", "object.put", "media.delete", "post.delete")}
    assert found["feed.read"] == "feed.read"
    assert found["object.put"] in ("media.upload", "media.withdraw")
    assert (found["media.delete"], found["post.delete"]) == ("media.withdraw", "post.withdraw")


@pytest.mark.parametrize(("operation", "rate"), [("feed.reed", 1.0), ("feed.read", 0.0)])
def test_one_operation_that_cannot_be_sent_alone_is_refused(scenario: Scenario, operation: str, rate: float) -> None:
    with pytest.raises(plan.LoadPlanError, match="expected"):
        plan.steady(scenario, operation, rate_per_second=rate, seconds=1.0, warm_up_seconds=0.0)


def test_the_generator_has_room_for_all_that_can_wait_at_once(scenario: Scenario) -> None:
    share = plan.make_plan(changed(scenario, viral=None, mix_ratio={"feed.read": 1.0}, timeout_seconds=5.0))
    peak = plan.peak_per_second(share.schedule.at_seconds)
    assert share.inflight_max >= peak * 5.0
    assert share.inflight_max <= plan.INFLIGHT_MAX


def test_it_spins_only_on_a_core_of_its_own(scenario: Scenario) -> None:
    assert plan.spins(scenario)
    system = scenario.system
    cores = dataclasses.replace(system.placement.cores, load=(0, 1))
    placement = dataclasses.replace(system.placement, cores=cores)
    assert not plan.spins(dataclasses.replace(scenario, system=dataclasses.replace(system, placement=placement)))
