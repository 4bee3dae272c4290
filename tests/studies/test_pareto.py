"""Fronts: nothing on one is beaten, and whatever is off it is beaten by something on it."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from planning.tune.pareto import dominates, front

POINTS = st.lists(st.tuples(*[st.integers(0, 6)] * 3), max_size=24)


@given(POINTS)
def test_nothing_on_a_front_is_dominated_and_the_rest_is_by_one_of_it(points: list[tuple[int, int, int]]) -> None:
    kept = front(points)
    assert bool(kept) is bool(points)
    for index, point in enumerate(points):
        beaten = any(dominates(points[other], point) for other in kept)
        assert beaten is (index not in kept)


@given(POINTS)
def test_a_front_keeps_the_smallest_of_each_objective(points: list[tuple[int, int, int]]) -> None:
    kept = [points[index] for index in front(points)]
    smallest, expected = (tuple(map(min, zip(*every, strict=True))) for every in (kept, points))
    assert smallest == expected


def test_equal_points_stand_together_and_none_dominates_the_other() -> None:
    assert front([(1.0, 2.0), (1.0, 2.0), (2.0, 2.0)]) == (0, 1)
    assert not dominates((1.0, 2.0), (1.0, 2.0))


def test_what_has_no_number_is_not_on_a_front() -> None:
    assert front([(math.nan, 0.0), (1.0, 1.0)]) == (1,)
