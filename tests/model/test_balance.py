"""Which instance gets a request: the least busy one that is up, so that a dead one makes little difference."""

from __future__ import annotations

from typing import Any

import pytest

from core.policies.balance import least_busy
from sim.model.flow import Ending, Limit
from sim.simulate import Result, simulate
from tests.model.small import scenario
from tests.model.synthetic import QUIET, profile
from tests.model.test_flows import Bench

SEARCH = {"search.users": "100%"}


def _simulate(*faults: dict[str, Any], **changes: Any) -> Result:
    placement = {"hosts": {"one": {"cores": 8}}, "instances": {"api": 2}}
    asked = scenario(**{"mix": SEARCH, "rate": "60/s", "placement": placement, "faults": list(faults), **changes})
    return simulate(asked, profile(variation=0.0, stalls=QUIET, idle=False), engine="simpy")


def _spent(result: Result, process: str, begin: float, end: float) -> float:
    return sum(seconds for name, second, seconds in result.usage if name == process and begin <= second < end)


@pytest.mark.parametrize(
    ("under_way", "up", "turn", "place"),
    [
        ((0, 0, 0), (True, True, True), 4, 1),
        ((2, 1, 3), (True, True, True), 0, 1),
        ((1, 1, 3), (True, True, True), 1, 1),
        ((0, 5, 3), (False, True, True), 0, 2),
        ((0, 0, 0), (False, False, False), 5, 2),
    ],
)
def test_the_least_busy_that_is_up_and_has_its_turn(
    under_way: tuple[int, ...], up: tuple[bool, ...], turn: int, place: int
) -> None:
    assert least_busy(under_way, up, turn) == place


def test_of_two_instances_one_may_die_and_only_what_it_had_under_way_fails() -> None:
    result = _simulate({"at": "2s", "for": "2s", "process": "api-1", "action": "kill"})
    assert (result.samples.outcome != "ok").sum() <= 1
    assert _spent(result, "api-1", 2.0, 4.0) == 0.0
    assert _spent(result, "api-2", 2.0, 4.0) > 1.5 * _spent(result, "api-2", 0.0, 2.0)


def test_of_one_instance_everything_fails_until_it_is_back() -> None:
    placement = {"hosts": {"one": {"cores": 8}}}
    result = _simulate({"at": "2s", "for": "2s", "process": "api", "action": "kill"}, placement=placement)
    down = (result.samples.at_seconds > 2.01) & (result.samples.at_seconds < 3.99)
    assert "ok" not in result.samples.outcome[down].tolist()


def test_of_two_gateways_one_may_die_and_only_its_connections_are_lost() -> None:
    result = _simulate(
        {"at": "2s", "for": "2s", "process": "gateway-1", "action": "kill"}, gateway={"instances": 2}, rate="100/s"
    )
    assert (result.samples.outcome != "ok").sum() <= 2
    assert set(result.samples.outcome.tolist()) <= {"ok", "lost"}
    assert _spent(result, "gateway-2", 2.0, 4.0) > 1.5 * _spent(result, "gateway-2", 0.0, 2.0)


def test_an_instance_that_hangs_gets_few_more() -> None:
    result = _simulate({"at": "2s", "for": "3s", "process": "api-1", "action": "pause"}, timeout="1s")
    late = result.samples.where((result.samples.at_seconds > 2.0) & (result.samples.at_seconds < 5.0))
    assert set(late.outcome.tolist()) == {"ok", "timeout"}
    assert (late.outcome == "timeout").mean() < 0.1  # it would be half of them in turn


def test_what_the_gateway_refuses_does_not_count_against_its_limit() -> None:
    bench = Bench(Limit(), scenario(gateway={"limits": {"feed.read": "2/s per user"}}))
    for at in (0.0, 0.5, 0.9, 1.01, 1.1, 1.9, 2.02):
        bench.ask(at=at)
    ok, limited = Ending.OK, Ending.LIMITED
    # a window begins with its first request: at 0, at 1.01 and at 2.02
    assert [ending for _, ending in sorted(bench.run())] == [ok, ok, limited, ok, ok, limited, ok]
