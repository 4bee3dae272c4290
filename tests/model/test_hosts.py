"""Hosts and instances: who shares cores with whom, who serves whom, and what each machine's laws are about."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from core.profile import Profile, scaled
from core.scenario import ScenarioError, explain, parse
from sim.model import disturbances
from sim.model.layout import layout_of
from sim.reference.host import HostCpu
from sim.results.laws import ModelError
from sim.simulate import Result, simulate
from tests.model.small import scenario, text
from tests.model.synthetic import QUIET, STALLS, profile

SEARCH = {"search.users": "100%"}
SPLIT = {"all": {"cores": 2}, "app": {"cores": 1, "runs": ["gateway", "api"]}}


def _spent(result: Result) -> dict[str, float]:
    spent: dict[str, float] = {}
    for process, _, seconds in result.usage:
        spent[process] = spent.get(process, 0.0) + seconds
    return spent


def _where(**placement: Any) -> dict[str, str]:
    layout = layout_of(scenario(placement=placement))
    return {process.name: layout.hosts[process.host].name for process in layout.processes}


def test_without_hosts_all_processes_share_the_cores_of_the_stack() -> None:
    layout = layout_of(scenario(placement={"cores": {"stack": [0, 1, 2]}}))
    assert [(machine.name, machine.cores) for machine in layout.hosts] == [("stack", 3)]
    assert {process.host for process in layout.processes} == {0}
    assert [process.account for process in layout.processes] == list(range(len(layout.processes)))


def test_a_process_is_where_it_is_named_else_where_its_group_is_else_on_the_first() -> None:
    hosts = {
        "a": {"cores": 2, "runs": ["gateway"]},
        "app": {"cores": 4, "count": 2, "runs": ["api", "feed"]},
        "data": {"cores": 8, "runs": ["postgres", "redis", "api-3"]},
    }
    where = _where(hosts=hosts, instances={"api": 4})
    assert {name: where[name] for name in ("api-1", "api-2", "api-3", "api-4", "feed")} == {
        "api-1": "app-1",
        "api-2": "app-2",
        "api-3": "data",
        "api-4": "app-1",
        "feed": "app-1",
    }
    assert (where["postgres_0"], where["postgres_1"], where["redis"]) == ("data", "data", "data")
    assert (where["gateway"], where["kafka"], where["workers"]) == ("a", "a", "a")


def test_a_go_server_works_with_as_many_threads_as_its_host_has_cores() -> None:
    layout = layout_of(scenario(placement={"hosts": {"one": {"cores": 1}, "store": {"cores": 6, "runs": ["objects"]}}}))
    workers = {process.name: process.workers for process in layout.processes}
    assert (workers["objects"], workers["toxiproxy"]) == (6, 1)


def _pages_beside_photos(**placement: Any) -> tuple[float, float]:
    """p50 and p95 of searches while photos are rendered, which takes most of a core."""
    asked = scenario(mix={"search.users": "80%", "media.upload": "20%"}, rate="20/s", placement=placement)
    samples = simulate(asked, profile(variation=0.0, stalls=QUIET)).samples.of("search.users")
    p50, p95 = np.quantile(samples.latency_seconds, [0.5, 0.95])
    return float(p50), float(p95)


def test_processes_share_the_cores_of_their_own_host_and_no_others() -> None:
    together = _pages_beside_photos()
    apart = _pages_beside_photos(hosts=SPLIT)
    assert apart[0] == pytest.approx(0.00095, rel=0.05)  # gateway 0.12 ms, 92 % of the 0.8 ms of search, and the wire
    assert together[0] < 1.25 * apart[0]  # who wakes up beside a busy process gets the core at once, its thread too
    assert together[1] > 2.0 * apart[1]  # unless it has used its share: then it waits for a tick


def test_instances_share_the_requests_and_the_work() -> None:
    asked = scenario(mix=SEARCH, rate="100/s", placement={"instances": {"api": 4}})
    result = simulate(asked, profile(variation=0.0, stalls=QUIET, idle=False))
    spent = _spent(result)
    total = len(result.samples) * 0.0008 / 1.25
    assert [spent[f"api-{number}"] for number in range(1, 5)] == pytest.approx([total / 4] * 4, rel=0.02)
    assert "api" not in spent


def test_two_instances_on_two_hosts_carry_what_one_cannot() -> None:
    def worst(**placement: Any) -> float:
        asked = scenario(mix=SEARCH, rate="170/s", duration="4s", placement=placement, admission=False)
        slow = scaled(profile(variation=0.0, stalls=QUIET), 10.0)  # 6.4 ms a search: more than one core has
        return float(simulate(asked, slow).samples.judged().latency_seconds.max())

    hosts = {"all": {"cores": 2}, "app": {"cores": 1, "count": 2, "runs": ["api"]}}
    assert worst(hosts={"all": {"cores": 2}, "app": {"cores": 1, "runs": ["api"]}}) > 0.3
    assert worst(hosts=hosts, instances={"api": 2}) < 0.1


def test_stalls_of_one_host_do_not_touch_the_other_and_come_at_times_of_their_own() -> None:
    asked = scenario(placement={"hosts": SPLIT})
    streams = [disturbances.stalls_stream(7, host, 0).exponential(0) for host in (0, 1)]
    assert streams[0] != streams[1]
    busy = simulate(asked, profile(stalls=STALLS)).facts["utilisation_ratio_by_host"]
    assert set(busy) == {"app", "all"}
    assert 0.0 < busy["app"] < 1.0


def test_a_process_that_was_not_measured_idles_as_its_group_does() -> None:
    asked = scenario(shards={"physical": 3}, feed={"instances": 2}, placement={"instances": {"api": 2}})
    layout = layout_of(asked)
    told: Profile = profile()
    ratios = {layout.processes[place].name: ratio for place, ratio in disturbances.idle_ratios(layout, told)}
    assert ratios == {
        "feed-1": 0.005,
        "feed-2": 0.005,
        "kafka": 0.01,
        "postgres_0": 0.002,
        "postgres_1": 0.002,
        "postgres_2": 0.002,
    }


def test_the_laws_are_checked_on_every_host(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {"all": lambda self, worker: 0}
    sound = HostCpu._core_for
    monkeypatch.setattr(HostCpu, "_core_for", lambda self, worker: first.get(self.name, sound)(self, worker))
    with pytest.raises(ModelError, match=r"work conservation \(idle with work\): host all"):
        simulate(scenario(placement={"hosts": SPLIT}), profile(), engine="simpy")


def test_hosts_and_instances_are_explained_and_read_back() -> None:
    asked = scenario(placement={"hosts": SPLIT, "instances": {"api": 2}})
    assert parse(explain(asked)) == asked
    assert dataclasses.asdict(asked.system.placement.hosts["app"]) == {
        "cores": 1,
        "count": 1,
        "runs": ("gateway", "api"),
    }


@pytest.mark.parametrize(
    ("placement", "field", "expected"),
    [
        ({"instances": {"app": 2}}, "system.placement.instances.app", "did you mean api?"),
        ({"instances": {"feed": 2}}, "system.placement.instances.feed", "system.feed.instances"),
        ({"instances": {"api": 0}}, "system.placement.instances.api", "at least 1"),
        ({"hosts": {"app": {"cores": 0}}}, "system.placement.hosts.app.cores", "at least 1"),
        ({"hosts": {"app": {"runs": ["api"]}}}, "system.placement.hosts.app.cores", "required"),
        ({"hosts": {"app": {"cores": 1, "runs": ["apo"]}}}, "system.placement.hosts.app.runs[0]", "mean api?"),
        (
            {"hosts": {"app": {"cores": 1, "runs": ["api", "api"]}}},
            "system.placement.hosts.app.runs[1]",
            "app already runs it",
        ),
        (
            {"hosts": {"a": {"cores": 1, "runs": ["postgres_0"]}, "b": {"cores": 1, "runs": ["postgres_0"]}}},
            "system.placement.hosts.b.runs[0]",
            "a already runs it",
        ),
    ],
)
def test_a_placement_that_cannot_be_is_refused(placement: dict[str, Any], field: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text(placement=placement))
    assert caught.value.problems[0].field == field
    assert expected in caught.value.problems[0].expected


def test_work_at_another_process_is_spread_over_all_of_its_instances() -> None:
    """It once came to as many of them as the request's own process has."""
    rest = ["feed", "search", "posts", "upload", "auth", "graph", "media", "fanout", "stories", "ads"]
    processes = {"engagement": ["engagement"], "discovery": ["discovery"], "rest": rest}
    asked = scenario(
        mix={"like.add": "100%"},
        rate="100/s",
        placement={"processes": processes, "instances": {"engagement": 2, "discovery": 6}},
    )
    spent = _spent(simulate(asked, profile(variation=0.0, stalls=QUIET, idle=False)))
    found = [spent.get(f"discovery-{number}", 0.0) for number in range(1, 7)]
    assert min(found) > 0.8 * max(found) > 0.0
