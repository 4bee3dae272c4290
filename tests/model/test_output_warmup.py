"""MSER-5 against its definition, and against series whose warm-up is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import streams
from sim.results.warmup import BATCH, mser
from tests.model.queues import exponential, needs_of, poisson
from tests.oracles import queues, tandem


@given(st.integers(0, 10_000), st.integers(100, 400), st.floats(0.0, 3.0))
def test_it_is_the_least_of_the_statistic_by_its_definition(seed: int, length: int, decay: float) -> None:
    numbers = np.arange(length)
    series = streams.named(seed, "test.noise").exponentials(numbers) + 5.0 * np.exp(-decay * numbers / 30.0)
    count = length // 5
    means = series[: count * 5].reshape(count, 5).mean(axis=1)
    errors = [float(((means[d:] - means[d:].mean()) ** 2).sum()) / (count - d) ** 2 for d in range(count - 5)]
    found = mser(series)
    assert found.drop_count % BATCH == 0
    assert errors[found.drop_count // 5] == pytest.approx(min(errors), rel=1e-6, abs=1e-9)
    assert found.too_short is (2 * (found.drop_count // 5) > count)


def test_a_step_is_cut_off_where_it_ends() -> None:
    noise = streams.named(1, "test.noise").uniforms(np.arange(2_000))
    series = np.where(np.arange(2_000) < 300, 8.0, 0.0) + noise
    found = mser(series)
    assert 300 <= found.drop_count < 340
    assert not found.too_short


def test_a_steady_series_loses_little() -> None:
    found = mser(streams.named(2, "test.noise").uniforms(np.arange(5_000)))
    assert found.drop_count < 500
    assert not found.too_short


def test_a_series_that_still_grows_is_too_short() -> None:
    noise = streams.named(3, "test.noise").uniforms(np.arange(2_000))
    assert mser(np.arange(2_000) * 0.05 + noise).too_short
    assert mser([1.0] * 99).too_short  # too few to judge by


def test_a_queue_that_begins_with_a_backlog_forgets_it() -> None:
    # the server is busy for 300 s before the first customer, so the first few hundred wait for that
    arrivals = np.concatenate([[0.0], poisson(4, 20_000, 0.6)])
    needs = np.concatenate([[300.0], needs_of(4, 20_000, exponential(1.0))])
    times = (tandem.departures(arrivals, needs) - arrivals)[1:]
    truth = queues.mm1_mean_seconds(0.6, 1.0)
    found = mser(times)
    assert not found.too_short
    assert 300 < found.drop_count < 1_500
    assert times.mean() > 1.5 * truth
    assert times[found.drop_count :].mean() == pytest.approx(truth, rel=0.1)
