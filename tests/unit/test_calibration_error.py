"""How sure a calibrated demand is: by idle use, and by how much a point differs from one time to another."""

from __future__ import annotations

import math

import numpy as np

from lab.calibration import demands
from lab.calibration.point import SteadyPoint, merged, scatter_ratio


def _scattered_points(rng: np.random.Generator, repeats: int, operation: str = "like.add") -> list[SteadyPoint]:
    """Points of an operation that costs the same at three rates, each of which is high or low by about 15 %, and has
    the error of its idle use."""
    points = []
    for rate in (15.0, 60.0, 150.0):
        for _ in range(repeats):
            factor, idle = float(np.exp(rng.normal(0.0, 0.15))), {"engagement": 5e-5, "kafka": 1e-5}
            spent = {name: 1e-3 * factor + rng.normal(0.0, error) for name, error in idle.items()}
            points.append(
                SteadyPoint(
                    operation=operation, rate_per_second=rate, cpu_seconds=spent, variation=0.4, count=100,
                    error_seconds=idle,
                )
            )  # fmt: skip
    return points


def test_the_interval_of_a_demand_contains_the_true_one_as_often_as_it_says() -> None:
    rng, inside, apart, runs = np.random.default_rng(11), 0, 0, 400
    for _ in range(runs):
        repeated = ("feed.read", "like.add", "image.read", "story.tray")
        scatter = scatter_ratio([point for name in repeated for point in _scattered_points(rng, 3, name)])
        once, again = (
            next(iter(demands._shared("like.add", _scattered_points(rng, 1), scatter))) for _ in range(2)
        )  # two calibrations of one machine
        mean, error = float(np.mean(once.cpu_seconds)), once.error_ratio
        inside += abs(mean - 1e-3) <= 1.96 * error * mean
        other = float(np.mean(again.cpu_seconds))
        apart += abs(mean - other) > 1.96 * math.hypot(error * mean, again.error_ratio * other)
    assert 0.9 < inside / runs < 0.99
    assert apart / runs < 0.1


def test_a_demand_is_surer_where_its_points_were_repeated_and_has_no_error_where_nothing_varies() -> None:
    rng = np.random.default_rng(5)
    points = _scattered_points(rng, 3)
    scatter = scatter_ratio(points)
    assert 0.05 < scatter < 0.4
    single, repeated = (
        next(iter(demands._shared("like.add", each, scatter))) for each in (points[::3], merged(points))
    )
    assert repeated.error_ratio < 0.8 * single.error_ratio
    exact = [
        SteadyPoint(operation="user.read", rate_per_second=rate, cpu_seconds={"graph": 2e-3}, variation=0.4, count=100)
        for rate in (20.0, 80.0)
    ]
    assert scatter_ratio([*exact, *exact, *exact]) == 0.0
    assert [each.error_ratio for each in demands._shared("user.read", exact)] == [0.0]
