"""Networks and approximations: against what they must be at special cases, and against sample paths."""

from __future__ import annotations

import numpy as np
import pytest

from tests.model.queues import assert_mean, exponential, lognormal, needs_of, poisson
from tests.oracles import networks, queues, tandem, two_moments
from tests.oracles.networks import Node
from tests.oracles.stability import UnstableError


def test_a_station_with_feedback_is_a_slower_one_without() -> None:
    # who goes back with 1/4 needs 4/3 visits: in all a geometric sum of exponential services, which is exponential
    network = networks.jackson([Node(mean_service_seconds=0.3, external_per_second=2.0)], [[0.25]])
    assert network.visits == pytest.approx((4.0 / 3.0,))
    assert network.utilisation == pytest.approx((0.8,))
    assert network.end_to_end_mean_seconds == pytest.approx(queues.mm1_mean_seconds(2.0, 0.4))


def test_the_traffic_equations_hold_and_little_does_end_to_end() -> None:
    routing = np.array([[0.0, 0.5, 0.3], [0.2, 0.0, 0.4], [0.1, 0.0, 0.0]])
    nodes = [
        Node(mean_service_seconds=0.1, external_per_second=2.0),
        Node(mean_service_seconds=0.3, servers=2),
        Node(mean_service_seconds=0.1, external_per_second=1.0),
    ]
    network = networks.jackson(nodes, routing)
    rates = np.array(network.arrivals_per_second)
    assert rates == pytest.approx(np.array([2.0, 0.0, 1.0]) + routing.T @ rates)
    assert sum(network.mean_count) == pytest.approx(3.0 * network.end_to_end_mean_seconds)
    assert network.mean_seconds[1] == pytest.approx(queues.mmc_mean_seconds(rates[1], 0.3, 2))


def test_a_series_of_exponential_stations_has_the_mean_of_its_sample_path() -> None:
    count = 1_000_000
    arrivals = poisson(1, count, 0.5)
    needs = np.stack([needs_of(seed, count, exponential(mean)) for seed, mean in ((11, 1.0), (12, 1.2), (13, 0.4))])
    left = tandem.through(arrivals, needs)
    nodes = [
        Node(mean_service_seconds=1.0, external_per_second=0.5),
        Node(mean_service_seconds=1.2),
        Node(mean_service_seconds=0.4),
    ]
    network = networks.jackson(nodes, [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    assert_mean(left[-1] - arrivals, network.end_to_end_mean_seconds)
    assert_mean(left[1] - left[0], network.mean_seconds[1])


def test_a_network_that_cannot_be_is_refused_by_name() -> None:
    slow = [Node(mean_service_seconds=0.1, external_per_second=2.0), Node(mean_service_seconds=0.6)]
    with pytest.raises(UnstableError, match=r"node 1: utilisation 1\.2"):
        networks.jackson(slow, [[0.0, 1.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match="never leave"):
        networks.jackson(slow, [[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="add up to 1"):
        networks.jackson(slow, [[0.5, 0.6], [0.0, 0.0]])
    with pytest.raises(ValueError, match="a row and a column"):
        networks.jackson(slow, [[0.0]])
    with pytest.raises(ValueError, match="arrivals from outside"):
        networks.jackson([Node(mean_service_seconds=0.1)], [[0.0]])


def test_two_moments_are_exact_where_they_say_so() -> None:
    for servers, rate in ((1, 0.7), (3, 2.1), (16, 14.0)):
        wait = two_moments.wait_seconds(rate, 1.0, servers, arrivals_scv=1.0, service_scv=1.0)
        assert 1.0 + wait == pytest.approx(queues.mmc_mean_seconds(rate, 1.0, servers))
        quantile = two_moments.wait_quantile_seconds(rate, 1.0, servers, arrivals_scv=1.0, service_scv=1.0, q=0.99)
        assert queues.mmc_wait_beyond(rate, 1.0, servers, quantile) == pytest.approx(0.01)
    wait = two_moments.wait_seconds(0.7, 1.0, arrivals_scv=1.0, service_scv=4.0)
    assert 1.0 + wait == pytest.approx(queues.mg1_mean_seconds(0.7, 1.0, 2.0))
    assert two_moments.wait_seconds(0.7, 1.0, arrivals_scv=0.0, service_scv=0.0) == 0.0
    assert two_moments.wait_seconds(0.0, 1.0, arrivals_scv=1.0, service_scv=1.0) == 0.0
    assert two_moments.wait_quantile_seconds(0.7, 1.0, arrivals_scv=1.0, service_scv=1.0, q=0.2) == 0.0


def test_departures_are_like_arrivals_of_an_idle_station_and_like_services_of_a_busy_one() -> None:
    assert two_moments.departures_scv(0.0, arrivals_scv=3.0, service_scv=0.5) == 3.0
    assert two_moments.departures_scv(1.0, arrivals_scv=3.0, service_scv=0.5) == 0.5
    assert two_moments.departures_scv(0.7, arrivals_scv=1.0, service_scv=1.0) == 1.0  # Burke's theorem
    gaps = np.diff(np.sort(tandem.departures(poisson(3, 400_000, 0.6), np.ones(400_000))))
    expected = two_moments.departures_scv(0.6, arrivals_scv=1.0, service_scv=0.0)
    assert gaps.var() / gaps.mean() ** 2 == pytest.approx(expected, rel=0.01)  # exact for M/G/1: 1 − ρ²


@pytest.mark.parametrize(("arrivals_scv", "first"), [(0.25, 1.5), (2.0, 0.5)])
def test_a_tandem_is_within_a_fifth_of_its_sample_path(arrivals_scv: float, first: float) -> None:
    count = 600_000
    arrivals = np.cumsum(needs_of(21, count, lognormal(1.0, arrivals_scv**0.5)))
    stages = [
        two_moments.Stage(mean_service_seconds=0.7, service_scv=first**2),
        two_moments.Stage(mean_service_seconds=0.6, service_scv=1.0),
    ]
    needs = np.stack(
        [
            needs_of(seed, count, lognormal(stage.mean_service_seconds, stage.service_scv**0.5))
            for seed, stage in zip((22, 23), stages, strict=True)
        ]
    )
    left = tandem.through(arrivals, needs)
    passages = two_moments.tandem(1.0, stages, arrivals_scv=arrivals_scv)
    assert (left[0] - arrivals).mean() == pytest.approx(passages[0].mean_seconds, rel=0.2)
    assert (left[1] - left[0]).mean() == pytest.approx(passages[1].mean_seconds, rel=0.2)
    bound = two_moments.kingman_wait_max_seconds(1.0, 0.7, arrivals_scv=arrivals_scv, service_scv=first**2)
    assert (left[0] - arrivals - needs[0]).mean() <= bound


def test_several_servers_are_within_a_fifth_of_their_sample_path() -> None:
    count = 200_000
    arrivals = np.cumsum(needs_of(31, count, lognormal(1.0, 1.5)))
    needs = needs_of(32, count, lognormal(3.2, 0.6))
    waits = tandem.departures(arrivals, needs, 4) - arrivals - needs
    expected = two_moments.wait_seconds(1.0, 3.2, 4, arrivals_scv=2.25, service_scv=0.36)
    assert waits.mean() == pytest.approx(expected, rel=0.2)
    q99 = two_moments.wait_quantile_seconds(1.0, 3.2, 4, arrivals_scv=2.25, service_scv=0.36, q=0.99)
    assert np.quantile(waits, 0.99) == pytest.approx(q99, rel=0.25)
