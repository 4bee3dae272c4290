"""Each engine against what theory knows: means within 1 % whose intervals hold the truth, sample paths equal to 1e-9.

The same numbers go through the engine and through the sample path oracles, so where there is one, it is held to it
customer by customer, not only in the mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from core import stats
from sim.theory import erlang, forkjoin, networks, queues, tails, tandem
from tests.model.queues import (
    ENGINES,
    Bools,
    Engine,
    Floats,
    Journeys,
    Place,
    Service,
    alone,
    assert_mean,
    at_random,
    constant,
    exponential,
    gamma,
    in_series,
    lognormal,
    needs_of,
    poisson,
    two_kinds,
)

#: So many workers that nobody waits for one.
_MANY = 1_000_000


@pytest.fixture(params=ENGINES, name="engine")
def _engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


def _alone(
    engine: Engine, *, seed: int, count: int, rate_per_second: float, service: Service, place: Place | None = None
) -> Floats:
    """Times in one station; where it is first come first served, each agrees with its sample path."""
    place = place or Place()
    arrivals = poisson(seed, count * engine.scale, rate_per_second)
    needs = needs_of(seed, len(arrivals), service)
    left = engine.departures(arrivals, alone(needs), [place])
    if place.workers == place.cores:
        expected = tandem.departures(arrivals, needs, place.workers)
        assert np.abs(left - expected).max() < 1e-9
    return left - arrivals


def _assert_quantiles(times: Floats, expected: Sequence[tuple[float, float]], *, rel: float) -> None:
    for q, seconds in expected:
        assert stats.quantile(times[2_000:], q) == pytest.approx(seconds, rel=rel)


def test_one_worker_is_the_mm1_queue(engine: Engine) -> None:
    times = _alone(engine, seed=4, count=80_000, rate_per_second=0.5, service=exponential(1.0))
    assert_mean(times, queues.mm1_mean_seconds(0.5, 1.0))
    _assert_quantiles(times, [(q, queues.mm1_quantile_seconds(0.5, 1.0, q)) for q in (0.5, 0.95, 0.99)], rel=0.03)


def test_several_workers_are_the_mmc_queue(engine: Engine) -> None:
    place = Place(workers=3, cores=3)
    times = _alone(engine, seed=4, count=80_000, rate_per_second=2.1, service=exponential(1.0), place=place)
    assert_mean(times, queues.mmc_mean_seconds(2.1, 1.0, 3))
    _assert_quantiles(times, [(q, queues.mmc_quantile_seconds(2.1, 1.0, 3, q)) for q in (0.5, 0.95, 0.99)], rel=0.03)


def test_equal_services_are_the_md1_queue(engine: Engine) -> None:
    times = _alone(engine, seed=4, count=80_000, rate_per_second=0.6, service=constant(1.0))
    assert_mean(times, queues.md1_mean_seconds(0.6, 1.0))
    _assert_quantiles(times, [(q, queues.md1_quantile_seconds(0.6, 1.0, q)) for q in (0.5, 0.95, 0.99)], rel=0.03)


def test_services_of_high_variation_are_the_mg1_queue(engine: Engine) -> None:
    times = _alone(engine, seed=1, count=80_000, rate_per_second=0.3, service=gamma(1.0, 1.5))
    assert_mean(times, queues.mg1_mean_seconds(0.3, 1.0, 1.5))
    transform = tails.gamma(1.0, 1.5)
    expected = [(q, tails.mg1_quantile_seconds(0.3, 1.0, transform, q)) for q in (0.5, 0.95, 0.99)]
    _assert_quantiles(times, expected, rel=0.04)


def test_a_core_shared_by_all_is_processor_sharing_whatever_the_distribution(engine: Engine) -> None:
    place = Place(workers=_MANY)
    times = _alone(engine, seed=3, count=80_000, rate_per_second=0.4, service=two_kinds, place=place)
    assert_mean(times, queues.mg1_ps_mean_seconds(0.4, 1.0))
    long = needs_of(3, len(times), two_kinds) > 1.0
    assert times[long].mean() == pytest.approx(queues.mg1_ps_conditional_seconds(0.4, 1.0, 5.5), rel=0.02)
    assert times[~long].mean() == pytest.approx(queues.mg1_ps_conditional_seconds(0.4, 1.0, 0.5), rel=0.02)


def test_two_cores_shared_by_all_have_the_mean_of_the_mmc_queue(engine: Engine) -> None:
    place = Place(workers=_MANY, cores=2)
    times = _alone(engine, seed=3, count=80_000, rate_per_second=0.9, service=two_kinds, place=place)
    assert_mean(times, queues.mgc_ps_mean_seconds(0.9, 1.0, 2))


def test_stations_that_pass_customers_on_and_back_are_a_jackson_network(engine: Engine) -> None:
    count = 40_000 * engine.scale
    routing = [[0.0, 0.5, 0.3], [0.2, 0.0, 0.4], [0.1, 0.0, 0.0]]
    means = (0.5, 1.0, 0.6)
    arrivals = poisson(1, count, 0.5)
    journeys = at_random(1, np.zeros(count, dtype=np.int64), routing, [exponential(mean) for mean in means])
    places = [Place(), Place(workers=2, cores=2), Place()]
    left = engine.departures(arrivals, journeys, places)

    nodes = [
        networks.Node(mean_service_seconds=mean, servers=place.workers, external_per_second=0.0 if number else 0.5)
        for number, (mean, place) in enumerate(zip(means, places, strict=True))
    ]
    expected = networks.jackson(nodes, routing)
    assert np.bincount(journeys.place) / count == pytest.approx(expected.visits, rel=0.02)
    assert_mean(left - arrivals, expected.end_to_end_mean_seconds)


def test_arrivals_that_find_all_places_taken_are_erlangs_loss_whatever_the_distribution(engine: Engine) -> None:
    arrivals = poisson(1, 100_000 * engine.scale, 0.5)
    away = engine.refused(arrivals, needs_of(1, len(arrivals), lognormal(12.0, 1.5)), size=5)
    assert_mean(away.astype(np.float64), erlang.erlang_b(6.0, 5))


def test_a_tandem_goes_along_its_sample_path(engine: Engine) -> None:
    arrivals = poisson(7, 10_000 * engine.scale, 0.8)
    needs = np.stack(
        [needs_of(seed, len(arrivals), service) for seed, service in enumerate((exponential(1.0), lognormal(2.0, 3.0)))]
    )
    workers = (1, 3)
    places = [Place(workers=count, cores=count) for count in workers]
    left = engine.departures(arrivals, in_series(needs), places)
    assert np.abs(left - tandem.through(arrivals, needs, workers)[-1]).max() < 1e-9


@pytest.mark.parametrize(("branches", "seed", "count"), [(2, 2, 40_000), (8, 5, 8_000)])
def test_who_needs_all_branches_waits_for_the_last(engine: Engine, branches: int, seed: int, count: int) -> None:
    arrivals = poisson(seed, count * engine.scale, 0.4)
    needs = needs_of(seed, (branches, len(arrivals)), exponential(1.0))
    left = engine.joined(arrivals, needs)
    assert np.abs(left - forkjoin.completions(arrivals, needs)).max() < 1e-9
    if branches == 2:
        assert_mean(left - arrivals, forkjoin.pair_mean_seconds(0.4, 1.0))
    else:
        assert (left - arrivals).mean() == pytest.approx(forkjoin.mean_seconds(0.4, 1.0, branches), rel=0.05)


def test_an_engine_without_a_queue_is_seen() -> None:
    class Hasty:
        scale = 1

        def departures(self, arrivals: Floats, journeys: Journeys, _places: Sequence[Place]) -> Floats:
            return arrivals + journeys.need_seconds

        def joined(self, arrivals: Floats, needs: Floats) -> Floats:
            return np.asarray(arrivals + needs.max(axis=0), dtype=np.float64)

        def refused(self, arrivals: Floats, _needs: Floats, *, size: int) -> Bools:
            return np.full(len(arrivals), size == 0)

    with pytest.raises(AssertionError):
        _alone(Hasty(), seed=3, count=1_000, rate_per_second=0.5, service=exponential(1.0))
    with pytest.raises(AssertionError):
        test_arrivals_that_find_all_places_taken_are_erlangs_loss_whatever_the_distribution(Hasty())
    with pytest.raises(AssertionError):
        test_who_needs_all_branches_waits_for_the_last(Hasty(), branches=2, seed=2, count=10_000)
