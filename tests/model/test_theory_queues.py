"""The forms of one station: against published tables, against each other, and against scipy's distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from tests import oracles as theory
from tests.oracles import erlang, queues

LOADS = st.floats(0.01, 0.99)


@pytest.mark.parametrize(
    ("offered", "servers", "blocked"),
    [(1.0, 1, 0.5), (2.0, 3, 0.210526), (5.0, 5, 0.284868), (10.0, 15, 0.036497), (100.0, 100, 0.075700)],
)
def test_erlang_b_agrees_with_the_tables(offered: float, servers: int, blocked: float) -> None:
    assert erlang.erlang_b(offered, servers) == pytest.approx(blocked, abs=1e-6)


@pytest.mark.parametrize(
    ("blocked", "servers", "offered"),
    [
        (0.01, 1, 0.0101),
        (0.01, 10, 4.461),
        (0.01, 50, 37.90),
        (0.01, 100, 84.06),
        (0.02, 10, 5.084),
        (0.02, 100, 87.97),
    ],
)
def test_traffic_at_a_grade_of_service_agrees_with_the_tables(blocked: float, servers: int, offered: float) -> None:
    assert erlang.offered_for_blocking(servers, blocked) == pytest.approx(offered, rel=2e-4)


@pytest.mark.parametrize(("offered", "servers", "waits"), [(0.8, 1, 0.8), (2.0, 3, 0.444444), (8.0, 10, 0.409180)])
def test_erlang_c_agrees_with_the_tables(offered: float, servers: int, waits: float) -> None:
    assert erlang.erlang_c(offered, servers) == pytest.approx(waits, abs=1e-6)


@given(st.floats(0.1, 500.0), st.integers(1, 600))
def test_erlang_b_is_a_poisson_number_cut_off_at_the_servers(offered: float, servers: int) -> None:
    busy = scipy_stats.poisson(offered)
    expected = math.exp(busy.logpmf(servers) - busy.logcdf(servers))
    assert erlang.erlang_b(offered, servers) == pytest.approx(expected, rel=1e-7, abs=1e-300)


@given(st.floats(0.1, 300.0), st.floats(0.001, 0.5))
def test_the_least_servers_are_enough_and_one_fewer_is_not(offered: float, bound: float) -> None:
    enough = erlang.servers_for_blocking(offered, bound)
    assert erlang.erlang_b(offered, enough) <= bound < erlang.erlang_b(offered, enough - 1)
    enough = erlang.servers_for_waiting(offered, bound)
    assert erlang.erlang_c(offered, enough) <= bound
    assert offered >= enough - 1 or erlang.erlang_c(offered, enough - 1) > bound


@given(st.floats(0.5, 2_000.0), st.floats(0.5, 0.999), st.floats(1.01, 10.0))
def test_the_least_servers_for_a_quantile_are_enough_and_one_fewer_is_not(
    rate_per_second: float, q: float, slack: float
) -> None:
    limit = -0.05 * math.log1p(-q) * slack
    enough = queues.servers_for_quantile(rate_per_second, 0.05, q, limit)
    assert queues.mmc_quantile_seconds(rate_per_second, 0.05, enough, q) <= limit * (1 + 1e-9)
    if rate_per_second * 0.05 < enough - 1:
        assert queues.mmc_quantile_seconds(rate_per_second, 0.05, enough - 1, q) > limit * (1 - 1e-9)


def test_many_servers_at_one_are_the_single_server() -> None:
    assert queues.mmc_mean_seconds(0.7, 1.0, 1) == pytest.approx(queues.mm1_mean_seconds(0.7, 1.0))
    for q in (0.5, 0.95, 0.99):
        many = queues.mmc_quantile_seconds(0.7, 1.0, 1, q)
        assert many == pytest.approx(queues.mm1_quantile_seconds(0.7, 1.0, q), rel=1e-9)


def test_the_tail_of_many_servers_integrates_to_its_mean() -> None:
    step = 0.002
    area = sum(queues.mmc_beyond(2.4, 1.0, 3, (index + 0.5) * step) for index in range(30_000)) * step
    assert area == pytest.approx(queues.mmc_mean_seconds(2.4, 1.0, 3), rel=1e-4)
    waits = sum(queues.mmc_wait_beyond(2.4, 1.0, 3, (index + 0.5) * step) for index in range(30_000)) * step
    assert 1.0 + waits == pytest.approx(area, rel=1e-4)


def test_the_general_service_time_reaches_both_ends() -> None:
    assert queues.mg1_mean_seconds(0.6, 1.0, 1.0) == pytest.approx(queues.mm1_mean_seconds(0.6, 1.0))
    waits = queues.mm1_mean_seconds(0.6, 1.0) - 1.0
    assert queues.md1_mean_seconds(0.6, 1.0) == pytest.approx(1.0 + waits / 2.0)


@given(LOADS, st.floats(0.0, 6.0))
def test_the_wait_for_equal_services_is_erlangs_own_series(rho: float, seconds: float) -> None:
    # the terms alternate and grow, which is why the library sums others; up to six services this loses little
    terms = [
        (-rho * (seconds - k)) ** k / math.factorial(k) * math.exp(rho * (seconds - k))
        for k in range(math.floor(seconds) + 1)
    ]
    assert queues.md1_wait_beyond(rho, 1.0, seconds) == pytest.approx(1.0 - (1.0 - rho) * math.fsum(terms), abs=1e-9)


@pytest.mark.parametrize("rho", [0.2, 0.5, 0.8])
def test_the_wait_for_equal_services_integrates_to_its_mean(rho: float) -> None:
    step = 0.1
    points = np.arange(round(8.0 / (1.0 - rho)) / step) + 0.5
    area = sum(queues.md1_wait_beyond(rho, 1.0, seconds) for seconds in points * step) * step
    assert area == pytest.approx(queues.md1_mean_seconds(rho, 1.0) - 1.0, rel=2e-3)


def test_a_quantile_of_the_wait_is_where_its_tail_is() -> None:
    assert queues.md1_wait_quantile_seconds(0.6, 1.0, 0.4) == 0.0  # four of ten need not wait
    for q in (0.41, 0.9, 0.999):
        assert queues.md1_wait_beyond(0.6, 1.0, queues.md1_wait_quantile_seconds(0.6, 1.0, q)) == pytest.approx(1 - q)
    assert queues.md1_quantile_seconds(6.0, 0.1, 0.99) == pytest.approx(
        0.1 * queues.md1_quantile_seconds(0.6, 1.0, 0.99)
    )


def test_processor_sharing_is_fair_to_every_size() -> None:
    assert queues.mg1_ps_conditional_seconds(0.5, 1.0, 3.0) == pytest.approx(6.0)
    assert queues.mg1_ps_mean_seconds(0.5, 1.0) == pytest.approx(2.0)
    assert queues.mgc_ps_mean_seconds(0.5, 1.0, 1) == pytest.approx(2.0)


@given(st.floats(0.0, 400.0), st.floats(0.001, 0.9999))
def test_the_number_in_a_system_without_waiting_is_poisson(offered: float, q: float) -> None:
    assert queues.mginf_count_quantile(offered, 1.0, q) == int(scipy_stats.poisson(offered).ppf(q))
    assert queues.mginf_mean_count(offered, 1.0) == offered


@given(st.floats(0.05, 3.0), st.integers(1, 40))
def test_a_bounded_queue_of_one_server_is_geometric(rho: float, places: int) -> None:
    present = np.array([rho**n for n in range(places + 1)])
    present /= present.sum()
    assert queues.mm1k_refused(rho, 1.0, places) == pytest.approx(present[-1])
    mean = present @ np.arange(places + 1) / (rho * (1.0 - present[-1]))
    assert queues.mm1k_mean_seconds(rho, 1.0, places) == pytest.approx(mean)


def test_a_bounded_queue_is_erlangs_loss_at_one_end_and_his_delay_at_the_other() -> None:
    assert queues.mmck_refused(4.0, 1.0, 5, 5) == pytest.approx(erlang.erlang_b(4.0, 5))
    assert queues.mmck_mean_seconds(4.0, 1.0, 5, 5) == pytest.approx(1.0)
    assert queues.mmck_refused(4.0, 1.0, 5, 500) < 1e-40
    assert queues.mmck_mean_seconds(4.0, 1.0, 5, 500) == pytest.approx(queues.mmc_mean_seconds(4.0, 1.0, 5))
    # twice what can be done: half is refused, and the queue is full
    assert queues.mmck_refused(2_000.0, 1.0, 1_000, 5_000) == pytest.approx(0.5)
    assert queues.mmck_mean_seconds(2_000.0, 1.0, 1_000, 5_000) == pytest.approx(5.0, rel=1e-3)


def test_a_load_that_cannot_be_served_has_no_steady_state() -> None:
    with pytest.raises(theory.UnstableError, match="utilisation 1"):
        theory.mm1_mean_seconds(1.0, 1.0)
    with pytest.raises(theory.UnstableError):
        theory.erlang_c(3.0, 3)
    with pytest.raises(theory.UnstableError):
        queues.md1_wait_beyond(1.2, 1.0, 0.5)
    with pytest.raises(theory.UnstableError):
        queues.mmc_wait_beyond(3.0, 1.0, 3, 1.0)
    assert math.isfinite(theory.mm1_mean_seconds(0.999, 1.0))


def test_what_is_no_rate_no_level_or_no_bound_is_refused() -> None:
    for wrong in (
        lambda: queues.mm1_mean_seconds(-0.1, 1.0),
        lambda: queues.mm1_mean_seconds(math.nan, 1.0),
        lambda: queues.mm1_quantile_seconds(0.5, 1.0, 1.0),
        lambda: queues.mmck_refused(1.0, 1.0, 3, 2),
        lambda: erlang.servers_for_blocking(1.0, 0.0),
        lambda: erlang.servers_for_waiting(-1.0, 0.1),
    ):
        with pytest.raises(ValueError, match=r"expected|at least"):
            wrong()
    with pytest.raises(ValueError, match="the service alone"):
        queues.servers_for_quantile(10.0, 0.1, 0.99, 0.3)
