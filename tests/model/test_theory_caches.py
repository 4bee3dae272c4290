"""Che's approximation: against worked cases, and against the model's own cache under independent requests."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import streams
from sim.model.caches import LruCache
from tests.oracles import caches

Floats = npt.NDArray[np.float64]

_OBJECTS = 3_000
_RATES = caches.zipf(_OBJECTS, 0.8) * 100.0  # requests per second
_SIZES = 20.0 + 60.0 * streams.named(1, "test.sizes").uniforms(np.arange(_OBJECTS))


def _requests(seed: int, count: int) -> tuple[list[int], list[float]]:
    """Objects asked for, and when."""
    at = np.cumsum(streams.named(seed, "test.arrivals").exponentials(np.arange(count))) / _RATES.sum()
    picks = streams.named(seed, "test.objects").uniforms(np.arange(count))
    return np.searchsorted(np.cumsum(_RATES / _RATES.sum()), picks).tolist(), at.tolist()


class _Tiers:
    """Edges in front of a shield, each keeping what it fetched; counts after the warm-up only."""

    def __init__(self, edges: list[LruCache], shield: LruCache, sizes: Floats):
        self.edges, self.shield, self._sizes = edges, shield, np.rint(sizes).astype(int).tolist()

    def ask(self, objects: list[int], at: list[float], *, warm: int) -> None:
        for number, (key, now) in enumerate(zip(objects, at, strict=True)):
            if number == warm:
                for cache in (*self.edges, self.shield):
                    cache.hit_count = cache.miss_count = 0
            edge = self.edges[number % len(self.edges)]
            if edge.lookup(key, now=now):
                continue
            if not self.shield.lookup(key, now=now):
                self.shield.keep(key, size_bytes=self._sizes[key], now=now)
            edge.keep(key, size_bytes=self._sizes[key], now=now)

    def ratios(self) -> tuple[float, float]:
        hits, misses = (sum(getattr(edge, kind) for edge in self.edges) for kind in ("hit_count", "miss_count"))
        return hits / (hits + misses), self.shield.hit_count / (self.shield.hit_count + self.shield.miss_count)


def test_popularity_falls_with_the_rank() -> None:
    shares = caches.zipf(4, 1.0)
    assert shares == pytest.approx(np.array([12.0, 6.0, 4.0, 3.0]) / 25.0)


def test_objects_that_are_all_alike_hit_as_often_as_they_are_there() -> None:
    tier = caches.lru(np.ones(1_000), 250.0)
    assert tier.hit_ratio == pytest.approx(0.25)
    assert tier.characteristic_seconds == pytest.approx(-math.log(0.75))


def test_a_cache_of_everything_misses_nothing() -> None:
    tier = caches.lru(_RATES, float(_OBJECTS))
    assert math.isinf(tier.characteristic_seconds)
    assert tier.hit_ratio == pytest.approx(1.0)
    edge, shield = caches.lru_series(_RATES, float(_OBJECTS), 10.0)
    assert edge.hit_ratio == pytest.approx(1.0)
    assert shield.hit_ratio == 0.0  # nobody asks it


def test_a_small_shield_behind_one_edge_is_of_no_use() -> None:
    # what the edge has just lost, a shield of its size has mostly lost before
    assert caches.lru_series(_RATES, 300.0, 250.0)[1].hit_ratio < 0.001
    assert caches.lru_series(_RATES, 300.0, 250.0, edges=4)[1].hit_ratio > 0.05


@given(st.floats(0.1, 0.9), st.floats(1.01, 60.0))
def test_an_entry_that_expires_is_asked_for_as_often_as_a_renewal_says(filled: float, lives: float) -> None:
    rates = _RATES[:400]
    plain = caches.lru(rates, filled * 400)
    short = caches.lru(rates, filled * 400, ttl_seconds=lives * plain.characteristic_seconds)
    unbounded = caches.ttl(rates, lives * plain.characteristic_seconds)
    assert short.characteristic_seconds == plain.characteristic_seconds
    assert (short.hit_ratios <= plain.hit_ratios + 1e-9).all()
    assert (short.hit_ratios <= unbounded.hit_ratios + 1e-9).all()


def test_expiry_meets_its_limits() -> None:
    plain = caches.lru(_RATES, 300.0)
    kept = plain.characteristic_seconds
    assert caches.lru(_RATES, 300.0, ttl_seconds=1e9).hit_ratio == pytest.approx(plain.hit_ratio, rel=1e-6)
    just = [caches.lru(_RATES, 300.0, ttl_seconds=kept * factor).hit_ratio for factor in (1 - 1e-9, 1 + 1e-9)]
    assert just[0] == pytest.approx(just[1], rel=1e-6)
    far = [caches.lru(_RATES, 300.0, ttl_seconds=kept * factor).hit_ratio for factor in (19.99, 20.01)]
    assert far[0] == pytest.approx(far[1], rel=1e-4)
    assert caches.lru(_RATES, _OBJECTS, ttl_seconds=5.0).hit_ratio == pytest.approx(caches.ttl(_RATES, 5.0).hit_ratio)


@pytest.mark.parametrize(("edges", "seed"), [(1, 1), (4, 2)])
def test_two_tiers_agree_with_the_models_cache(edges: int, seed: int) -> None:
    capacities = (250 // edges, 900)
    tiers = _Tiers(
        [LruCache(name="edge", capacity_bytes=capacities[0]) for _ in range(edges)],
        LruCache(name="shield", capacity_bytes=capacities[1]),
        np.ones(_OBJECTS),
    )
    tiers.ask(*_requests(seed, 200_000), warm=50_000)
    edge, shield = caches.lru_series(_RATES / edges, capacities[0], capacities[1], edges=edges)
    assert tiers.ratios()[0] == pytest.approx(edge.hit_ratio, rel=0.01)
    assert tiers.ratios()[1] == pytest.approx(shield.hit_ratio, rel=0.01)


def test_two_tiers_with_sizes_agree_with_the_models_cache() -> None:
    sizes = np.rint(_SIZES)
    tiers = _Tiers(
        [LruCache(name="edge", capacity_bytes=12_000)], LruCache(name="shield", capacity_bytes=50_000), sizes
    )
    tiers.ask(*_requests(3, 200_000), warm=50_000)
    edge, shield = caches.lru_series(_RATES, 12_000.0, 50_000.0, sizes)
    assert tiers.ratios()[0] == pytest.approx(edge.hit_ratio, rel=0.01)
    assert tiers.ratios()[1] == pytest.approx(shield.hit_ratio, rel=0.015)
    weights = _RATES * sizes
    assert edge.byte_hit_ratio == pytest.approx(weights @ edge.hit_ratios / weights.sum())


def test_what_no_edge_can_hold_is_the_shields() -> None:
    sizes = np.where(np.arange(_OBJECTS) % 3 == 0, 300.0, 1.0)
    tiers = _Tiers([LruCache(name="edge", capacity_bytes=250)], LruCache(name="shield", capacity_bytes=60_000), sizes)
    tiers.ask(*_requests(4, 150_000), warm=50_000)
    edge, shield = caches.lru_series(_RATES, 250.0, 60_000.0, sizes)
    assert (edge.hit_ratios[::3] == 0.0).all()
    assert tiers.ratios() == pytest.approx((edge.hit_ratio, shield.hit_ratio), rel=0.015)


@pytest.mark.parametrize("ttl_seconds", [0.7, 6.0])
def test_an_lru_cache_whose_entries_expire_agrees_with_the_models(ttl_seconds: float) -> None:
    cache = LruCache(name="test", capacity_bytes=250, ttl_seconds=ttl_seconds)
    objects, at = _requests(5, 150_000)
    for number, (key, now) in enumerate(zip(objects, at, strict=True)):
        if number == 20_000:
            cache.hit_count = cache.miss_count = 0
        if not cache.lookup(key, now=now):
            cache.keep(key, size_bytes=1, now=now)
    tier = caches.lru(_RATES, 250.0, ttl_seconds=ttl_seconds)
    assert (tier.characteristic_seconds > ttl_seconds) is (ttl_seconds < 1.0)
    assert cache.hit_count / (cache.hit_count + cache.miss_count) == pytest.approx(tier.hit_ratio, rel=0.01)


def test_what_is_no_cache_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        caches.lru(_RATES, 0.0)
    with pytest.raises(ValueError, match="request rates"):
        caches.lru(np.zeros(3), 1.0)
    with pytest.raises(ValueError, match="edges"):
        caches.lru_series(_RATES, 10.0, 10.0, edges=0)
