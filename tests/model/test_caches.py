"""The caches against worked examples and against the plainest possible implementation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sim.model.caches import LruCache


def _look(cache: LruCache, keys: str) -> str:
    seen = ""
    for now, key in enumerate(keys):
        hit = cache.lookup(ord(key), now=float(now))
        if not hit:
            cache.keep(ord(key), size_bytes=1, now=float(now))
        seen += "h" if hit else "."
    return seen


def test_the_least_recently_used_goes_first() -> None:
    assert _look(LruCache(name="test", capacity_bytes=3), "abcadbe" + "abc") == "...h....h."
    assert _look(LruCache(name="test", capacity_bytes=3), "abcab" + "dab" + "c") == "...hh.hh."


def test_an_entry_is_gone_when_its_time_is_over() -> None:
    cache = LruCache(name="test", capacity_bytes=10, ttl_seconds=2.0)
    cache.keep(1, size_bytes=4, now=0.0)
    assert cache.lookup(1, now=1.9)
    assert not cache.lookup(1, now=2.0)
    assert (cache.hit_count, cache.miss_count, cache.used_bytes) == (1, 1, 0)


def test_what_is_larger_than_the_cache_is_not_kept_and_evicts_nothing() -> None:
    cache = LruCache(name="test", capacity_bytes=10)
    cache.keep(1, size_bytes=6, now=0.0)
    cache.keep(2, size_bytes=11, now=0.0)
    assert cache.lookup(1, now=0.0)
    assert not cache.lookup(2, now=0.0)


@given(
    keys=st.lists(st.integers(0, 12), max_size=200),
    capacity=st.integers(1, 30),
    sizes=st.lists(st.integers(1, 7), min_size=13, max_size=13),
)
def test_it_does_what_a_plain_list_would(keys: list[int], capacity: int, sizes: list[int]) -> None:
    cache, plain = LruCache(name="test", capacity_bytes=capacity), list[int]()
    assert cache.used_bytes == 0
    for key in keys:
        hit = cache.lookup(key, now=0.0)
        assert hit == (key in plain)
        if hit:
            plain.remove(key)
            plain.append(key)
            continue
        cache.keep(key, size_bytes=sizes[key], now=0.0)
        if sizes[key] <= capacity:
            plain.append(key)
            while sum(sizes[each] for each in plain) > capacity:
                plain.pop(0)
        assert cache.used_bytes == sum(sizes[each] for each in plain)
