"""Intervals, stopping and differences: they cover the truth as often as they say, where the truth is known."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from core import stats, streams
from sim.results.histogram import Histogram
from sim.results.paired import paired_difference
from sim.results.replications import (
    StoppingRule,
    StoppingVerdict,
    half_width_ratio,
    pooled_interval,
    pooled_quantile,
)
from tests.model.queues import exponential, needs_of, poisson
from tests.oracles import queues, tandem
from tests.oracles.batches import batch_means

Floats = npt.NDArray[np.float64]


def _mm1(seed: int, count: int, rho: float) -> Floats:
    """Times of customers in an M/M/1, its empty beginning left out."""
    arrivals = poisson(seed, count, rho)
    return (tandem.departures(arrivals, needs_of(seed, count, exponential(1.0))) - arrivals)[500:]


def _normals(seed: int, rows: int, columns: int) -> Floats:
    """Sums of twelve uniforms, which are as good as normal here: mean 10, standard deviation 1."""
    cells = np.arange(rows * columns).reshape(rows, columns)
    stream = streams.named(seed, "test.normal")
    return np.asarray(4.0 + sum(stream.uniforms(cells, visit) for visit in range(12)), dtype=np.float64)


def test_intervals_of_replications_cover_the_mean_of_a_queue() -> None:
    truth = queues.mm1_mean_seconds(0.5, 1.0)
    means = np.array([_mm1(seed, 3_000, 0.5).mean() for seed in range(1_000)]).reshape(100, 10)
    held = [each.low <= truth <= each.high for each in map(stats.mean_interval, means)]
    assert 0.88 <= np.mean(held) <= 0.99


def test_quantiles_across_replications_cover_that_of_a_queue() -> None:
    histograms = []
    for seed in range(200, 240):
        histograms.append(Histogram())
        histograms[-1].add(_mm1(seed, 20_000, 0.5))
    for q in (0.5, 0.95, 0.99):
        truth = queues.mm1_quantile_seconds(0.5, 1.0, q)
        found = pooled_interval(histograms, q)
        assert found.low <= truth <= found.high
        assert half_width_ratio(found) < 0.03
        assert pooled_quantile(histograms, q) == pytest.approx(truth, rel=0.02)


def test_batch_means_of_one_long_run_hold_the_mean_of_a_queue() -> None:
    found = batch_means(_mm1(1, 600_000, 0.6))
    assert found.low <= queues.mm1_mean_seconds(0.6, 1.0) <= found.high
    # customers taken as independent would claim far more than is known
    assert half_width_ratio(found) > 3 * half_width_ratio(stats.mean_interval(_mm1(1, 600_000, 0.6)))
    assert batch_means(np.array([9.0, 1.0, 1.0, 3.0, 3.0]), batches=2).value == 2.0
    with pytest.raises(ValueError, match="3 observations in 4 batches"):
        batch_means([1.0, 2.0, 3.0], batches=4)


def test_a_figure_without_spread_is_known_at_once_but_not_before_the_least_count() -> None:
    rule = StoppingRule(half_width_ratio_max=0.01, count_min=4)
    assert rule.verdict([2.0, 2.0, 2.0]) is StoppingVerdict.MORE
    assert rule.verdict([2.0, 2.0, 2.0, 2.0]) is StoppingVerdict.NARROW
    assert half_width_ratio(stats.mean_interval([-1.0, 1.0])) == math.inf


def test_the_least_count_is_what_makes_a_stopping_rule_honest() -> None:
    normals = _normals(5, 400, 120)

    def coverage(count_min: int) -> float:
        rule = StoppingRule(half_width_ratio_max=0.04, count_min=count_min, count_max=120)
        held = []
        for row in normals.tolist():
            count = next(count for count in range(2, 121) if rule.verdict(row[:count]) is not StoppingVerdict.MORE)
            estimate = stats.mean_interval(row[:count])
            held.append(estimate.low <= 10.0 <= estimate.high)
        return float(np.mean(held))

    hasty, patient = coverage(2), coverage(10)
    assert hasty < 0.91
    assert patient > hasty + 0.02
    assert patient > 0.92


def test_a_rule_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="2 at least"):
        StoppingRule(half_width_ratio_max=0.1, count_min=1)
    with pytest.raises(ValueError, match="a range"):
        StoppingRule(half_width_ratio_max=0.1, count_min=20, count_max=10)
    with pytest.raises(ValueError, match="above 0"):
        StoppingRule(half_width_ratio_max=0.0)


def test_common_random_numbers_tell_a_difference_that_independent_runs_do_not() -> None:
    def mean(seed: int, mean_seconds: float) -> float:
        arrivals = poisson(seed, 4_000, 0.5)
        return float((tandem.departures(arrivals, needs_of(seed, 4_000, exponential(mean_seconds))) - arrivals).mean())

    first = [mean(seed, 1.0) for seed in range(12)]
    paired = paired_difference(first, [mean(seed, 1.02) for seed in range(12)])
    truth = queues.mm1_mean_seconds(0.5, 1.02) - queues.mm1_mean_seconds(0.5, 1.0)
    assert paired.distinguishable
    assert paired.low <= truth <= paired.high
    assert paired.variance_ratio > 50.0

    independent = paired_difference(first, [mean(seed, 1.02) for seed in range(100, 112)])
    assert not independent.distinguishable
    assert independent.variance_ratio < 5.0


def test_a_difference_has_the_sign_of_the_second_over_the_first() -> None:
    found = paired_difference([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])
    assert (found.mean, found.low, found.high) == (1.0, 1.0, 1.0)
    assert found.distinguishable
    assert math.isnan(found.variance_ratio)


def test_nothing_is_told_apart_from_itself_or_by_one_pair() -> None:
    assert not paired_difference([1.0, 2.0], [1.0, 2.0]).distinguishable
    assert not paired_difference([1.0], [5.0]).distinguishable
    with pytest.raises(ValueError, match="pairs"):
        paired_difference([1.0], [1.0, 2.0])
