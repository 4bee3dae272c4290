"""From a day to a second, to a region, to its worst hour; and the follower graph without a list of people."""

from __future__ import annotations

import pytest

from core import population
from core.scenario import Scenario
from planning.plan.demand import contents, followers, workload
from planning.plan.demand.workload import Moment, Workload
from sim.model.content import Content
from sim.model.redis_memory import sorted_set_bytes
from tests.planner import made


def of(scenario: Scenario) -> Workload:
    assert scenario.demand is not None
    assert scenario.intent is not None
    return workload.workload_of(scenario, scenario.demand, scenario.intent)


def test_ten_billion_reads_a_day_at_a_peak_of_three_are_347_thousand_a_second() -> None:
    found = of(
        made.scenario(per_day={"feed.read": 10_000_000_000, "media.upload": 500_000_000}, demand={"peak_factor": 3})
    )
    peak = found.rates("us", Moment.PEAK)
    assert peak["feed.read"] == pytest.approx(347_222.2, abs=0.1)
    assert peak["post.create"] == pytest.approx(17_361.1, abs=0.1)  # a journey's last step
    assert peak["media.process"] == peak["media.complete"] == peak["fanout.deliver"] == peak["post.create"]
    assert found.rates("us", Moment.NOW)["feed.read"] == pytest.approx(115_740.7, abs=0.1)


def test_an_act_that_is_in_a_journey_too_counts_twice_over() -> None:
    found = of(made.scenario(per_day={"post.create": 86_400, "media.upload": 86_400}))
    assert found.per_second["post.create"] == pytest.approx(2.0)


def test_images_follow_the_feed() -> None:
    found = of(made.scenario(per_day={"feed.read": 86_400, "image.read": 86_400}, demand={"images_per_feed": 50}))
    assert found.per_second["image.read"] == pytest.approx(51.0)


def test_growth_is_of_the_horizon() -> None:
    found = of(made.scenario(intent={"growth": "20%", "horizon": "2y"}))
    assert found.growth_factor == pytest.approx(1.44)
    assert found.factor("us", Moment.NOW) == 1.0
    assert found.factor("us", Moment.PEAK) == pytest.approx(1.44)


REGIONS = {"us": {"people": "50%"}, "eu": {"people": "30%"}, "in": {"people": "20%"}}


def test_with_a_region_lost_the_nearest_that_is_left_serves_its_people() -> None:
    near = {
        "us": {"people": "50%", "rtt": {"eu": "80ms", "in": "200ms"}},
        "eu": {"people": "30%", "rtt": {"in": "110ms"}},
        "in": {"people": "20%"},
    }
    found = of(made.scenario(system={"regions": near}, intent={"lose_regions": 1}))
    # us goes to eu, eu to us, in to eu
    assert found.factor("us", Moment.LOST) == pytest.approx(0.5 + 0.3)
    assert found.factor("eu", Moment.LOST) == pytest.approx(0.3 + 0.5)
    assert found.factor("in", Moment.LOST) == pytest.approx(0.2)
    both = of(made.scenario(system={"regions": near}, intent={"lose_regions": 2}))
    assert [both.factor(name, Moment.LOST) for name in near] == pytest.approx([1.0, 1.0, 1.0])


def test_whoever_likes_may_like_somebody_far_away() -> None:
    found = of(made.scenario(system={"regions": REGIONS}))
    assert found.away_ratio == pytest.approx(1 - 0.5**2 - 0.3**2 - 0.2**2)
    assert found.away_seconds == pytest.approx(0.08)
    assert of(made.scenario()).away_ratio == 0.0


def test_with_nothing_to_lose_the_worst_hour_is_the_peak() -> None:
    found = of(made.scenario(system={"regions": REGIONS}))
    assert found.factor("eu", Moment.LOST) == found.factor("eu", Moment.PEAK)


def test_everybody_misses_their_timeline_once_a_day() -> None:
    assert of(made.scenario(per_day={"feed.read": 1_000_000})).timeline_miss_ratio == pytest.approx(0.1)
    assert of(made.scenario(per_day={"feed.read": 50_000})).timeline_miss_ratio == 1.0


@pytest.mark.parametrize("threshold", [60, 1_000, 1_000_000])
def test_the_curve_of_followers_is_the_populations(threshold: int) -> None:
    scenario = made.scenario(
        population={"people": 20_000, "follows": {"mean": 20, "maximum": 3_000}},
        system={"fanout": {"threshold": threshold}},
    )
    people = population.draw_population(scenario)
    curve = followers.curve(scenario.population.follows, people=20_000)
    assert curve.mean() == pytest.approx(float(people.follower_counts.mean()), rel=1e-6)
    pushed = curve.pushes_per_post(posters_ratio=0.2, settings=scenario.system.fanout)
    assert pushed == pytest.approx(Content(scenario, viral_author=None).mean_push_count(), rel=0.01)
    known, followed = curve.celebrities(threshold)
    over = people.follower_counts >= threshold
    assert known == pytest.approx(int(over.sum()), rel=0.01)
    assert followed == pytest.approx(float(people.follower_counts[over].sum()) / 20_000, rel=0.02, abs=1e-9)


def test_two_billion_people_need_no_list() -> None:
    settings = made.scenario(population={"people": 2_000_000_000, "follows": {"mean": 200, "maximum": 50_000_000}})
    curve = followers.curve(settings.population.follows, people=2_000_000_000)
    assert len(curve.counts) < 10_000
    assert curve.counts.sum() == 2_000_000_000
    assert curve.mean() == pytest.approx(200.0, rel=1e-6)


def test_a_timeline_holds_a_week_up_to_its_depth() -> None:
    def entries(posts: float, depth: int) -> float:
        scenario = made.scenario(per_day={"post.create": posts}, system={"fanout": {"depth": depth}})
        return contents.timeline_entries(scenario, of(scenario))

    # of 100,000 people a fifth post, the most followed; pushes a day and person, for seven days and a half
    pushes = of(made.scenario(per_day={"post.create": 1_000})).pushes_per_post
    assert entries(1_000, 1_000) == pytest.approx(1_000 * pushes / 100_000 * 7.5)
    assert entries(10_000_000, 1_000) == 1_000


def test_a_sorted_set_costs_what_redis_was_measured_to_take() -> None:
    # MEMORY USAGE of Redis 7.0: 50 entries 1,072 B, 128 3,120, 350 43,128, 1,000 118,520
    for entries, measured in ((50, 1_072), (128, 3_120), (350, 43_128), (1_000, 118_520)):
        assert sorted_set_bytes(entries) == pytest.approx(measured, rel=0.25)
