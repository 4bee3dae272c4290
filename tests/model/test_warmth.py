"""A CDN that starts warm has at once the hit ratio of one that has run for a long time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core import population
from core.names import Cache
from core.scenario import Scenario
from core.scenario.model import Follows
from sim.model.content import Content
from sim.model.prepared import prepare
from sim.simulate import simulate
from tests.model.small import scenario
from tests.model.synthetic import QUIET, profile
from tests.oracles.caches import lru_series

EDGE_BYTES, SHIELD_BYTES = 1 << 21, 3 << 21
RATE = 400.0


def _asked(*, warm: bool, seed: int = 7) -> Scenario:
    """A second of photos by four hundred people, of which forty fit into the edge, from the very beginning."""
    cdn = {"edge": {"size": "2MiB"}, "shield": {"size": "6MiB"}, "warm": warm}
    found = scenario(seed=seed, mix={"image.read": "100%"}, cdn=cdn)
    load = replace(found.traffic, warm_up_seconds=0.0, duration_seconds=1.0, rate_per_second=RATE)
    people = replace(found.population, people=2_000, follows=Follows(mean=10.0, maximum=500))
    return replace(found, traffic=load, population=people)


def _hit_ratio(asked: Scenario, seeds: range) -> dict[str, float]:
    found: dict[str, list[int]] = {}
    for seed in seeds:
        result = simulate(
            _asked(warm=asked.system.cdn.warm, seed=seed),
            profile(stalls=QUIET, idle=False),
            engine="simpy",
        )
        for name, hits, misses in result.caches:
            known = found.setdefault(name, [0, 0])
            known[0], known[1] = known[0] + hits, known[1] + misses
    return {name: hits / (hits + misses) for name, (hits, misses) in found.items()}


def test_a_warm_tier_hits_in_its_first_second_as_often_as_theory_says_it_does_in_the_long_run() -> None:
    asked = _asked(warm=True)
    people = population.draw_population(asked)
    weights = people.follower_counts[: people.posters] + 1.0
    sizes = Content(asked, viral_author=None).photos_bytes(np.arange(people.posters)).astype(float)
    edge, shield = lru_series(RATE * weights / weights.sum(), EDGE_BYTES, SHIELD_BYTES, sizes)
    found = _hit_ratio(asked, range(8))
    assert found[Cache.EDGE] == pytest.approx(edge.hit_ratio, abs=0.03)
    assert found[Cache.SHIELD] == pytest.approx(shield.hit_ratio, abs=0.08)
    cold = _hit_ratio(_asked(warm=False), range(8))
    assert cold[Cache.SHIELD] < found[Cache.SHIELD] - 0.1  # the edge is full after forty misses


def test_a_cold_cdn_begins_empty_and_a_warm_one_full() -> None:
    for warm in (False, True):
        tiers = {cache.name: cache for cache in prepare(_asked(warm=warm), profile()).resources.caches}
        for name, size in ((Cache.EDGE, EDGE_BYTES), (Cache.SHIELD, SHIELD_BYTES)):
            used = tiers[name].held.sizes.sum()
            assert used <= size
            assert used > size - 100_000 if warm else used == 0


def test_both_engines_begin_with_the_same_photos() -> None:
    asked, told = _asked(warm=True), profile()
    one, two = (simulate(asked, told, engine=engine) for engine in ("simpy", "compiled"))
    assert one.caches == two.caches
    np.testing.assert_allclose(one.samples.latency_seconds, two.samples.latency_seconds, rtol=0, atol=1e-9)
