"""Distributions from transforms: against exact tails where they exist, and against sample paths where not."""

from __future__ import annotations

import numpy as np
import pytest

from core import stats
from tests.model.queues import Service, gamma, lognormal, needs_of, poisson
from tests.oracles import queues, tails, tandem
from tests.oracles.stability import UnstableError
from tests.oracles.tails import Transform


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_exponential_services_give_the_exponential_tail(rho: float) -> None:
    transform = tails.exponential(1.0)
    for seconds in (0.01, 0.5, 3.0, 20.0):
        exact = queues.mmc_beyond(rho, 1.0, 1, seconds)
        assert tails.mg1_beyond(rho, 1.0, transform, seconds) == pytest.approx(exact, abs=1e-7)
        exact = queues.mmc_wait_beyond(rho, 1.0, 1, seconds)
        assert tails.mg1_wait_beyond(rho, 1.0, transform, seconds) == pytest.approx(exact, abs=1e-7)


@pytest.mark.parametrize("seconds", [0.4, 1.5, 2.5, 6.3])
def test_equal_services_agree_with_their_exact_form_as_far_as_steps_allow(seconds: float) -> None:
    inverted = tails.mg1_wait_beyond(0.7, 1.0, tails.constant(1.0), seconds)
    assert inverted == pytest.approx(queues.md1_wait_beyond(0.7, 1.0, seconds), abs=1e-3)


@pytest.mark.parametrize(
    "transform",
    [tails.gamma(2.0, 0.5), tails.gamma(2.0, 3.0), tails.lognormal(2.0, 1.2)],
    ids=["smooth", "rough", "lognormal"],
)
def test_a_transform_starts_at_one_and_falls_with_the_mean(transform: Transform) -> None:
    small = transform(np.array([1e-7 + 0j]))[0].real
    assert (1.0 - small) / 1e-7 == pytest.approx(2.0, rel=1e-4)


@pytest.mark.parametrize(
    ("transform", "variation"),
    [(tails.gamma(1.0, 2.0), 2.0), (tails.lognormal(1.0, 0.6), 0.6)],
    ids=["gamma", "lognormal"],
)
def test_the_tail_integrates_to_the_mean_of_pollaczek_and_khinchine(transform: Transform, variation: float) -> None:
    step = 0.4  # of the logarithm of time, over which the integrand is smooth
    points = np.exp(np.arange(-9.0, 5.5, step))
    area = sum(tails.mg1_beyond(0.5, 1.0, transform, seconds) * seconds for seconds in points.tolist()) * step
    assert area == pytest.approx(queues.mg1_mean_seconds(0.5, 1.0, variation), rel=2e-3)


@pytest.mark.parametrize(
    ("service", "transform"),
    [(gamma(1.0, 1.5), tails.gamma(1.0, 1.5)), (lognormal(1.0, 2.0), tails.lognormal(1.0, 2.0))],
    ids=["gamma", "lognormal"],
)
def test_quantiles_agree_with_a_sample_path(service: Service, transform: Transform) -> None:
    count = 250_000
    arrivals, needs = poisson(1, count, 0.5), needs_of(1, count, service)
    times = (tandem.departures(arrivals, needs) - arrivals)[5_000:]
    waits = times - needs[5_000:]
    for q in (0.5, 0.9):
        assert stats.quantile(times, q) == pytest.approx(tails.mg1_quantile_seconds(0.5, 1.0, transform, q), rel=0.03)
    expected = tails.mg1_wait_quantile_seconds(0.5, 1.0, transform, 0.75)
    assert stats.quantile(waits, 0.75) == pytest.approx(expected, rel=0.03)


def test_the_beginning_of_a_tail_is_exact() -> None:
    transform = tails.gamma(1.0, 2.0)
    assert tails.mg1_wait_beyond(0.5, 1.0, transform, 0.0) == 0.5
    assert tails.mg1_wait_beyond(0.5, 1.0, transform, -1.0) == 1.0
    assert tails.mg1_beyond(0.5, 1.0, transform, 0.0) == 1.0
    assert tails.mg1_wait_quantile_seconds(0.5, 1.0, transform, 0.5) == 0.0
    with pytest.raises(UnstableError):
        tails.mg1_beyond(1.0, 1.0, transform, 1.0)
