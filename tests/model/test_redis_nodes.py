"""Redis nodes: keys are spread by their hash, each node does one thing at a time, and hot counters are split."""

from __future__ import annotations

from typing import Any

import pytest

from core.policies.hot_key import CALM_RATIO, keys_for, node_of, rate_after
from core.policies.shard import node_of_key
from core.scenario import ScenarioError, explain, parse
from sim.reference.counters import PostCounters
from sim.simulate import Result, simulate
from tests.model.small import scenario, text
from tests.model.synthetic import QUIET, profile

LIKES = {"like.add": "100%"}
VIRAL = {"at": "2s", "author": {"followers": 50}, "factor": 20, "rise": "1s", "fall": "15s", "mix": LIKES}


def _simulate(**changes: Any) -> Result:
    hosts = {"one": {"cores": 16}}
    asked = scenario(**{"placement": {"hosts": hosts}, "duration": "10s", **changes})
    return simulate(asked, profile(variation=0.0, stalls=QUIET, idle=False), engine="simpy")


def _spent(result: Result, name: str = "redis") -> dict[str, float]:
    spent: dict[str, float] = {}
    for process, _, seconds in result.usage:
        if process.startswith(name):
            spent[process] = spent.get(process, 0.0) + seconds
    return spent


@pytest.mark.parametrize(("key", "slot"), [("foo", 12182), ("bar", 5061), ("123456789", 12739), ("", 0)])
def test_a_key_is_on_the_node_that_redis_cluster_says(key: str, slot: int) -> None:
    for nodes in (1, 2, 16):
        assert node_of_key(key, nodes) == slot // (16384 // nodes)


def test_keys_are_spread_evenly() -> None:
    counts = [0] * 8
    for person in range(8_000):
        counts[node_of_key(f"timeline:{person}", 8)] += 1
    assert min(counts) > 900
    assert max(counts) < 1_100


def test_the_average_rate_is_the_rate_and_forgets() -> None:
    rate = 0.0
    for _ in range(1_000):
        rate = rate_after(rate, 0.01)
    assert rate == pytest.approx(100.0, rel=0.01)
    assert rate_after(rate, 5.0) == pytest.approx(1.0 + 0.674, abs=0.01)


def test_a_counter_is_split_as_its_rate_asks_and_folded_back_when_it_is_calm() -> None:
    assert [keys_for(rate, 1, 100.0, 100) for rate in (50.0, 100.0, 101.0, 350.0, 1e6)] == [1, 1, 2, 4, 100]
    assert keys_for(150.0, 8, 100.0, 100) == 8  # not smaller until it is calm
    assert keys_for(CALM_RATIO * 100.0 - 1.0, 8, 100.0, 100) == 1
    assert keys_for(1e6, 1, 100.0, 1) == 1
    assert [node_of(2, sub_key, 3) for sub_key in range(4)] == [2, 0, 1, 2]


def test_counters_remember_what_is_hot_and_nothing_else() -> None:
    counters = PostCounters(hot_per_second=50.0, keys_max=100)
    for number in range(400):
        counters.written(7, now=0.005 * number)
    counters.written(8, now=1.0)
    assert counters.keys_of(7) == 4
    assert counters.keys_of(8) == counters.keys_of(9) == 1
    counters.written(7, now=30.0)
    assert counters.keys_of(7) == 1
    assert (counters.split_count, counters.folded_count) == (2, 1)


def test_every_node_does_its_share_of_the_commands() -> None:
    asked = {"mix": {"feed.read": "50%", "story.tray": "20%", "post.create": "30%"}, "rate": "60/s"}
    one, four = _simulate(**asked), _simulate(**asked, redis={"nodes": 4})
    whole = _spent(one)["redis"]
    spent = _spent(four)
    assert set(spent) == {"redis-1", "redis-2", "redis-3", "redis-4"}
    assert sum(spent.values()) == pytest.approx(whole, rel=1e-6)
    assert min(spent.values()) > 0.2 * whole


def test_likes_of_a_viral_post_hit_one_node_unless_its_counter_is_split() -> None:
    def share(hot_keys: int) -> tuple[float, Result]:
        result = _simulate(
            mix=LIKES, rate="10/s", duration="18s", viral=VIRAL, redis={"nodes": 4, "hot": "60/s", "hot_keys": hot_keys}
        )
        spent = _spent(result)
        return max(spent.values()) / sum(spent.values()), result

    one, whole = share(1)
    many, split = share(100)
    assert one > 0.8
    assert many < 0.45
    assert whole.facts["hot_key_split_count"] == 0
    assert split.facts["hot_key_split_count"] >= 2
    assert split.facts["hot_key_folded_count"] >= 1


def test_a_dead_node_costs_its_part_of_the_cards_and_no_other() -> None:
    fault = {"at": "4s", "process": "redis-2", "action": "kill"}
    asked = {"mix": {"feed.read": "100%"}, "rate": "40/s", "redis": {"nodes": 4}}
    result = _simulate(**asked, faults=[fault])
    caches = {name: (hits, misses) for name, hits, misses in result.caches}
    whole = _simulate(**{**asked, "redis": {"nodes": 1}}, faults=[{**fault, "process": "redis"}])
    lost = {name: (hits, misses) for name, hits, misses in whole.caches}
    assert 0 < caches["timeline"][1] < 0.6 * lost["timeline"][1]
    assert set(result.samples.where(result.samples.at_seconds > 6.5).outcome.tolist()) == {"ok"}


def test_nodes_are_explained_and_read_back() -> None:
    asked = scenario(redis={"nodes": 3, "hot": "40/s", "hot_keys": 7})
    assert parse(explain(asked)) == asked


@pytest.mark.parametrize(
    ("redis", "field", "expected"),
    [
        ({"nodes": 0}, "system.redis.nodes", "at least 1"),
        ({"hot": 40}, "system.redis.hot", "a rate with its unit"),
        ({"hot_keys": 101}, "system.redis.hot_keys", "at most 100"),
    ],
)
def test_nodes_that_cannot_be_are_refused(redis: dict[str, Any], field: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text(redis=redis))
    assert caught.value.problems[0].field == field
    assert expected in caught.value.problems[0].expected
