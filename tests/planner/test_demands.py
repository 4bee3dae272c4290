"""An operation's cost comes from the flows that the engines run and from the profile, exactly."""

from __future__ import annotations

import pytest

from core.profile import Profile, under_mix
from planning.plan.queueing import demands
from planning.plan.queueing.demands import FollowGraph
from sim.model import flow as flows
from sim.model import stated
from sim.model.components import all_flows
from sim.model.cpu import NoDemandError
from sim.model.pulls import Pulls
from tests.planner import made

GRAPH = FollowGraph(pushes_per_post=50.0, celebrities=1.0, celebrities_followed=1.0)
NAMES = tuple(name for name in made.MILLISECONDS if "/" not in name)


def of(profile: Profile, **changes: object) -> demands.WorkloadDemands:
    return demands.demands_of(made.scenario(**changes), profile, names=NAMES, graph=GRAPH)


@pytest.mark.parametrize("name", NAMES)
def test_where_every_lookup_hits_an_operation_costs_what_was_measured(name: str) -> None:
    found = of(made.profile()).operations[name].cpu_seconds({})
    on_hits = {"image.read": {"edge": 0.1}}.get(name, made.MILLISECONDS[name])
    assert {process: seconds * 1e3 for process, seconds in found.items()} == pytest.approx(on_hits)


def test_the_shipped_calibration_is_used_up_too(shipped: Profile) -> None:
    names = tuple(
        {each.operation for each in shipped.demands if "/" not in each.operation} & set(all_flows(made.scenario()))
    )
    seen = Pulls.from_profile(shipped)
    graph = FollowGraph(
        pushes_per_post=shipped.batch_sizes["fanout.deliver"],
        celebrities=seen.known,
        celebrities_followed=seen.followed_mean,
    )
    found = demands.demands_of(made.scenario(), shipped, names=names, graph=graph)
    compared = dict.fromkeys(names, 0)
    for name in names:
        page = all_flows(made.scenario())[name]
        whole = flows.steps(page.front, page.behind)
        visited, healthy = (
            {str(step.process) for step in flows.walk(whole, healthy=well) if isinstance(step, flows.Use)}
            for well in (False, True)
        )
        spent = found.operations[name].cpu_seconds({})
        for each in under_mix(shipped).demands:
            only_where_something_fails = each.process in visited - healthy
            if each.operation == name and each.process != "toxiproxy" and not only_where_something_fails:
                assert spent.get(each.process, 0.0) == pytest.approx(each.cpu_seconds[-1]), (name, each.process)
                compared[name] += 1
    assert min(compared.values()) >= 1, compared
    assert sum(compared.values()) > 40


def test_a_miss_costs_what_the_fallback_path_costs_beyond_the_usual() -> None:
    read = of(made.profile()).operations["feed.read"]
    usual, missed = read.cpu_seconds({}), read.cpu_seconds({"timeline": 1.0})
    # the page: 35 % of the service's 2 ms more and 45 % of PostgreSQL's 2 ms, and as much again beside the answer
    assert (missed["feed"] - usual["feed"]) * 1e3 == pytest.approx(2 * 0.35 * 2.0)
    assert missed["postgres"] * 1e3 == pytest.approx(2 * 0.45 * 2.0)


def test_paths_are_as_likely_as_their_lookups() -> None:
    read = of(made.profile()).operations["feed.read"]
    chances = read.probabilities({"timeline": 0.2, "post_card": 0.1})
    assert sum(chances) == pytest.approx(1.0)
    both = next(
        chance for chance, path in zip(chances, read.paths, strict=True) if path.misses == {"timeline", "post_card"}
    )
    assert both == pytest.approx(0.02)


def test_fan_out_grows_with_the_timelines_written() -> None:
    def of_pushes(pushes: float) -> float:
        graph = FollowGraph(pushes_per_post=pushes, celebrities=1.0, celebrities_followed=1.0)
        found = demands.demands_of(made.scenario(), made.profile(), names=NAMES, graph=graph)
        return found.operations["fanout.deliver"].cpu_seconds({})["fanout"]

    assert of_pushes(500.0) == pytest.approx(10 * of_pushes(50.0))


def test_stated_cpu_goes_before_the_calibrated() -> None:
    found = of(made.profile(), demand={"cpu": {"feed.read": "50ms", "feed.read@discovery": "10ms"}})
    spent = found.operations["feed.read"].cpu_seconds({})
    assert spent["feed"] == pytest.approx(0.05)
    assert spent["gateway"] == pytest.approx(0.0003)
    assert spent["discovery"] == pytest.approx(0.01)  # no step visits it, so it is behind the answer
    assert all(
        visit.process != "discovery" for path in found.operations["feed.read"].paths for visit in path.segment.visits
    )


def test_stated_milliseconds_are_brought_to_the_calibrated_core() -> None:
    # measured on a core of 2.3 GHz, so on one of 2.6 GHz they are fewer; and half of what one of half the work needs
    for core, factor in (({"ghz": 2.3}, 2.3 / 2.6), ({"ghz": 2.6, "ipc": 0.5}, 0.5)):
        found = of(made.profile(), demand={"cpu": {"feed.read": "50ms"}, "core": core})
        assert found.operations["feed.read"].cpu_seconds({})["feed"] == pytest.approx(0.05 * factor)


def test_the_processors_name_tells_the_calibrated_clock() -> None:
    assert stated.core_of(made.profile()).ghz == 2.6


def test_work_that_nobody_measured_is_refused_by_name() -> None:
    with pytest.raises(NoDemandError, match=r"comment\.add, story\.create: measure it with `windtunnel calibrate`"):
        demands.demands_of(
            made.scenario(), made.profile(), names=("feed.read", "comment.add", "story.create"), graph=GRAPH
        )


def test_own_work_of_branches_at_once_is_one_turn_at_the_loop() -> None:
    (plain, *_) = [path for path in of(made.profile()).operations["feed.read"].paths if not path.misses]
    turns = [visit for visit in plain.segment.visits if visit.process == "feed"]
    assert sum(visit.seconds for visit in turns) == pytest.approx(0.95 * 0.003)  # the rest is behind the answer
    # arrive; three sources at once; what two of them do with their answers; ask for cards; read them, in a task of its
    # own; rules, present and the answer in one
    assert len(turns) == 6
    (fork,) = [each for each in plain.segment.forks if not each.server]
    assert len(fork.segments) == 2  # timeline and celebrities; recommendations and ads ask nobody
