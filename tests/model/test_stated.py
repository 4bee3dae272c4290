"""CPU stated by a design takes precedence over the calibration, in the mean and for any graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec
import pytest

from core.fixed_work import VERSION, FixedWork
from core.profile import CpuDemand as Cost
from core.profile import Profile
from core.scenario import Scenario, ScenarioError, parse
from core.scenario.demand import Core, Demand
from sim.model import stated
from sim.model.components import all_flows
from sim.model.content import Content
from sim.model.pulls import FOLLOWED, KNOWN
from sim.simulate import simulate
from tests.model.small import scenario
from tests.model.synthetic import QUIET, profile

#: Fan-out and discovery apart from the rendering of photos, so that their CPU is seen.
_APART: Final = {
    "feed": ["feed"],
    "fanout": ["fanout", "discovery"],
    "api": ["auth", "graph", "upload", "posts", "engagement", "stories", "search"],
    "workers": ["media", "ads"],
}


def _asked(core: Core | None = None, **cpu: float) -> Scenario:
    names = {name.replace("__", "@").replace("_", "."): seconds for name, seconds in cpu.items()}
    demand = Demand(daily_users=1_000, per_day={"feed.read": 10_000}, cpu_seconds=names, core=core)
    asked = scenario(
        mix={"feed.read": "60%", "media.upload": "40%"},  # posters post as often as each other
        rate="30/s",
        duration="20s",
        fanout={"threshold": 30},
        placement={"cores": {"stack": list(range(16))}, "processes": _APART},
    )
    return replace(asked, demand=demand)


def _calibrated() -> Profile:
    told = profile(variation=0.0, stalls=QUIET, idle=False)
    return msgspec.structs.replace(told, batch_sizes={**told.batch_sizes, FOLLOWED: 2.0, KNOWN: 3.0})


def _spent(asked: Scenario, process: str, operation: str) -> float:
    """CPU seconds of a process for each request of an operation."""
    result = simulate(asked, _calibrated(), engine="simpy")
    seconds = sum(spent for name, _, spent in result.usage if name == process)
    return seconds / (result.outcomes.services()[operation].count * 21 / 20)  # the warm-up is in the usage


def _applied(told: Profile, asked: Scenario) -> Profile:
    grows = stated.growth(told, Content(asked, viral_author=None))
    return stated.applied(told, asked, flows=all_flows(asked), grows=grows)


def test_a_scenario_that_states_nothing_has_the_calibrated_profile() -> None:
    asked, told = scenario(), _calibrated()
    assert _applied(told, asked) is told


def test_stated_cpu_is_what_a_request_costs() -> None:
    told = _spent(_asked(feed_read=0.010), "feed", "feed.read")
    assert told == pytest.approx(0.010 + 2 / 3 * (0.00027 + 0.00045), rel=0.1)  # and a little for each photo and post


def test_work_that_grows_with_the_graph_is_in_the_mean_what_is_stated() -> None:
    usual = _spent(_asked(), "redis", "feed.read")
    assert _spent(_asked(feed_read__redis=0.004), "redis", "feed.read") == pytest.approx(0.004, rel=0.1)
    assert usual < 0.002
    pushed = _spent(_asked(fanout_deliver=0.020), "fanout", "post.create")
    assert pushed == pytest.approx(0.020, rel=0.15)  # authors differ, the mean is the stated one


def test_seconds_of_another_core_are_brought_to_the_calibrated_one() -> None:
    asked = _asked(core=Core(ghz=1.25), feed_read=0.010)  # a machine that does not tell its clock has 2.5 GHz
    found = _applied(_calibrated(), asked)
    whole = _asked(feed_read=0.005)
    other = _applied(_calibrated(), whole)
    assert found.demand("feed.read", "feed") == other.demand("feed.read", "feed")


def test_the_fallback_path_costs_more_in_proportion() -> None:
    asked = _asked(feed_read=0.024)
    found = _applied(_calibrated(), asked)
    usual, beyond = found.demand("feed.read", "feed"), found.demand("feed.read/degraded", "feed")
    assert usual is not None
    assert beyond is not None
    assert beyond.at(10.0) / usual.at(10.0) == pytest.approx(4.0 / 2.4)


def test_what_no_page_knows_is_done_behind_the_answer() -> None:
    asked = _asked(feed_read__discovery=0.007)
    found = _applied(_calibrated(), asked)
    cost = found.demand("feed.read", "discovery")
    assert cost == Cost(
        operation="feed.read", process="discovery", rates_per_second=(1.0,), cpu_seconds=(0.007,), variation=0.5
    )
    spent = _spent(asked, "fanout", "feed.read") - _spent(_asked(), "fanout", "feed.read")
    assert spent == pytest.approx(0.007, rel=0.1)


def test_a_read_waits_for_what_the_scenario_says_and_the_work_is_the_same() -> None:
    behind = _asked(feed_read__discovery=0.050)
    assert behind.demand is not None
    waited = replace(behind, demand=replace(behind.demand, waits_for=("feed.read@discovery",)))
    latencies, spent = [], []
    for asked in (behind, waited):
        result = simulate(asked, _calibrated(), engine="simpy")
        latencies.append(result.outcomes.services()["feed.read"].latency.quantile(0.5))
        spent.append(sum(seconds for name, _, seconds in result.usage if name == "fanout"))
    assert latencies[0] < 0.030
    assert latencies[1] > 0.050
    assert spent[1] == pytest.approx(spent[0], rel=0.05)  # what is under way at the end


@pytest.mark.parametrize("name", ["feed.read@feed", "like.add@discovery", "feed.read", "feed.read@search"])
def test_a_read_waits_only_for_stated_cpu_of_another_component(name: str) -> None:
    stated_cpu = "feed.read@discovery: 5ms, feed.read@feed: 5ms, like.add@discovery: 5ms, feed.read: 5ms"
    asked = f"daily_users: 9, per_day: {{feed.read: 9}}, cpu: {{{stated_cpu}}}, waits_for: [{name}]"
    text = f"scenario: x\ndemand: {{{asked}}}"
    with pytest.raises(ScenarioError, match=r"demand\.waits_for.*expected a line of demand\.cpu of feed\.read"):
        parse(text)


def test_the_core_of_a_profile_is_measured_by_its_fixed_work() -> None:
    def core_ghz(milliseconds: float, **machine: str) -> float:
        work = FixedWork(version=VERSION, cpu_seconds={"json": milliseconds / 1e3}, scatter_ratio=0.01, round_count=140)
        return stated.core_of(msgspec.structs.replace(_calibrated(), fixed_work=work, machine=machine)).ghz

    assert core_ghz(4.40) == pytest.approx(4.1 * 1.98)  # of which the constant comes
    assert core_ghz(8.80, processor="a core @ 2.60GHz") == pytest.approx(4.1 * 1.98 / 2)
    assert stated.core_of(_calibrated()) == stated.PLAIN_CORE
