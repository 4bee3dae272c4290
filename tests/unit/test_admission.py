"""The limit on requests in flight follows a standing queue, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.policies import admission

MAXIMUM = 512


def test_a_standing_queue_lowers_the_limit_below_the_requests_in_flight() -> None:
    above = 2 * admission.TARGET_SECONDS
    assert admission.limit_after(MAXIMUM, above, 100, MAXIMUM) == pytest.approx(80.0)
    assert admission.limit_after(50.0, above, 100, MAXIMUM) == pytest.approx(40.0)


def test_without_a_standing_queue_only_a_limit_that_was_reached_grows() -> None:
    assert admission.limit_after(10.0, 0.0, 10, MAXIMUM) == 11.0
    assert admission.limit_after(100.0, 0.0, 100, MAXIMUM) == pytest.approx(105.0)
    assert admission.limit_after(10.5, 0.0, 9, MAXIMUM) == 10.5
    assert admission.limit_after(MAXIMUM, 0.0, MAXIMUM, MAXIMUM) == MAXIMUM


def test_writes_are_admitted_when_reads_are_not() -> None:
    assert admission.admits(9, 10, False)
    assert not admission.admits(10, 10, False)
    assert admission.admits(19, 10, True)
    assert not admission.admits(20, 10, True)


@given(
    limit=st.floats(admission.LIMIT_MIN, MAXIMUM),
    waits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 2 * MAXIMUM)), max_size=60),
)
def test_the_limit_stays_within_its_bounds(limit: float, waits: list[tuple[float, int]]) -> None:
    limits = [limit]
    for wait, most in waits:
        limits.append(admission.limit_after(limits[-1], wait, most, MAXIMUM))
    assert min(limits) >= admission.LIMIT_MIN
    assert max(limits) <= MAXIMUM


def test_an_overloaded_component_lowers_its_limit_within_two_seconds_and_recovers_without_the_queue() -> None:
    limit = float(MAXIMUM)
    intervals = 0
    while limit > admission.LIMIT_MIN:
        limit = admission.limit_after(limit, 1.0, int(limit), MAXIMUM)
        intervals += 1
    assert intervals * admission.INTERVAL_SECONDS <= 2.5
    back = 0
    while limit < 64:
        limit = admission.limit_after(limit, 0.0, int(limit), MAXIMUM)
        back += 1
    assert back * admission.INTERVAL_SECONDS <= 5.0
