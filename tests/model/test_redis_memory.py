"""What Redis has room for: all of it, or the same share of timelines and of cards; evictions cost readers fallbacks."""

from __future__ import annotations

import math
from typing import Any

import pytest

from core.names import Cache
from sim.model.content import Content
from sim.model.redis_memory import entries_max
from sim.simulate import Result, simulate
from tests.model.small import scenario
from tests.model.synthetic import profile


def _room(**redis: Any) -> dict[Cache, float]:
    asked = scenario(redis=redis)
    return entries_max(Content(asked, viral_author=None), asked)


def test_what_fits_has_no_bound() -> None:
    assert set(_room(memory="256MiB").values()) == {math.inf}


def test_less_memory_holds_less_of_everything_in_one_proportion() -> None:
    whole, half = _room(memory="100KiB"), _room(memory="50KiB")
    for name in (Cache.TIMELINE, Cache.POST_CARD, Cache.AUTHOR_CARD):
        assert half[name] == pytest.approx(whole[name] / 2.0, abs=1.0)
    assert _room(memory="50KiB", nodes=2) == whole


def _read(**redis: Any) -> Result:
    return simulate(scenario(redis=redis, mix={"feed.read": "100%"}, rate="80/s"), profile(), engine="simpy")


def test_readers_whose_timeline_was_evicted_fall_back() -> None:
    def missed(found: Result, cache: Cache) -> float:
        name, hits, misses = next(each for each in found.caches if each[0] == cache)
        assert name == cache
        return misses / (hits + misses)

    roomy, narrow = _read(memory="256MiB"), _read(memory="30KiB")
    for cache in (Cache.TIMELINE, Cache.POST_CARD):
        assert missed(roomy, cache) < 0.05
        assert missed(narrow, cache) > 0.2
