"""The compiled engine's caches: against the readable ones, look-up by look-up, and against Che over millions."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import streams
from sim.model.caches import LruCache
from tests.model.compiled_caches import Caches
from tests.oracles import caches as theory

Ints = npt.NDArray[np.int64]

_OBJECTS: Final = 20_000
_SHARES: Final = theory.zipf(_OBJECTS, 0.8)
_WARM: Final = 150_000
_COUNT: Final = 600_000


def _picks(seed: int) -> Ints:
    """Objects asked for; popularity has nothing to do with an object's number."""
    uniforms = streams.named(seed, "test.objects").uniforms(np.arange(_WARM + _COUNT))
    numbers = np.random.default_rng(seed).permutation(_OBJECTS)
    return np.asarray(numbers[np.searchsorted(np.cumsum(_SHARES), uniforms)], dtype=np.int64)


@given(
    asked=st.lists(st.tuples(st.integers(0, 12), st.floats(0.0, 3.0)), max_size=200),
    capacities=st.lists(st.integers(1, 30), min_size=1, max_size=3),
    sizes=st.lists(st.integers(1, 7), min_size=13, max_size=13),
    ttl=st.sampled_from([math.inf, 2.0, 20.0]),
)
def test_they_do_what_the_readable_caches_do(
    asked: list[tuple[int, float]], capacities: list[int], sizes: list[int], ttl: float
) -> None:
    readable = [LruCache(name="test", capacity_bytes=capacity, ttl_seconds=ttl) for capacity in capacities]
    keys = np.array([key for key, _ in asked], dtype=np.int64)
    at = np.cumsum([gap for _, gap in asked], dtype=np.float64)
    for key, now in zip(keys.tolist(), at.tolist(), strict=True):
        missed = []
        for cache in readable:
            if cache.lookup(key, now=now):
                break
            missed.append(cache)
        for cache in reversed(missed):
            cache.keep(key, size_bytes=sizes[key], now=now)
    compiled = Caches(capacities, objects=len(sizes), ttl_seconds=ttl)
    compiled.ask(keys, sizes_bytes=np.array(sizes, dtype=np.int64)[keys], at_seconds=at)
    assert compiled.counts() == [(cache.hit_count, cache.miss_count, cache.used_bytes) for cache in readable]
    for tier, cache in enumerate(readable):
        assert compiled.held(tier) == cache.held().keys.tolist()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_tiers_hit_as_often_as_che_says(seed: int) -> None:
    tiers, keys = Caches((1_000, 4_000), objects=_OBJECTS), _picks(seed)
    tiers.ask(keys[:_WARM])
    tiers.forget_counts()
    tiers.ask(keys[_WARM:])
    edge, shield = theory.lru_series(_SHARES, 1_000.0, 4_000.0)
    assert tiers.hit_ratios() == [
        pytest.approx(edge.hit_ratio, rel=0.01),
        pytest.approx(shield.hit_ratio, rel=0.01),
    ]


@pytest.mark.parametrize("ttl_seconds", [0.4, 5.0])
def test_entries_that_expire_are_asked_for_as_often_as_a_renewal_says(ttl_seconds: float) -> None:
    keys, rate = _picks(4), 1_000.0
    at = np.cumsum(streams.named(4, "test.arrivals").exponentials(np.arange(len(keys)))) / rate
    tier = Caches((1_000,), objects=_OBJECTS, ttl_seconds=ttl_seconds)
    tier.ask(keys[:_WARM], at_seconds=at[:_WARM])
    tier.forget_counts()
    tier.ask(keys[_WARM:], at_seconds=at[_WARM:])
    expected = theory.lru(_SHARES * rate, 1_000.0, ttl_seconds=ttl_seconds)
    assert (expected.characteristic_seconds > ttl_seconds) is (ttl_seconds < 1.0)
    assert tier.hit_ratios() == [pytest.approx(expected.hit_ratio, rel=0.01)]


def test_a_cache_of_another_size_is_told_apart() -> None:
    tiers, keys = Caches((1_100, 4_000), objects=_OBJECTS), _picks(1)
    tiers.ask(keys)
    edge, _ = theory.lru_series(_SHARES, 1_000.0, 4_000.0)
    assert tiers.hit_ratios()[0] != pytest.approx(edge.hit_ratio, rel=0.01)
