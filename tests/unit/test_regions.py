"""Where people live and when they are awake: homes, days, and who serves whom."""

from __future__ import annotations

import numpy as np
import pytest

from core import diurnal, homes, population, traffic
from core.policies.geo import serving
from core.scenario import Scenario, ScenarioError, explain, parse
from core.scenario.processes import all_of, everywhere, group_of
from core.scenario.regions import rtt_seconds

REGIONS = """
scenario: x
population: {people: 3_000}
system:
  regions: {eu: {people: 60%, utc_offset: 1h, rtt: {us: 90ms}}, us: {people: 30%, utc_offset: -6h}, ap: {people: 10%}}
  geo: {rtt: 150ms}
traffic: {warm_up: 2s, duration: 100s, rate: 200/s, arrivals: diurnal, diurnal: {factor: 3, busiest: 18h}}
"""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return parse(REGIONS)


def test_people_live_where_the_shares_say_and_stay_there(scenario: Scenario) -> None:
    where = homes.home_regions(scenario)
    assert np.bincount(where) / len(where) == pytest.approx([0.6, 0.3, 0.1], abs=0.03)
    assert where.tolist() == homes.home_regions(parse(REGIONS)).tolist()
    assert set(homes.home_regions(parse("scenario: x"))) == {0}


def test_a_day_has_its_mean_its_peak_and_its_busiest_hour_by_local_time(scenario: Scenario) -> None:
    at = np.arange(0.0, 100.0, 0.01)
    weights = diurnal.weights(scenario, at)
    assert weights.mean(axis=1) == pytest.approx([0.6, 0.3, 0.1])
    assert weights.max(axis=1) / weights.mean(axis=1) == pytest.approx([3.0, 3.0, 3.0], rel=1e-4)
    assert weights.min() > 0.0
    busiest = at[weights.argmax(axis=1)] / 100.0 * 24.0  # UTC
    assert busiest == pytest.approx([17.0, 0.0, 18.0], abs=0.1)


@pytest.mark.parametrize("factor", [1.01, 2.0, 3.3, 20.0])
def test_any_peak_can_be_had(factor: float) -> None:
    spread = diurnal.kappa(factor)
    hours = np.linspace(0.0, 2.0 * np.pi, 100_001)
    shape = np.exp(spread * (np.cos(hours) - 1.0))
    assert shape.max() / shape.mean() == pytest.approx(factor, rel=1e-3)


def test_who_acts_follows_the_days_of_their_regions(scenario: Scenario) -> None:
    schedule, where = traffic.draw_schedule(scenario), homes.home_regions(scenario)
    at, region = schedule.at_seconds, where[schedule.person]
    assert len(at) == pytest.approx(200 * 102, rel=0.03)
    for place in range(3):
        counted, _ = np.histogram(at[region == place], bins=10, range=(0.0, 100.0))
        expected = diurnal.weights(scenario, np.arange(0.5, 100.0))[place].reshape(10, 10).sum(axis=1) * 200.0
        assert counted == pytest.approx(expected, abs=6.0 * expected.max() ** 0.5)
    people = population.draw_population(scenario).people
    assert schedule.person.min() >= 0
    assert schedule.person.max() < people


def test_a_day_of_one_region_changes_when_people_act_and_not_who(scenario: Scenario) -> None:
    told = "scenario: x\ntraffic: {rate: 50/s, arrivals: "
    usual, day = traffic.draw_schedule(parse(told + "poisson}")), traffic.draw_schedule(parse(told + "diurnal}"))
    assert np.histogram(day.at_seconds, bins=6)[0].std() > 3.0 * np.histogram(usual.at_seconds, bins=6)[0].std()
    shortest = min(len(usual), len(day))
    assert usual.person[:shortest].tolist() == day.person[:shortest].tolist()


def test_people_are_served_at_home_else_by_the_nearest_that_is_up() -> None:
    rtt = ((0.0, 0.09, 0.2), (0.09, 0.0, 0.15), (0.2, 0.15, 0.0))
    assert [serving(home, 0b111, rtt[home]) for home in range(3)] == [0, 1, 2]
    assert [serving(home, 0b110, rtt[home]) for home in range(3)] == [1, 1, 2]
    assert [serving(home, 0b001, rtt[home]) for home in range(3)] == [0, 0, 0]
    assert [serving(home, 0b000, rtt[home]) for home in range(3)] == [0, 1, 2]


def test_round_trips_are_given_once_and_hold_both_ways(scenario: Scenario) -> None:
    system = scenario.system
    assert rtt_seconds(system.regions, system.geo) == ((0.0, 0.09, 0.15), (0.09, 0.0, 0.15), (0.15, 0.15, 0.0))


def test_every_region_has_every_process_under_its_own_name(scenario: Scenario) -> None:
    names = everywhere(scenario)
    assert len(names) == 3 * len(all_of(scenario))
    assert "us/postgres_1" in names
    assert group_of("us/postgres_1") == "postgres"
    assert everywhere(parse("scenario: x")) == all_of(parse("scenario: x"))


def test_regions_are_explained_and_read_back(scenario: Scenario) -> None:
    assert parse(explain(scenario)) == scenario
    assert "utc_offset: -6h" in explain(scenario)


@pytest.mark.parametrize(
    ("told", "field", "expected"),
    [
        ("regions: {eu: {people: 50%}, us: {people: 40%}}", "system.regions", "add up to 90%"),
        ("regions: {eu: {utc_offset: 20h}}", "system.regions.eu.utc_offset", "at most 50400"),
        ("regions: {eu: {utc_offset: 3}}", "system.regions.eu.utc_offset", "a duration with its unit"),
        ("regions: {eu: {rtt: {us: 9ms}}}", "system.regions.eu.rtt.us", "expected another region"),
        (
            "regions: {eu: {people: 50%, rtt: {us: 9ms}}, us: {people: 50%, rtt: {eu: 8ms}}}",
            "system.regions.eu.rtt.us",
            "expected the same as in us, 8ms",
        ),
    ],
)
def test_regions_that_cannot_be_are_refused(told: str, field: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(f"scenario: x\nsystem: {{{told}}}")
    assert caught.value.problems[0].field == field
    assert expected in caught.value.problems[0].expected


@pytest.mark.parametrize(
    ("fault", "field", "expected"),
    [
        ("{at: 1s, for: 1s, region: uss}", "faults[0].region", "did you mean us?"),
        ("{at: 1s, region: us}", "faults[0].for", "how long it lasts"),
        ("{at: 1s, for: 1s, process: feed, action: kill}", "faults[0].process", "/feed?"),
        ("{at: 1s, for: 1s, process: us/feed, region: us, action: kill}", "faults[0].region", "no field of this name"),
        ("{at: 1s, for: 1s, region: us, latency: 1ms}", "faults[0].link", "this field is required"),
    ],
)
def test_faults_of_regions_that_cannot_be_are_refused(fault: str, field: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(f"{REGIONS}faults: [{fault}]")
    assert caught.value.problems[0].field == field
    assert expected in caught.value.problems[0].expected


def test_the_only_region_cannot_be_lost() -> None:
    with pytest.raises(ScenarioError, match=r"faults\[0\]\.region: .* it is the only one"):
        parse("scenario: x\nfaults: [{at: 1s, for: 1s, region: local}]")


@pytest.mark.parametrize(
    "fault",
    [
        "{at: 1s, for: 1s, region: us}",
        "{at: 1s, for: 1s, link: feed_redis, down: true}",
        "{at: 1s, for: 1s, link: feed_redis, region: us, down: true}",
        "{at: 1s, for: 1s, process: us/api, action: pause}",
    ],
)
def test_faults_of_regions_are_read(fault: str) -> None:
    assert len(parse(f"{REGIONS}faults: [{fault}]").faults) == 1
