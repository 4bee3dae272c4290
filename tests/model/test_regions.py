"""Regions: people are served at home, data is written where its owner lives, and a region may be lost."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from core import homes, traffic
from core.scenario import Scenario
from sim.model import saturation
from sim.model.prepared import prepare
from sim.simulate import Result, simulate
from tests.model.small import scenario
from tests.model.synthetic import QUIET, profile

RTT = 0.09
REGIONS = {"eu": {"people": "60%", "utc_offset": "1h", "rtt": {"us": "90ms"}}, "us": {"people": "40%"}}
LIKES = {"like.add": "100%"}
SEARCH = {"search.users": "100%"}


def _asked(**changes: Any) -> Scenario:
    return scenario(**{"regions": REGIONS, "rate": "60/s", "duration": "10s", **changes})


def _simulate(**changes: Any) -> Result:
    return simulate(_asked(**changes), profile(variation=0.0, stalls=QUIET, idle=False), engine="simpy")


def _cpu(result: Result, process: str, begin: float = -1e9, end: float = 1e9) -> float:
    return sum(seconds for name, second, seconds in result.usage if name == process and begin <= second < end)


def _homes_of(asked: Scenario, result: Result) -> npt.NDArray[np.int64]:
    """Home of who asked, by sample."""
    return homes.home_regions(asked)[traffic.draw_schedule(asked).person[result.samples.request]]


def test_one_region_is_one_region_whatever_it_is_called() -> None:
    usual = simulate(scenario(), profile(), engine="simpy")
    named = simulate(scenario(regions={"eu": {}}), profile(), engine="simpy")
    assert usual.samples.latency_seconds.tolist() == named.samples.latency_seconds.tolist()
    assert usual.usage == named.usage


def test_each_region_serves_its_own_people_on_its_own_hosts() -> None:
    result = _simulate(mix=SEARCH, rate="100/s")
    asked = _asked(mix=SEARCH, rate="100/s")
    assert result.samples.latency_seconds.max() < 0.05
    local = np.bincount(_homes_of(asked, result)) / len(result.samples)
    spent = [_cpu(result, f"{region}/api") for region in ("eu", "us")]
    assert np.array(spent) / sum(spent) == pytest.approx(local, abs=0.01)
    assert set(result.facts["utilisation_ratio_by_host"]) == {"eu/stack", "us/stack"}


def test_a_like_goes_to_where_the_author_lives_and_a_read_stays() -> None:
    asked = _asked(mix=LIKES)
    result = _simulate(mix=LIKES)
    schedule, where = traffic.draw_schedule(asked), homes.home_regions(asked)
    author = schedule.target % round(200 * 0.2)
    abroad = (where[schedule.person] != where[author])[result.samples.request]
    latency = result.samples.latency_seconds
    assert 0.2 < abroad.mean() < 0.8
    assert latency[abroad].min() > RTT
    assert np.median(latency[abroad]) - np.median(latency[~abroad]) == pytest.approx(RTT, abs=0.002)
    assert latency[~abroad].max() < 0.05


def test_every_commit_is_replayed_in_the_other_region() -> None:
    result = _simulate(mix=LIKES, shards={"physical": 1, "replication": {"replay": "50%"}})
    asked = _asked(mix=LIKES)
    schedule, where = traffic.draw_schedule(asked), homes.home_regions(asked)
    local = np.bincount(where[schedule.target % round(200 * 0.2)]) / len(schedule)
    spent = np.array([_cpu(result, f"{region}/postgres_0") for region in ("eu", "us")])
    expected = local + 0.5 * local[::-1]
    assert spent / spent.sum() == pytest.approx(expected / expected.sum(), abs=0.02)


def test_a_post_is_fanned_out_in_every_region_to_the_people_there() -> None:
    result = _simulate(mix={"post.create": "100%"}, rate="20/s")
    spent = np.array([_cpu(result, f"{region}/workers") for region in ("eu", "us")])
    assert spent / spent.sum() == pytest.approx([0.6, 0.4], abs=0.01)
    assert result.facts["consumer_lag_max_seconds"]["fanout.deliver"] >= RTT / 2
    assert result.facts["log_unhandled_count"] == {"fanout.deliver": 0}


_LOST = {"at": "4s", "for": "6s", "region": "eu"}


def test_people_of_a_lost_region_are_served_by_the_next_when_that_is_seen() -> None:
    changes = {"mix": SEARCH, "duration": "16s", "geo": {"health_check": "2s"}, "faults": [_LOST]}
    asked, result = _asked(**changes), _simulate(**changes)
    at, ours = result.samples.at_seconds, _homes_of(asked, result) == 0
    outcome, latency = result.samples.outcome, result.samples.latency_seconds
    assert set(outcome[~ours].tolist()) == {"ok"}
    unseen = ours & (at > 4.05) & (at < 5.95)
    assert set(outcome[unseen].tolist()) == {"lost"}
    elsewhere = ours & (at > 6.05) & (at < 11.9)
    assert set(outcome[elsewhere].tolist()) == {"ok"}
    assert latency[elsewhere].min() > RTT
    home_again = ours & (at > 12.05)
    assert latency[home_again].max() < 0.05
    assert [event.event for event in result.journal] == [
        "fault_begins",
        "region_rerouted",
        "fault_ends",
        "region_rerouted",
    ]
    assert _cpu(result, "eu/api", 5.0, 10.0) == 0.0


def test_what_the_next_region_did_not_have_yet_is_lost() -> None:
    replication = {"lag": "250ms", "lag_p99": "250ms"}
    result = _simulate(
        mix=LIKES, duration="12s", geo={"health_check": "2s"}, faults=[_LOST], shards={"replication": replication}
    )
    away = next(event for event in result.journal if event.event == "region_rerouted")
    assert result.ledger["like.add.lost"] == away.values["lost"]
    assert 5 <= away.values["lost"] <= 25  # half of 60 a second × (250 ms + 45 ms)


def test_writes_about_people_of_a_lost_region_fail_until_another_has_their_data() -> None:
    changes = {"mix": LIKES, "duration": "12s", "geo": {"health_check": "2s"}, "faults": [_LOST]}
    asked, result = _asked(**changes), _simulate(**changes)
    schedule, where = traffic.draw_schedule(asked), homes.home_regions(asked)
    author = where[(schedule.target % round(200 * 0.2))[result.samples.request]]
    ours = _homes_of(asked, result) == 1
    at = result.samples.at_seconds
    broken = ours & (author == 0) & (at > 4.1) & (at < 5.9)
    assert set(result.samples.outcome[broken].tolist()) == {"refused"}
    mended = ours & (author == 0) & (at > 6.1) & (at < 9.9)
    assert set(result.samples.outcome[mended].tolist()) == {"ok"}
    assert result.samples.latency_seconds[mended].max() < 0.05


def test_a_link_of_one_region_leaves_the_others_alone() -> None:
    fault = {"at": "2s", "for": "5s", "link": "gateway_search", "region": "us", "latency": "200ms"}
    asked, result = _asked(mix=SEARCH, faults=[fault]), _simulate(mix=SEARCH, faults=[fault])
    at, ours = result.samples.at_seconds, _homes_of(asked, result) == 1
    during = (at > 2.0) & (at < 6.7)
    assert result.samples.latency_seconds[during & ours].min() > 0.2
    assert result.samples.latency_seconds[during & ~ours].max() < 0.1
    everywhere = _simulate(mix=SEARCH, faults=[{key: value for key, value in fault.items() if key != "region"}])
    assert everywhere.samples.latency_seconds[during].min() > 0.2


def test_a_process_of_one_region_dies_alone() -> None:
    fault = {"at": "2s", "for": "3s", "process": "us/api", "action": "kill"}
    asked, result = _asked(mix=SEARCH, faults=[fault]), _simulate(mix=SEARCH, faults=[fault])
    failed = result.samples.outcome != "ok"
    assert failed.any()
    assert set(_homes_of(asked, result)[failed]) == {1}


def test_caches_are_each_regions_own() -> None:
    one = _simulate(mix={"image.read": "100%"}, regions={"eu": {}})
    two = _simulate(mix={"image.read": "100%"})
    misses = [next(count for name, _, count in result.caches if name == "edge") for result in (one, two)]
    assert misses[1] > 1.3 * misses[0]  # the first reader of each region


def test_the_busiest_hour_of_each_region_is_told_before_the_run() -> None:
    asked = scenario(
        regions={"eu": {"people": "50%"}, "ap": {"people": "50%", "utc_offset": "8h"}},
        mix=SEARCH,
        rate="100/s",
        duration="48s",
    )
    load = dataclasses.replace(asked.traffic, arrivals="diurnal")
    day = dataclasses.replace(asked, traffic=load)
    told = profile(variation=0.0, stalls=QUIET, idle=False)
    found = {each.name: each for each in saturation.saturation(prepare(day, told))}
    for region in ("eu", "ap"):
        busy = found[f"{region}/api"]
        on_its_loop = 50 * 0.75 * 0.0008
        assert on_its_loop / 1.25 < busy.mean_ratio < on_its_loop  # a search costs less at the busy hour
        assert 1.6 < busy.peak_ratio / busy.mean_ratio < 2.0
    result = simulate(day, told, engine="simpy")
    for region, hour in (("eu", 20.0), ("ap", 12.0)):
        spent = [seconds for name, second, seconds in result.usage if name == f"{region}/api" and second >= 0]
        busiest = int(np.convolve(spent, np.ones(8), "same").argmax()) / 2.0  # 24 hours in 48 seconds
        assert busiest == pytest.approx(hour, abs=2.5)
