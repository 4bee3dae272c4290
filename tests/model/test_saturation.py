"""What saturates first, told before a run, against what runs then show."""

from __future__ import annotations

from typing import Any

import pytest

from core.profile import Profile, scaled
from core.scenario import Scenario
from sim.model import saturation
from sim.model.prepared import ScaleError, prepare
from sim.model.saturation import Utilisation
from sim.simulate import simulate
from tests.model.small import MIX, scenario
from tests.model.synthetic import QUIET, profile

SEARCH = {"search.users": "100%"}


def _told(speed: float = 1.0) -> Profile:
    return scaled(profile(variation=0.0, stalls=QUIET, idle=False), speed)


def _ranked(asked: Scenario, told: Profile | None = None) -> dict[str, Utilisation]:
    told = told or _told()
    found = saturation.saturation(prepare(asked, told))
    assert [each.peak_ratio for each in found] == sorted((each.peak_ratio for each in found), reverse=True)
    return {f"{each.kind} {each.name}": each for each in found}


def test_a_place_is_busy_for_what_comes_times_what_it_needs() -> None:
    found = _ranked(scenario(mix=SEARCH, rate="100/s"))
    assert found["process api"].mean_ratio == pytest.approx(100 * 0.75 * 0.0008 / 1.25)  # a quarter is in threads
    assert found["process gateway"].peak_ratio == pytest.approx(100 * 0.00012 / 1.25)
    assert found["host stack"].mean_ratio == pytest.approx(100 * (0.0008 + 0.00012) / 1.25)


def test_instances_and_hosts_share_it() -> None:
    placement = {"instances": {"api": 4}, "hosts": {"a": {"cores": 1}, "b": {"cores": 4, "runs": ["api"]}}}
    found = _ranked(scenario(mix=SEARCH, rate="100/s", placement=placement))
    assert found["process api-3"].mean_ratio == pytest.approx(25 * 0.75 * 0.0008 / 1.25)
    assert found["host b"].mean_ratio == pytest.approx(25 * 0.0008 / 1.25)
    assert found["host a"].mean_ratio == pytest.approx(100 * 0.00012 / 1.25)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"shards": {"replicas": 1}, "placement": {"hosts": {"a": {"cores": 2, "count": 2, "runs": ["postgres"]}}}},
        {"redis": {"nodes": 3}, "placement": {"instances": {"workers": 2}}},
    ],
)
def test_a_run_spends_what_was_told(changes: dict[str, Any]) -> None:
    asked = scenario(mix={**MIX, "feed.read": "45%", "post.create": "5%"}, rate="50/s", duration="24s", **changes)
    found = _ranked(asked)
    result = simulate(asked, _told(), engine="simpy")
    spent: dict[str, float] = {}
    for process, second, seconds in result.usage:
        if second >= 0:
            spent[process] = spent.get(process, 0.0) + seconds / 24.0
    for process in ("gateway", "feed", "api"):
        assert found[f"process {process}"].mean_ratio == pytest.approx(spent[process], rel=0.05), process
    hosts = sum(each.mean_ratio for name, each in found.items() if name.startswith("host"))
    busy = result.facts.get("utilisation_ratio_by_host", {"": result.facts["host_utilisation_ratio"]})
    assert hosts == pytest.approx(sum(busy.values()), rel=0.12)  # photos are few and large


def test_a_viral_posts_peak_shows_where_it_falls() -> None:
    viral = {
        "at": "3s",
        "author": {"followers": 50},
        "factor": 10,
        "rise": "1s",
        "fall": "9s",
        "mix": {"like.add": "100%"},
    }
    asked = scenario(
        mix=SEARCH, rate="20/s", duration="14s", viral=viral, redis={"nodes": 4, "hot_keys": 1}, shards={"physical": 4}
    )  # fmt: skip
    found = _ranked(asked)
    assert found["process api"].peak_ratio > 3.0 * found["process api"].mean_ratio / 2.0
    nodes = sorted(found[f"process redis-{node}"].peak_ratio for node in range(1, 5))
    assert nodes[-1] > 0.0
    assert nodes[:3] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("admission", "outcome"), [(True, "refused"), (False, "timeout")])
def test_an_overload_is_told_before_the_run_and_the_run_ends_all_the_same(admission: bool, outcome: str) -> None:
    asked = scenario(mix=SEARCH, rate="170/s", duration="4s", timeout="500ms", admission=admission)
    result = simulate(asked, _told(10.0), engine="simpy")
    sentence = result.facts["no_steady_state"]
    assert sentence == "no steady state, first saturated: host stack at ρ = 1.25 in the mean"
    assert next(iter(result.facts["busiest"])) == "host stack"
    assert outcome in result.samples.outcome.tolist()


def test_a_queue_that_grows_for_hours_is_refused_with_what_saturates() -> None:
    with pytest.raises(ScaleError, match=r"no steady state, first saturated: .* at ρ = .* requests that wait"):
        simulate(scenario(mix=MIX, rate="90000/s", duration="60s"), _told())


def test_a_peak_that_lasts_is_told_and_one_that_passes_is_not() -> None:
    def verdict(fall: str) -> str | None:
        viral = {"at": "2s", "author": {"followers": 50}, "factor": 20, "rise": "0s", "fall": fall, "mix": SEARCH}
        asked = scenario(mix=SEARCH, rate="10/s", duration="30s", viral=viral)
        return saturation.verdict(tuple(_ranked(asked, _told(10.0)).values()))

    assert verdict("1s") is None
    told = verdict("20s")
    assert told is not None
    assert "for 5 s at the peak" in told


def test_a_system_with_room_says_nothing() -> None:
    facts = simulate(scenario(), _told(), engine="simpy").facts
    assert "no_steady_state" not in facts
    assert len(facts["busiest"]) == 5


def test_photos_at_once_and_partitions_of_the_log_can_be_what_saturates() -> None:
    photos = {"mix": {"media.upload": "100%"}, "rate": "8/s", "placement": {"hosts": {"one": {"cores": 64}}}}
    workers = _ranked(scenario(**photos, media={"workers": 1}, kafka={"partitions": 64}))
    assert next(iter(workers)) == "pool media_workers"
    assert workers["pool media_workers"].mean_ratio == pytest.approx(8 * 0.19, rel=0.15)
    partitions = _ranked(scenario(**photos, media={"workers": 64}, kafka={"partitions": 1}))
    assert next(iter(partitions)) == "partition media.process"
