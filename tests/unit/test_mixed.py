"""What a mix of operations costs over what each costs alone, from made-up points; the cost at how busy a process is."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from core.profile import CpuDemand, LinkDelay, Profile, decode, encode, scaled, under_mix
from core.scenario import Scenario
from lab.calibration import mixed
from lab.calibration.mixed import MixedPoint
from lab.calibration.point import SteadyPoint, merged
from sim.model.prepared import prepare
from sim.simulate import simulate
from tests.model.small import scenario
from tests.model.synthetic import profile


def _point(measured: dict[str, float], modelled: dict[str, float], *, error: float = 0.001) -> MixedPoint:
    return MixedPoint(100.0, measured, modelled, dict.fromkeys(measured, error))


def test_the_ratio_is_the_median_and_counts_for_every_component_of_a_process() -> None:
    points = [_point({"api": ratio, "redis": 0.5 * ratio}, {"api": 1.0, "redis": 0.5}) for ratio in (0.8, 0.9, 3.0)]
    found = mixed.ratios(scenario(), points)
    assert found["redis"] == pytest.approx(0.9)
    hosted = {str(each) for each in scenario().system.placement.processes["api"]}
    assert len(hosted) > 1
    assert {name: found[name] for name in hosted} == pytest.approx(dict.fromkeys(hosted, 0.9))
    assert "api" not in found


def test_a_process_of_which_idle_use_hides_the_work_has_no_ratio() -> None:
    clear, hidden = _point({"redis": 0.9}, {"redis": 1.0}), _point({"redis": 0.9}, {"redis": 1.0}, error=0.2)
    assert "redis" in mixed.ratios(scenario(), [clear, clear, hidden])
    assert mixed.ratios(scenario(), [clear, hidden, hidden]) == {}
    assert mixed.ratios(scenario(), [_point({"redis": 0.9}, {})]) == {}


def test_what_depends_on_caches_has_no_ratio() -> None:
    assert mixed.ratios(scenario(), [_point({"edge": 2.0, "objects": 2.0}, {"edge": 1.0, "objects": 1.0})]) == {}


def test_a_point_counts_at_the_speed_of_the_calibration() -> None:
    assert _point({"redis": 0.9}, {"redis": 1.0}).at_speed(0.5).measured == {"redis": pytest.approx(0.45)}


def test_the_model_of_a_point_reads_costs_as_that_with_ratios() -> None:
    alone = mixed.unmixed(profile())
    assert set(alone.mix_cpu_ratio.values()) == {1.0}
    assert under_mix(alone) is alone
    assert alone.demands == profile().demands


def test_the_mix_is_steady_and_no_fault_acts_while_its_proxies_stand() -> None:
    fault = {"at": "1s", "for": "2s", "link": "feed_redis", "latency": "300ms"}
    asked = scenario(faults=[fault], viral={"at": "1s", "author": {"followers": 50}})
    alone = mixed.steady(asked, 30.0, seed=99)
    assert alone.broken_links == ("feed_redis",)
    assert (alone.traffic.viral, alone.traffic.mix_ratio) == (None, asked.traffic.mix_ratio)
    assert prepare(alone, profile()).resources.crosses("feed_redis")
    seen = simulate(alone, profile(), engine="simpy")
    assert len(seen.samples) > 200
    assert not any(event.event.startswith("fault") for event in seen.journal)


def test_demands_under_a_mix_are_those_of_each_alone_times_the_ratio_of_their_process() -> None:
    whole = msgspec.structs.replace(profile(), mix_cpu_ratio={"redis": 0.5})
    found = under_mix(whole)
    for before, after in zip(whole.demands, found.demands, strict=True):
        factor = 0.5 if before.process == "redis" else 1.0
        assert after.cpu_seconds == pytest.approx([factor * each for each in before.cpu_seconds])
    assert under_mix(found) is found
    assert under_mix(profile()) == profile()
    assert under_mix(scaled(whole, 2.0)) == scaled(found, 2.0)
    assert decode(encode(whole)).mix_cpu_ratio == {"redis": 0.5}
    with pytest.raises(ValueError, match=r"mix_cpu_ratio\.redis: expected more than zero"):
        decode(encode(msgspec.structs.replace(whole, mix_cpu_ratio={"redis": 0.0})))


MIXED = msgspec.structs.replace(profile(), mix_cpu_ratio={"gateway": 1.0})
DEMAND = CpuDemand(operation="x", process="redis", rates_per_second=(10.0, 100.0), cpu_seconds=(0.002, 0.001))


@pytest.mark.parametrize(
    ("cores", "seconds"), [(0.0, 0.002), (0.02, 0.002), (0.06, 0.0015), (0.1, 0.001), (9.0, 0.001), (np.inf, 0.001)]
)
def test_a_cost_is_read_at_how_busy_its_process_is(cores: float, seconds: float) -> None:
    """Alone it keeps the process 2 % busy at 10 a second, and 10 % at 100."""
    assert float(DEMAND.while_busy(cores)) == pytest.approx(seconds)


def test_what_others_make_a_process_do_makes_an_operation_cheaper() -> None:
    def cost(asked: Scenario, known: Profile = MIXED) -> float:
        rows = prepare(asked, known).program.demands
        return next(max(row.mean_seconds) for row in rows if (row.operation, row.process) == ("like.add", "gateway"))

    alone = scenario(mix={"like.add": "100%"}, rate="10/s")
    beside = scenario(mix={"like.add": "10%", "feed.read": "90%"}, rate="100/s")
    assert cost(beside) < 0.9 * cost(alone)
    assert cost(beside, profile()) == pytest.approx(cost(alone, profile()))  # an older profile, at its own rate of 10/s


def test_repeated_points_count_by_their_medians() -> None:
    point = SteadyPoint(
        operation="feed.read", rate_per_second=60.0, cpu_seconds={}, variation=0.4, count=10, error_seconds={}
    )
    points = [
        replace(point, cpu_seconds={"feed": value, "redis": 0.1}, error_seconds={"feed": value / 10}, variation=value)
        for value in (0.3, 0.1, 0.2)
    ]
    other = replace(point, rate_per_second=15.0, cpu_seconds={"feed": 9.0})
    found = merged([points[0], other, *points[1:]])
    assert len(found) == 2
    assert found[0].cpu_seconds == {"feed": 0.2, "redis": 0.1}
    assert found[0].error_seconds == {"feed": pytest.approx(0.02)}
    assert (found[0].variation, found[0].count) == (0.2, 30)
    assert found[1] == other


def test_a_clients_link_is_read_at_the_rate_of_all_clients() -> None:
    wires = tuple(
        LinkDelay(link="client_gateway", rate_per_second=rate, median_seconds=median, p99_seconds=3 * median)
        for rate, median in ((100.0, 0.0002), (30.0, 0.0006))
    )
    whole = msgspec.structs.replace(profile(), wires=(*profile().wires, *wires))
    found = [whole.wire("client_gateway", rate) for rate in (1.0, 65.0, 500.0)]
    assert [each.median_seconds for each in found if each is not None] == pytest.approx([0.0006, 0.0004, 0.0002])
    assert whole.wire("feed_redis", 50.0) is None
    assert whole.wire("loopback", 50.0) is not None
    means = [
        prepare(scenario(mix={"feed.read": "100%"}, rate=rate), whole).resources.links[0] for rate in ("30/s", "300/s")
    ]
    assert means[0].mu - means[1].mu == pytest.approx(np.log(3.0))
