"""Statistics against scipy and numpy, which compute the same in other ways."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from core import stats

VALUES = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=200)
LEVELS = st.floats(0.0, 1.0)


@given(VALUES, LEVELS)
def test_a_quantile_is_scipys_of_type_seven(values: list[float], q: float) -> None:
    expected = float(scipy_stats.mstats.mquantiles(values, [q], alphap=1, betap=1)[0])
    assert stats.quantile(values, q) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(VALUES, st.floats(0.01, 0.99))
def test_a_quantiles_interval_holds_the_quantile(values: list[float], q: float) -> None:
    found = stats.quantile_interval(values, q)
    assert min(values) <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= max(values)


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_a_quantiles_interval_covers_the_truth_as_often_as_it_says(q: float) -> None:
    numbers = np.random.default_rng(11)
    truth = float(scipy_stats.expon.ppf(q))
    held = [
        found.low <= truth <= found.high
        for found in (stats.quantile_interval(numbers.exponential(size=1_500), q) for _ in range(600))
    ]
    assert 0.92 < np.mean(held) < 0.99


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_a_means_interval_is_students(values: list[float]) -> None:
    found = stats.mean_interval(values)
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    half = float(scipy_stats.t.ppf(0.975, len(values) - 1)) * error
    assert found.value == pytest.approx(float(np.mean(values)))
    assert found.high - found.value == pytest.approx(half, rel=1e-9, abs=1e-6)
    assert found.value - found.low == pytest.approx(half, rel=1e-9, abs=1e-6)


def test_fewer_than_two_replications_say_nothing_of_their_spread() -> None:
    assert stats.mean_interval([3.0]) == stats.Estimate(value=3.0, low=-math.inf, high=math.inf)
    assert math.isnan(stats.mean_interval([]).value)


@given(VALUES, VALUES)
def test_distances_of_distributions_are_scipys(first: list[float], second: list[float]) -> None:
    steps = np.union1d(first, second)
    apart = scipy_stats.ecdf(first).cdf.evaluate(steps) - scipy_stats.ecdf(second).cdf.evaluate(steps)
    assert stats.ks_distance(first, second) == pytest.approx(float(np.abs(apart).max()), abs=1e-12)
    area = float(scipy_stats.wasserstein_distance(first, second))
    assert stats.wasserstein_distance(first, second) == pytest.approx(area, rel=1e-6, abs=1e-6)


@given(VALUES)
def test_a_distribution_has_no_distance_from_itself(values: list[float]) -> None:
    assert stats.ks_distance(values, values[::-1]) == 0.0
    assert stats.wasserstein_distance(values, values[::-1]) == 0.0


def test_without_samples_there_is_no_figure() -> None:
    for figure in (
        stats.quantile([], 0.5),
        stats.quantile_interval([], 0.5).value,
        stats.ks_distance([], [1.0]),
        stats.wasserstein_distance([1.0], []),
        stats.signed_error(1.0, 0.0),
        stats.signed_error(1.0, math.nan),
    ):
        assert math.isnan(figure)


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_an_error_is_signed_and_relative_to_the_measured(simulated: float, measured: float) -> None:
    error = stats.signed_error(simulated, measured)
    assert math.copysign(1.0, error) == (1.0 if simulated >= measured else -1.0)
    assert measured * (1 + error) == pytest.approx(simulated, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("count", "q", "carried"),
    [(1_000, 0.99, True), (999, 0.99, False), (200, 0.95, True), (20, 0.5, True), (19, 0.5, False)],
)
def test_a_quantile_is_supported_where_ten_samples_lie_beyond_it(count: int, q: float, carried: bool) -> None:
    assert stats.supported(count, q) is carried
