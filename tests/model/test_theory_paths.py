"""Sample paths: against the plainest loop, and their means against closed forms over millions of customers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import stats
from tests.model.queues import Service, assert_mean, constant, exponential, lognormal, needs_of, poisson
from tests.oracles import forkjoin, queues, tandem
from tests.oracles.stability import UnstableError

GAPS = st.lists(st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 3.0)), min_size=1, max_size=60)


def _plainly(arrivals: list[float], needs: list[float], servers: int) -> list[float]:
    """First come first served by hand: each in turn takes the server that has been free for longest."""
    free, left = [0.0] * servers, []
    for arrival, need in zip(arrivals, needs, strict=True):
        server = free.index(min(free))
        free[server] = max(arrival, free[server]) + need
        left.append(free[server])
    return left


@given(GAPS, st.integers(1, 4))
def test_departures_are_those_of_serving_by_hand(customers: list[tuple[float, float]], servers: int) -> None:
    arrivals = np.cumsum([gap for gap, _ in customers]).tolist()
    needs = [need for _, need in customers]
    left = tandem.departures(arrivals, needs, servers)
    assert left.tolist() == pytest.approx(_plainly(arrivals, needs, servers), abs=1e-9)


def test_customers_may_be_given_in_any_order() -> None:
    arrivals, needs = np.array([3.0, 0.0, 1.0]), np.array([1.0, 2.0, 0.5])
    assert tandem.departures(arrivals, needs).tolist() == [4.0, 2.0, 2.5]


def test_who_overtakes_at_one_stage_is_first_at_the_next() -> None:
    left = tandem.through([0.0, 1.0], [[5.0, 1.0], [1.0, 1.0]], (2, 1))
    assert left.tolist() == [[5.0, 2.0], [6.0, 3.0]]


def test_what_is_no_queue_is_refused() -> None:
    with pytest.raises(ValueError, match="a service for every arrival"):
        tandem.departures([0.0, 1.0], [1.0])
    with pytest.raises(ValueError, match="at least 0"):
        tandem.departures([0.0], [-1.0])
    with pytest.raises(ValueError, match="servers"):
        tandem.departures([0.0], [1.0], 0)


@pytest.mark.parametrize(
    ("rho", "service", "variation", "seed"),
    [(0.7, exponential(1.0), 1.0, 2), (0.8, constant(1.0), 0.0, 1), (0.4, lognormal(1.0, 1.2), 1.2, 3)],
    ids=["exponential", "constant", "lognormal"],
)
def test_one_server_has_the_mean_of_pollaczek_and_khinchine(
    rho: float, service: Service, variation: float, seed: int
) -> None:
    count = 1_000_000
    arrivals = poisson(seed, count, rho)
    times = tandem.departures(arrivals, needs_of(seed, count, service)) - arrivals
    assert_mean(times, queues.mg1_mean_seconds(rho, 1.0, variation))


def test_several_servers_have_the_distribution_of_the_mmc_queue() -> None:
    count = 400_000
    arrivals = poisson(2, count, 6.0)
    times = tandem.departures(arrivals, needs_of(2, count, exponential(1.0)), 8) - arrivals
    assert_mean(times, queues.mmc_mean_seconds(6.0, 1.0, 8))
    for q in (0.5, 0.95, 0.99):
        assert stats.quantile(times, q) == pytest.approx(queues.mmc_quantile_seconds(6.0, 1.0, 8, q), rel=0.02)


@pytest.mark.parametrize(("rho", "seed"), [(0.3, 2), (0.8, 4)])
def test_two_branches_have_the_exact_mean(rho: float, seed: int) -> None:
    count = 1_000_000
    arrivals = poisson(seed, count, rho)
    times = forkjoin.completions(arrivals, needs_of(seed, (2, count), exponential(1.0))) - arrivals
    assert_mean(times, forkjoin.pair_mean_seconds(rho, 1.0))


@pytest.mark.parametrize(("branches", "rho"), [(4, 0.5), (8, 0.8), (32, 0.6)])
def test_many_branches_are_near_the_approximation_and_within_the_bounds(branches: int, rho: float) -> None:
    count = 1_200_000 // branches
    arrivals = poisson(1, count, rho)
    mean = (forkjoin.completions(arrivals, needs_of(1, (branches, count), exponential(1.0))) - arrivals).mean()
    assert mean == pytest.approx(forkjoin.mean_seconds(rho, 1.0, branches), rel=0.05)
    low, high = forkjoin.bounds_seconds(rho, 1.0, branches)
    assert low < mean < high
    assert low < forkjoin.mean_seconds(rho, 1.0, branches) < high


@given(st.floats(0.0005, 0.999), st.integers(1, 2_000))
def test_the_bounds_of_a_fork_hold_each_other(rho: float, branches: int) -> None:
    low, high = forkjoin.bounds_seconds(rho, 1.0, branches)
    alone = queues.mm1_mean_seconds(rho, 1.0)
    assert max(alone, forkjoin.harmonic(branches)) <= low * (1 + 1e-9)
    assert low <= high * (1 + 1e-9)
    if branches >= 2:
        assert forkjoin.pair_mean_seconds(rho, 1.0) <= high * (1 + 1e-9)
    if 2 <= branches <= forkjoin.BRANCHES_MAX:
        assert forkjoin.mean_seconds(rho, 1.0, branches) <= high * (1 + 1e-9)


def test_the_approximation_of_a_fork_begins_at_the_exact_pair_and_ends_where_it_was_tried() -> None:
    assert forkjoin.mean_seconds(0.6, 2.0 / 3.0, 2) == pytest.approx(forkjoin.pair_mean_seconds(0.6, 2.0 / 3.0))
    with pytest.raises(ValueError, match="33 branches"):
        forkjoin.mean_seconds(0.5, 1.0, 33)
    with pytest.raises(UnstableError):
        forkjoin.pair_mean_seconds(1.0, 1.0)
