"""The oracles themselves: against published tables and against each other."""

from __future__ import annotations

import math

import pytest

from sim import theory


@pytest.mark.parametrize(
    ("offered", "servers", "blocked"),
    [(1.0, 1, 0.5), (2.0, 3, 0.210526), (5.0, 5, 0.284868), (10.0, 15, 0.036497), (100.0, 100, 0.075700)],
)
def test_erlang_b_agrees_with_the_tables(offered: float, servers: int, blocked: float) -> None:
    assert theory.erlang_b(offered, servers) == pytest.approx(blocked, abs=1e-6)


@pytest.mark.parametrize(("offered", "servers", "waits"), [(0.8, 1, 0.8), (2.0, 3, 0.444444), (8.0, 10, 0.409180)])
def test_erlang_c_agrees_with_the_tables(offered: float, servers: int, waits: float) -> None:
    assert theory.erlang_c(offered, servers) == pytest.approx(waits, abs=1e-6)


def test_many_servers_at_one_are_the_single_server() -> None:
    assert theory.mmc_mean_seconds(0.7, 1.0, 1) == pytest.approx(theory.mm1_mean_seconds(0.7, 1.0))
    for q in (0.5, 0.95, 0.99):
        many = theory.mmc_quantile_seconds(0.7, 1.0, 1, q)
        assert many == pytest.approx(theory.mm1_quantile_seconds(0.7, 1.0, q), rel=1e-9)


def test_the_tail_of_many_servers_integrates_to_its_mean() -> None:
    step = 0.002
    area = sum(theory.mmc_beyond(2.4, 1.0, 3, (index + 0.5) * step) for index in range(30_000)) * step
    assert area == pytest.approx(theory.mmc_mean_seconds(2.4, 1.0, 3), rel=1e-4)


def test_the_general_service_time_reaches_both_ends() -> None:
    assert theory.mg1_mean_seconds(0.6, 1.0, 1.0) == pytest.approx(theory.mm1_mean_seconds(0.6, 1.0))
    waits = theory.mm1_mean_seconds(0.6, 1.0) - 1.0
    assert theory.md1_mean_seconds(0.6, 1.0) == pytest.approx(1.0 + waits / 2.0)


def test_processor_sharing_is_fair_to_every_size() -> None:
    assert theory.mg1_ps_conditional_seconds(0.5, 1.0, 3.0) == pytest.approx(6.0)
    assert theory.mg1_ps_mean_seconds(0.5, 1.0) == pytest.approx(2.0)


def test_a_load_that_cannot_be_served_has_no_steady_state() -> None:
    with pytest.raises(theory.UnstableError, match="utilisation 1"):
        theory.mm1_mean_seconds(1.0, 1.0)
    with pytest.raises(theory.UnstableError):
        theory.erlang_c(3.0, 3)
    assert math.isfinite(theory.mm1_mean_seconds(0.999, 1.0))
