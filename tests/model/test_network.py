"""User-defined networks: the same seed gives the same figures, theory holds, and a broken law ends the run."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from sim.network import Figures, Network, Steps, Visit
from sim.results.laws import ModelError


def _queue(seed: int, *, workers: int = 1, per_second: float = 50.0, seconds: float = 400.0) -> Figures:
    network = Network(seed=seed)
    server = network.station("server", workers=workers, cores=workers)

    def job(visit: Visit) -> Steps:
        yield server.serve(visit.exponential(0.01))

    network.arrivals(job, per_second=per_second)
    return network.run(seconds=seconds)


def test_one_seed_gives_one_run_and_another_seed_another() -> None:
    first, again, other = _queue(1), _queue(1), _queue(2)
    np.testing.assert_array_equal(first.latency_seconds["job"], again.latency_seconds["job"])
    assert first.latency_seconds["job"].mean() != other.latency_seconds["job"].mean()


def test_a_single_server_queue_waits_as_theory_says() -> None:
    found = _queue(3)  # M/M/1 at ρ = 0.5: W = 10 ms / (1 − ρ), L = ρ / (1 − ρ)
    assert found.latency_seconds["job"].mean() == pytest.approx(0.020, rel=0.05)
    assert found.utilisation_ratio["server"] == pytest.approx(0.5, rel=0.03)
    assert found.number_mean["server"] == pytest.approx(1.0, rel=0.06)


def test_two_servers_wait_less_than_one_twice_as_fast_would() -> None:
    two = _queue(4, workers=2, per_second=100.0)  # M/M/2 at ρ = 0.5: W = 10 ms / (1 − ρ²)
    assert two.latency_seconds["job"].mean() == pytest.approx(0.01 / 0.75, rel=0.05)


def test_draws_have_the_distribution_that_they_are_called_by() -> None:
    network = Network(seed=5)
    seen: list[tuple[float, float, int]] = []

    def look(visit: Visit) -> Steps:
        seen.append((visit.exponential(2.0), visit.lognormal(0.004, 0.020), visit.zipf(1_000)))
        yield from ()

    network.arrivals(look, per_second=1_000.0)
    network.run(seconds=20.0)
    exponential, lognormal, ranks = (np.array(column) for column in zip(*seen, strict=True))
    assert exponential.mean() == pytest.approx(2.0, rel=0.03)
    assert np.quantile(lognormal, (0.5, 0.99)) == pytest.approx((0.004, 0.020), rel=0.08)
    counts = Counter(ranks.tolist())
    assert min(counts) == 0
    assert max(counts) < 1_000
    assert counts[0] / counts[3] == pytest.approx(np.log(2) / np.log(5 / 4), rel=0.15)


def test_a_law_that_does_not_hold_ends_the_run() -> None:
    network = Network(seed=6)
    server = network.station("server")

    def job(visit: Visit) -> Steps:
        yield server.serve(visit.exponential(0.01))
        if visit.number == 20:
            server.tally.arrived += 1  # a customer who was never served

    network.arrivals(job, per_second=50.0)
    with pytest.raises(ModelError, match="server"):
        network.run(seconds=2.0)
