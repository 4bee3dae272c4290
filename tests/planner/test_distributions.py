"""Distributions by three cumulants: exact where they can be, near where they say so."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from planning.plan.queueing import distributions
from planning.plan.queueing.distributions import Cumulants, Mixture


def cumulants(mean: float, variance: float, third: float) -> Cumulants:
    return Cumulants(mean=np.array([mean]), variance=np.array([variance]), third=np.array([third]))


EXPONENTIAL = cumulants(1.0, 1.0, 2.0)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.95, 0.99])
def test_an_exponential_time_is_exact(level: float) -> None:
    assert float(EXPONENTIAL.quantile(level)[0]) == pytest.approx(-math.log1p(-level))
    assert float(EXPONENTIAL.below(-math.log1p(-level))[0]) == pytest.approx(level)


def test_a_normal_time_is_exact() -> None:
    found = cumulants(10.0, 4.0, 0.0)
    assert float(found.quantile(0.99)[0]) == pytest.approx(10.0 + 2.0 * NormalDist().inv_cdf(0.99), rel=1e-3)


@pytest.mark.parametrize(("variation", "near"), [(0.2, 0.005), (0.5, 0.05), (1.0, 0.2)])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_a_lognormal_time_is_near(variation: float, near: float, level: float) -> None:
    sigma = math.sqrt(math.log1p(variation**2))
    exact = math.exp(sigma * NormalDist().inv_cdf(level) - sigma**2 / 2)
    assert float(distributions.lognormal(1.0, variation).quantile(level)[0]) == pytest.approx(exact, rel=near)


def test_a_sum_has_the_sum_of_the_cumulants() -> None:
    both = EXPONENTIAL + EXPONENTIAL.scaled(2.0)
    assert [float(part[0]) for part in (both.mean, both.variance, both.third)] == [3.0, 5.0, 18.0]


@pytest.mark.parametrize("copies", [1, 2, 10, 100, 1_000])
def test_the_slowest_of_many_exponential_times_has_a_harmonic_mean(copies: int) -> None:
    found = distributions.slowest_of(EXPONENTIAL, float(copies))
    numbers = np.arange(1, copies + 1)
    assert float(found.mean[0]) == pytest.approx(float((1.0 / numbers).sum()), rel=0.01)
    assert float(found.variance[0]) == pytest.approx(float((1.0 / numbers**2).sum()), rel=0.03)


def test_the_longest_of_two_is_what_integration_says() -> None:
    found = distributions.last_of([EXPONENTIAL, EXPONENTIAL])
    assert float(found.mean[0]) == pytest.approx(1.5, rel=0.005)
    assert float(found.variance[0]) == pytest.approx(1.25, rel=0.01)
    assert distributions.last_of([EXPONENTIAL]) is EXPONENTIAL


def test_a_mixture_is_between_its_parts() -> None:
    mixture = Mixture(probabilities=(np.array([0.9]), np.array([0.1])), parts=(EXPONENTIAL, EXPONENTIAL.scaled(10.0)))
    assert float(mixture.mean()[0]) == pytest.approx(1.9)
    found = float(mixture.quantile(0.95)[0])
    assert 0.9 * math.exp(-found) + 0.1 * math.exp(-found / 10.0) == pytest.approx(0.05, rel=1e-4)


def test_two_mixtures_one_after_another_have_every_pair() -> None:
    one = Mixture(probabilities=(np.array([0.5]), np.array([0.5])), parts=(EXPONENTIAL, EXPONENTIAL.scaled(3.0)))
    both = distributions.sum_of([one, one])
    assert len(both.parts) == 4
    assert float(both.mean()[0]) == pytest.approx(4.0)


def test_what_has_no_end_has_no_quantile_and_spoils_nothing_else() -> None:
    never = cumulants(math.inf, math.inf, math.inf)
    assert math.isinf(float(never.quantile(0.5)[0]))
    assert math.isinf(float(distributions.last_of([EXPONENTIAL, never]).mean[0]))
    assert math.isinf(float(distributions.slowest_of(never, 4.0).mean[0]))
    sometimes = Mixture(probabilities=(np.array([0.99]), np.array([0.01])), parts=(EXPONENTIAL, never))
    assert math.isfinite(float(sometimes.quantile(0.95)[0]))
