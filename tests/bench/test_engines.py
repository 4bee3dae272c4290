"""How much faster compiled code is than SimPy, on one core: processor time, runs interleaved, medians.

Compiled code is loaded before, and every pair of runs is checked to be the same run. What is asserted is a floor far
below what is seen, under which the compiled code would not be worth its lines.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

from core import streams
from core.scenario import Scenario
from sim.compiled import engine
from sim.compiled.warm import compile_now
from sim.model.prepared import PreparedRun, prepare
from sim.reference import engine as reference
from sim.simulate import run_second_by_second
from tests.model.compiled_caches import Caches
from tests.model.small import scenario
from tests.model.synthetic import profile
from tests.model.test_engines import CASES
from tests.oracles.caches import lru

ROUNDS: Final = 5
RATIO_MIN: Final = 10.0
_OBJECTS: Final = 100_000
_LOOKUPS: Final = 5_000_000

pytestmark = pytest.mark.bench


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    compile_now()


def _every_feature() -> Scenario:
    return scenario(**{**CASES["everything at once"], "duration": "12s", "rate": "240/s"})


def _timed(kind: Any, prepared: PreparedRun) -> tuple[float, Any]:
    begun = time.process_time()
    runner = kind.Engine(prepared)
    run_second_by_second(prepared, runner)
    seen = runner.observed()
    return time.process_time() - begun, seen


def _ratio(prepared: Callable[[], PreparedRun]) -> float:
    _timed(engine, prepared())
    slow_seconds, fast_seconds = [], []
    for _ in range(ROUNDS):
        seconds, expected = _timed(reference, prepared())
        slow_seconds.append(seconds)
        seconds, seen = _timed(engine, prepared())
        fast_seconds.append(seconds)
        np.testing.assert_allclose(seen.samples.latency_seconds, expected.samples.latency_seconds, rtol=0, atol=1e-9)
    return statistics.median(slow_seconds) / statistics.median(fast_seconds)


def test_events_with_every_feature_on() -> None:
    ratio = _ratio(lambda: prepare(_every_feature(), profile()))
    print(f"\nevent ratio: {ratio:.0f}")
    assert ratio > RATIO_MIN


def test_look_ups_of_a_cache_tier() -> None:
    shares = np.cumsum(np.arange(1, _OBJECTS + 1) ** -1.0)
    uniforms = streams.named(7, "bench.cache").uniforms(np.arange(_LOOKUPS))
    keys = np.searchsorted(shares, uniforms * shares[-1]).astype(np.int64)
    rates = []
    for _ in range(ROUNDS):
        caches = Caches([_OBJECTS / 10], objects=_OBJECTS)
        caches.ask(keys[:1_000])
        begun = time.process_time()
        caches.ask(keys)
        rates.append(_LOOKUPS / (time.process_time() - begun) / 1e6)
        (told,) = caches.hit_ratios()
        assert told == pytest.approx(lru(np.arange(1, _OBJECTS + 1) ** -1.0, _OBJECTS / 10).hit_ratio, abs=0.005)
    print(f"\ncache lookups: {statistics.median(rates):.0f} million/s")
