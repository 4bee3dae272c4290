"""Streams: uniform, independent of each other and of the order of draws, the same one by one and all at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from core import streams

NAMES = ("traffic.arrivals", "population", "sim.service")
COUNT = 200_000


@given(st.integers(0, 2**63 - 1), st.text(max_size=20), st.integers(-(2**62), 2**62), st.integers(0, 2**32))
def test_a_draw_is_a_function_of_seed_name_entity_and_visit(seed: int, name: str, entity: int, visit: int) -> None:
    first, again = streams.named(seed, name), streams.named(seed, name)
    assert first.bits(entity, visit) == again.bits(entity, visit)
    assert 0.0 < first.uniform(entity, visit) < 1.0
    assert first.exponential(entity, visit) > 0.0


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=50),
    st.integers(0, 2**32),
)
def test_many_at_once_are_the_same_numbers_as_one_by_one(seed: int, entities: list[int], visit: int) -> None:
    stream = streams.named(seed, "any")
    assert stream.uniforms(np.array(entities, dtype=np.int64), visit).tolist() == [
        stream.uniform(entity, visit) for entity in entities
    ]
    # numpy's logarithm and the C library's may differ in the last bit
    expected = [stream.exponential(entity, visit) for entity in entities]
    assert stream.exponentials(np.array(entities, dtype=np.int64), visit) == pytest.approx(expected, rel=1e-14)


def test_an_array_keeps_its_shape() -> None:
    assert streams.named(1, "x").uniforms(np.arange(6).reshape(2, 3)).shape == (2, 3)


@pytest.mark.parametrize("seed", [0, 1, 7, 2**62])
@pytest.mark.parametrize("name", NAMES)
def test_draws_are_uniform(seed: int, name: str) -> None:
    values = streams.named(seed, name).uniforms(np.arange(COUNT))
    assert scipy_stats.kstest(values, "uniform").pvalue > 1e-4
    bins = np.bincount((values * 256).astype(int), minlength=256)
    assert scipy_stats.chisquare(bins).pvalue > 1e-4


@pytest.mark.parametrize("lag", [1, 2, 3, 16, 1_000])
def test_neighbours_do_not_know_of_each_other(lag: int) -> None:
    values = streams.named(7, "lags").uniforms(np.arange(COUNT))
    correlation = np.corrcoef(values[:-lag], values[lag:])[0, 1]
    assert abs(correlation) < 5 / COUNT**0.5


def test_visits_and_seeds_and_names_make_streams_that_do_not_know_of_each_other() -> None:
    entities = np.arange(COUNT)
    base = streams.named(7, "a").uniforms(entities)
    others = [
        streams.named(7, "a").uniforms(entities, 1),
        streams.named(8, "a").uniforms(entities),
        streams.named(7, "b").uniforms(entities),
    ]
    for other in others:
        assert abs(np.corrcoef(base, other)[0, 1]) < 5 / COUNT**0.5


def test_one_bit_of_the_entity_turns_half_of_the_bits_of_the_draw() -> None:
    stream = streams.named(3, "avalanche")
    turned = [
        (stream.bits(entity) ^ stream.bits(entity ^ 1 << bit)).bit_count() for entity in range(300) for bit in range(63)
    ]
    assert np.mean(turned) == pytest.approx(32, abs=0.2)


def test_exponential_draws_have_mean_and_deviation_one() -> None:
    values = streams.named(11, "exponential").exponentials(np.arange(COUNT))
    assert values.mean() == pytest.approx(1, abs=5 / COUNT**0.5)
    assert scipy_stats.kstest(values, "expon").pvalue > 1e-4


@given(st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=100, unique=True))
def test_the_mixer_is_a_bijection(values: list[int]) -> None:
    mixed = [streams.mix(value) for value in values]
    assert len(set(mixed)) == len(values)
    assert streams.mix_array(np.array(values, dtype=np.uint64)).tolist() == mixed
