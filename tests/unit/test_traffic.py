"""The schedule: the same for the same seed, with the scenario's rates and shares."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core import arrivals, population, traffic
from core.operations import JOURNEYS, OPERATIONS
from core.scenario import Scenario
from core.scenario.model import LoadPhase
from core.traffic import ABOUT_A_PERSON, ABOUT_A_POST, NO_TARGET, VIRAL_POST
from records.scenarios import read

SMALL = Path(__file__).parents[2] / "scenarios" / "viral_post_small.yaml"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """The shipped scenario at a rate that the figures below are worked out for."""
    return changed(read(SMALL), rate_per_second=24.0)


@pytest.fixture(scope="module")
def long(scenario: Scenario) -> Scenario:
    """The same traffic for long enough that shares and rates show, without a viral post."""
    return changed(scenario, rate_per_second=200.0, duration_seconds=200.0, viral=None)


def changed(scenario: Scenario, **values: object) -> Scenario:
    return dataclasses.replace(scenario, traffic=dataclasses.replace(scenario.traffic, **values))  # type: ignore[arg-type]


def columns(schedule: traffic.Schedule) -> list[list[float]]:
    return [getattr(schedule, name).tolist() for name in ("at_seconds", "act", "person", "target")]


def test_one_seed_gives_one_schedule_and_another_seed_another(scenario: Scenario) -> None:
    first, again = traffic.draw_schedule(scenario), traffic.draw_schedule(dataclasses.replace(scenario))
    other = traffic.draw_schedule(dataclasses.replace(scenario, seed=8))
    assert columns(first) == columns(again)
    assert columns(first) != columns(other)


def test_another_draw_is_of_the_same_people_who_like_what_they_did_not_like_before(scenario: Scenario) -> None:
    likes = changed(scenario, mix_ratio={"like.add": 1.0}, rate_per_second=20.0, viral=None)
    first, second = (traffic.draw_schedule(likes, seed=seed) for seed in (None, 8))
    pairs = [set(zip(each.person.tolist(), each.target.tolist(), strict=True)) for each in (first, second)]
    assert len(pairs[0] & pairs[1]) < 0.05 * len(pairs[1])
    posters = population.draw_population(likes).posters
    liked = [np.bincount(each.target % posters, minlength=posters) for each in (first, second)]
    assert np.corrcoef(liked[0], liked[1])[0, 1] > 0.8  # the same authors are popular


def test_times_are_sorted_and_cover_warm_up_and_duration(scenario: Scenario) -> None:
    at = traffic.draw_schedule(scenario).at_seconds
    assert (np.diff(at) >= 0).all()
    assert -scenario.traffic.warm_up_seconds <= at[0] < -9
    assert 59 < at[-1] < scenario.traffic.duration_seconds


def test_the_rate_is_the_scenarios_and_gaps_are_exponential(long: Scenario) -> None:
    at = traffic.draw_schedule(long).at_seconds
    mean = 200.0 * (200.0 + long.traffic.warm_up_seconds)
    assert len(at) == pytest.approx(mean, abs=5 * mean**0.5)
    gaps = np.diff(at)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.03)


def test_steady_arrivals_are_equally_spaced(scenario: Scenario) -> None:
    at = traffic.draw_schedule(changed(scenario, arrivals="steady", viral=None)).at_seconds
    assert np.diff(at) == pytest.approx(1 / scenario.traffic.rate_per_second)
    assert len(at) == 24 * 70


def test_acts_have_the_mixs_shares(long: Scenario) -> None:
    schedule = traffic.draw_schedule(long)
    assert set(schedule.acts) == set(long.traffic.mix_ratio)
    for index, act in enumerate(schedule.acts):
        share = long.traffic.mix_ratio[act]
        deviation = (share * (1 - share) / len(schedule)) ** 0.5
        assert (schedule.act == index).mean() == pytest.approx(share, abs=5 * deviation), act


def test_persons_and_targets_fit_their_acts(long: Scenario) -> None:
    everything = (
        "feed.read", "like.add", "image.read", "story.tray", "search.users", "media.upload", "story.create",
        "user.read", "graph.follow", "comment.add", "post.read", "search.hashtags",
    )  # fmt: skip
    scenario = changed(long, mix_ratio=dict.fromkeys(everything, 1 / 12))
    schedule, people = traffic.draw_schedule(scenario), population.draw_population(scenario)
    posts = people.posters * scenario.population.posts_per_poster
    assert set(schedule.acts) == set(everything)
    for index, act in enumerate(schedule.acts):
        own = schedule.act == index
        persons, targets = schedule.person[own], schedule.target[own]
        assert own.any()
        assert persons.min() >= 0
        assert persons.max() < (people.posters if act in ("media.upload", "story.create") else people.people)
        if act in ABOUT_A_POST:
            assert targets.min() >= 0
            assert targets.max() < posts
        elif act in ABOUT_A_PERSON:
            assert targets.min() >= 0
            assert targets.max() < people.people
        else:
            assert set(targets) == {NO_TARGET}


def test_posts_of_people_with_more_followers_are_met_more_often(long: Scenario) -> None:
    schedule, people = traffic.draw_schedule(long), population.draw_population(long)
    authors = schedule.target[schedule.target >= 0] % people.posters
    counts = np.bincount(authors, minlength=people.posters)
    weights = people.follower_counts[: people.posters] + 1.0
    assert np.corrcoef(counts, weights)[0, 1] > 0.9


def test_the_viral_post_brings_its_extra_traffic_of_its_authors_followers(scenario: Scenario) -> None:
    schedule, people, viral = (
        traffic.draw_schedule(scenario),
        population.draw_population(scenario),
        scenario.traffic.viral,
    )
    assert viral is not None
    author = schedule.viral_author
    assert author == people.nearest(viral.author.followers)
    assert schedule.viral_at_seconds == viral.at_seconds
    about = schedule.target == VIRAL_POST
    assert set(schedule.person[about]) <= set(people.followers(author).tolist())
    at = schedule.at_seconds[about]
    assert at.min() >= viral.at_seconds
    assert at.max() <= viral.at_seconds + viral.rise_seconds + viral.fall_seconds
    expected = 9 * 24 * (viral.rise_seconds + viral.fall_seconds) / 2  # the area of the triangle
    plain = len(traffic.draw_schedule(changed(scenario, viral=None)))
    assert len(schedule) - plain == pytest.approx(expected, abs=5 * expected**0.5)


def test_a_viral_post_leaves_all_other_traffic_as_it_was(scenario: Scenario) -> None:
    with_it, without = traffic.draw_schedule(scenario), traffic.draw_schedule(changed(scenario, viral=None))
    assert np.isin(without.at_seconds, with_it.at_seconds).all()


@pytest.mark.parametrize(
    ("at", "rate"), [(11.9, 0.0), (12.0, 0.0), (13.5, 108.0), (15.0, 216.0), (22.5, 108.0), (30.0, 0.0), (40.0, 0.0)]
)
def test_the_extra_rate_rises_and_falls_in_straight_lines(scenario: Scenario, at: float, rate: float) -> None:
    assert scenario.traffic.viral is not None
    assert arrivals.viral_rate_per_second(scenario.traffic.viral, 24.0, at) == pytest.approx(rate)


def test_a_viral_post_close_to_the_end_stops_with_the_traffic(scenario: Scenario) -> None:
    assert scenario.traffic.viral is not None
    late = dataclasses.replace(scenario.traffic.viral, at_seconds=55.0)
    assert traffic.draw_schedule(changed(scenario, viral=late)).at_seconds.max() < 60.0


def test_acts_are_in_the_order_of_the_operations_page(scenario: Scenario) -> None:
    page = [*OPERATIONS, *JOURNEYS]
    acts = traffic.draw_schedule(scenario).acts
    assert sorted(acts, key=page.index) == list(acts)


def phased(scenario: Scenario, *factors: float, arrivals: str = "poisson") -> Scenario:
    """Phases of twenty seconds each from t = 20 s on."""
    phases = tuple(
        LoadPhase(at_seconds=20.0 * (index + 1), for_seconds=20.0, factor=factor)
        for index, factor in enumerate(factors)
    )
    return changed(scenario, phases=phases, arrivals=arrivals)


@pytest.mark.parametrize("kind", ["poisson", "steady", "diurnal"])
def test_a_phase_has_its_multiple_of_the_rate_and_the_same_mix(long: Scenario, kind: str) -> None:
    usual, other = (traffic.draw_schedule(phased(long, *factors, arrivals=kind)) for factors in ((), (3.0, 0.25, 0.0)))
    before, after = (np.histogram(each.at_seconds, bins=np.arange(0.0, 201.0, 20.0))[0] for each in (usual, other))
    assert after[1] == pytest.approx(3.0 * before[1], rel=0.06)
    assert after[2] == pytest.approx(0.25 * before[2], rel=0.1)
    assert after[3] == 0
    assert (after[[0, 4, 5, 6, 7, 8, 9]] == before[[0, 4, 5, 6, 7, 8, 9]]).all()
    burst = other.act[(other.at_seconds >= 20.0) & (other.at_seconds < 40.0)]
    shares = np.bincount(burst, minlength=len(other.acts)) / len(burst)
    for name, share in long.traffic.mix_ratio.items():
        assert shares[other.acts.index(name)] == pytest.approx(share, abs=0.02)


def test_a_phase_leaves_the_traffic_outside_of_it_as_it_was_and_a_fall_keeps_a_part_of_it(long: Scenario) -> None:
    usual, other = (traffic.draw_schedule(phased(long, *factors)) for factors in ((), (3.0, 0.25)))
    rows = [set(zip(*columns(each), strict=True)) for each in (usual, other)]
    outside = [{row for row in each if not 20.0 <= row[0] < 60.0} for each in rows]
    falls = [{row for row in each if 40.0 <= row[0] < 60.0} for each in rows]
    assert outside[0] == outside[1]
    assert falls[1] < falls[0]
    assert {row for row in rows[0] if row[0] < 40.0} < {row for row in rows[1] if row[0] < 40.0}


def test_the_count_and_the_windows_of_a_schedule_with_phases_are_right(long: Scenario) -> None:
    scenario = phased(long, 3.0, 0.0, 0.5)
    whole = traffic.draw_schedule(scenario)
    assert len(whole) == pytest.approx(arrivals.mean_count(scenario), rel=0.02)
    parts = list(traffic.windows(scenario, size=500))
    assert min(len(each) for each in parts) > 0
    assert [each.first for each in parts] == np.cumsum([0, *(len(each) for each in parts[:-1])]).tolist()
    assert np.concatenate([each.at_seconds for each in parts]).tolist() == whole.at_seconds.tolist()
    assert np.concatenate([each.person for each in parts]).tolist() == whole.person.tolist()
