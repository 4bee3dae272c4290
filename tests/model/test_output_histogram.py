"""The histogram against the samples it was filled with, and its index against numba and numpy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import stats, streams
from sim.results import histogram
from sim.results.histogram import Histogram

TIMES = st.floats(histogram.FLOOR_SECONDS, histogram.CEILING_SECONDS, exclude_max=True)
LEVELS = st.floats(0.0, 1.0)


def _index(seconds: float) -> int:
    return int(histogram.indices_of(seconds))


def _of(seconds: npt.ArrayLike) -> Histogram:
    made = Histogram()
    made.add(seconds)
    return made


@given(st.floats(0.0, 1e6))
def test_every_time_has_a_bucket_that_contains_it(seconds: float) -> None:
    index = _index(seconds)
    assert 0 <= index < histogram.BUCKETS
    assert histogram._EDGES[index] <= seconds < histogram._EDGES[index + 1]


@given(TIMES)
def test_a_bucket_is_no_wider_than_the_error_that_is_promised(seconds: float) -> None:
    low, high = seconds, seconds * (1.0 + histogram.RELATIVE_ERROR_MAX)
    assert _index(high) - _index(low) in (0, 1, 2)
    below = seconds * (1.0 - histogram.RELATIVE_ERROR_MAX) * (1.0 - 1e-12)
    assert _index(below) < _index(low)


def test_what_is_beyond_the_ceiling_is_counted_and_what_is_no_time_is_refused() -> None:
    made = _of([0.0, histogram.FLOOR_SECONDS, histogram.CEILING_SECONDS, math.inf, 1.0])
    assert (made.counts[0], made.counts[1], made.counts[-1]) == (1, 1, 2)
    for wrong in (-1.0, math.nan):
        with pytest.raises(ValueError, match="a time is at least 0"):
            made.add(wrong)


@given(st.lists(TIMES, min_size=1, max_size=60), LEVELS)
def test_a_quantile_is_the_samples_within_the_promised_error(seconds: list[float], q: float) -> None:
    found = _of(seconds).quantile(q)
    assert found == pytest.approx(stats.quantile(seconds, q), rel=histogram.RELATIVE_ERROR_MAX)


def test_quantiles_of_many_samples_are_far_nearer_than_promised() -> None:
    seconds = 0.02 * streams.named(2, "test.times").exponentials(np.arange(400_000))
    made = _of(seconds)
    for q in (0.5, 0.95, 0.99, 0.999):
        assert made.quantile(q) == pytest.approx(stats.quantile(seconds, q), rel=2e-4)
    assert made.mean_seconds() == pytest.approx(seconds.mean(), rel=1e-4)
    assert made.beyond_ratio(0.06) == pytest.approx((seconds > 0.06).mean(), rel=1e-3)


@given(st.lists(TIMES, min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_an_interval_holds_that_of_the_samples(seconds: list[float], q: float) -> None:
    found, exact = _of(seconds).quantile_interval(q), stats.quantile_interval(seconds, q)
    assert found.low <= exact.low
    assert found.high >= exact.high
    assert found.low <= found.value <= found.high
    assert found.high <= exact.high * (1.0 + histogram.RELATIVE_ERROR_MAX) * (1.0 + 1e-12)


@given(st.lists(TIMES, max_size=30), st.lists(TIMES, max_size=30))
def test_merging_is_counting_all(first: list[float], second: list[float]) -> None:
    together = histogram.merged([_of(first), _of(second)])
    assert (together.counts == _of([*first, *second]).counts).all()
    assert len(together) == len(first) + len(second)


def test_a_million_samples_take_no_more_room_than_none() -> None:
    made = Histogram()
    room = made.counts.nbytes
    for seed in range(4):
        made.add(streams.named(seed, "test.times").exponentials(np.arange(250_000)))
    assert len(made) == 1_000_000
    assert made.counts.nbytes == room < 150_000


def test_of_nothing_there_is_no_figure_and_beyond_the_ceiling_no_bound() -> None:
    for figure in (
        Histogram().quantile(0.5),
        Histogram().mean_seconds(),
        Histogram().quantile_interval(0.5).value,
        Histogram().beyond_ratio(1.0),
    ):
        assert math.isnan(figure)
    made = _of([1.0, 1e6])
    assert math.isinf(made.quantile(1.0))
    assert math.isinf(made.mean_seconds())
    assert made.beyond_ratio(2.0) == 0.5


def test_what_is_no_time_or_no_array_of_counts_is_refused() -> None:
    for wrong in (-1.0, math.nan):
        with pytest.raises(ValueError, match="at least 0"):
            Histogram().add([wrong])
    with pytest.raises(ValueError, match="int64"):
        Histogram(np.zeros(3, dtype=np.int64))
