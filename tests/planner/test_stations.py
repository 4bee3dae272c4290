"""Waits by closed form against theory, and against loops that are simulated here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from planning.plan.queueing import distributions, stations
from planning.plan.queueing.distributions import Cumulants
from planning.plan.queueing.stations import JobRoute, Loop, Piece, RouteArrivals, Shared
from tests import oracles as theory
from tests.planner import loops

FEED = (0.10, 0.16, 0.04, 0.10, 0.25, 0.15, 0.20)


def loop(
    route: JobRoute, per_second: float, *, mates: float = 1.0, balancers: float = 1.0, threaded: float = 0.0
) -> Loop:
    return Loop(
        arrivals=(RouteArrivals(route=route, per_second=np.array([per_second])),),
        threaded=np.array([threaded]),
        scale=np.ones(1),
        mates=np.array([mates]),
        balancers=np.array([balancers]),
    )


def route(shares: Sequence[float], variation: float = 0.5, *, returns: bool = True) -> JobRoute:
    return JobRoute(pieces=tuple(Piece(share, variation) for share in shares), returns=returns)


def time_in(at: Loop, job: JobRoute) -> Cumulants:
    total = at.wait(job)
    for piece in job.pieces:
        total = total + distributions.lognormal(piece.seconds, piece.variation)
    return total


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("variation", [0.0, 0.5, 2.0])
def test_jobs_of_one_piece_wait_as_pollaczek_and_khinchine_say(rho: float, variation: float) -> None:
    job = route((1.0,), variation)
    found = float(time_in(loop(job, rho), job).mean[0])
    assert found == pytest.approx(theory.mg1_mean_seconds(rho, 1.0, variation))


def test_of_two_classes_each_waits_for_both() -> None:
    short, long = route((0.1,), 0.0), route((1.0,), 0.0)
    both = Loop(
        arrivals=(
            RouteArrivals(route=short, per_second=np.array([2.0])),
            RouteArrivals(route=long, per_second=np.array([0.4])),
        ),
        threaded=np.zeros(1),
        scale=np.ones(1),
    )
    # λE[S²]/2 / (1 − ρ) = (2 · 0.01 + 0.4 · 1) / 2 / 0.4, the same for both
    for job in (short, long):
        assert float(both.wait(job).mean[0]) == pytest.approx(0.21 / 0.4)


def test_visits_that_are_far_apart_wait_each_for_itself() -> None:
    one, two = route((1.0,), returns=False), route((0.5, 0.5), returns=False)
    # two visits, each of half the length and so of half the wait; and jobs that come back at once wait longer
    assert float(loop(two, 0.5).wait(two).mean[0]) == pytest.approx(float(loop(one, 0.5).wait(one).mean[0]))
    back = route((0.5, 0.5))
    assert float(loop(back, 0.5).wait(back).mean[0]) > float(loop(two, 0.5).wait(two).mean[0])


@pytest.mark.parametrize("shares", [FEED, (0.5, 0.5), (0.125,) * 8], ids=["feed", "two", "eight"])
@pytest.mark.parametrize("rho", [0.3, 0.6, 0.8])
def test_a_loop_that_jobs_come_back_to_is_as_late_as_a_simulated_one(shares: Sequence[float], rho: float) -> None:
    job = route(shares)
    form, seen = time_in(loop(job, rho), job), loops.times(shares, rho=rho)
    assert float(form.mean[0]) == pytest.approx(float(seen.mean()), rel=0.1)
    for level in (0.5, 0.95):
        assert float(form.quantile(level)[0]) == pytest.approx(float(np.quantile(seen, level)), rel=0.15)


@pytest.mark.parametrize(("mates", "rho"), [(4, 0.7), (8, 0.8), (16, 0.9)])
def test_loops_behind_a_balancer_are_as_late_as_simulated_ones(mates: int, rho: float) -> None:
    job = route(FEED)
    form, seen = time_in(loop(job, rho, mates=mates), job), loops.times(FEED, rho=rho, loops=mates)
    assert float(form.quantile(0.95)[0]) == pytest.approx(float(np.quantile(seen, 0.95)), rel=0.15)
    assert float(form.mean[0]) < float(time_in(loop(job, rho), job).mean[0])


@pytest.mark.parametrize("shares", [FEED, (1.0,), (0.5, 0.5)], ids=["feed", "one", "two"])
@pytest.mark.parametrize(
    ("mates", "balancers", "rho"), [(4, 2, 0.5), (8, 3, 0.7), (16, 4, 0.8), (16, 16, 0.6), (6, 24, 0.8), (24, 2, 0.3)]
)
def test_balancers_that_know_their_own_jobs_alone_are_as_late_as_simulated_ones(
    shares: Sequence[float], mates: int, balancers: int, rho: float
) -> None:
    job = route(shares)
    form = time_in(loop(job, rho, mates=mates, balancers=balancers), job)
    seen = loops.times(shares, rho=rho, loops=mates, balancers=balancers, jobs=24_000)
    assert float(form.mean[0]) == pytest.approx(float(seen.mean()), rel=0.1)
    for level in (0.5, 0.95):
        assert float(form.quantile(level)[0]) == pytest.approx(float(np.quantile(seen, level)), rel=0.15), level


@pytest.mark.parametrize("rho", [0.05, 0.2, 0.5, 0.8])
def test_the_more_balancers_the_nearer_to_chance(rho: float) -> None:
    job = route(FEED)
    waits = [float(loop(job, rho, mates=20, balancers=g).wait(job).mean[0]) for g in (1, 1.5, 2, 8, 100, 1e6)]
    assert waits == sorted(waits)
    chance = float(loop(job, rho).wait(job).mean[0])
    assert waits[-1] == pytest.approx(chance, rel=0.01)
    assert waits[0] < 0.1 * chance


def test_a_balancer_with_hardly_anything_to_do_leaves_no_wait_at_all() -> None:
    job = route(FEED)
    idle = distributions.nothing()
    for piece in job.pieces:
        idle = idle + distributions.lognormal(piece.seconds, piece.variation)
    late = time_in(loop(job, 0.05, mates=20), job)
    assert float(late.quantile(0.95)[0]) == pytest.approx(float(idle.quantile(0.95)[0]), rel=1e-3)


def test_more_loops_behind_a_balancer_never_wait_longer() -> None:
    job = route(FEED)
    waits = [float(loop(job, 0.8, mates=mates).wait(job).mean[0]) for mates in (1, 1.5, 2, 4, 9, 40)]
    assert waits == sorted(waits, reverse=True)


def test_threads_on_a_loops_core_make_it_slower() -> None:
    job = route((1.0,))
    assert float(loop(job, 0.2, threaded=0.5).slowed()[0]) == pytest.approx(2.0)
    assert float(loop(job, 0.2, threaded=0.5).utilisation[0]) == pytest.approx(0.7)


@pytest.mark.parametrize("rho", [1.0, 1.3])
def test_a_loop_with_too_much_to_do_is_never_done(rho: float) -> None:
    job = route((1.0,))
    at = loop(job, rho)
    assert np.isinf(at.wait(job).mean[0])
    assert np.isinf(time_in(at, job).quantile(0.95)[0])
    assert time_in(at, job).below(1e9)[0] == 0.0


@pytest.mark.parametrize("cores", [1, 2, 8, 96])
@pytest.mark.parametrize("rho", [0.2, 0.7, 0.95])
def test_shared_cores_are_in_the_mean_an_mmc(cores: int, rho: float) -> None:
    found = Shared(offered=np.array([rho * cores]), cores=cores).visit(np.array([0.01]), 0.5)
    expected = theory.mmc_mean_seconds(rho * cores / 0.01, 0.01, cores)
    assert float(found.mean[0]) == pytest.approx(expected)
    assert float(stations.erlang_c(np.array([rho * cores]), cores)[0]) == pytest.approx(
        theory.erlang_c(rho * cores, cores)
    )


@pytest.mark.parametrize("servers", [1, 2, 8, 40])
@pytest.mark.parametrize("rho", [0.3, 0.8])
def test_erlangs_c_for_numbers_between_is_erlangs_c(servers: int, rho: float) -> None:
    found = float(stations.crowded_ratio(np.array([rho]), np.array([float(servers)]))[0])
    assert found * rho == pytest.approx(theory.erlang_c(rho * servers, servers), rel=1e-6)


def test_shared_cores_with_too_much_to_do_are_never_done() -> None:
    assert np.isinf(Shared(offered=np.array([2.0]), cores=2).visit(np.array([0.01]), 0.5).mean[0])
