"""The search for a boundary: monotone and not, none, below the first amount, and the boundary of replications."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from planning.breakpoint import search
from planning.breakpoint.search import Boundary, Bracket

AMOUNTS = search.scan(1.0, 10.0)


def searched(
    comes_back: Callable[[float], bool], *, resolution: float = 0.05
) -> tuple[Bracket | None, dict[float, bool]]:
    """The bracket that is found, and everything that was tried for it."""
    tried = {amount: comes_back(amount) for amount in AMOUNTS}
    while (found := search.bracket(tried, start=1.0)) is not None:
        amount = search.middle(found, resolution_ratio=resolution)
        if amount is None:
            break
        assert amount not in tried
        tried[amount] = comes_back(amount)
    return found, tried


def test_the_scan_goes_to_the_limit_in_ratios_that_are_not_too_large() -> None:
    assert AMOUNTS[-1] == 10.0
    steps = [after / before for before, after in zip((1.0, *AMOUNTS), AMOUNTS, strict=False)]
    assert max(steps) <= search.SCAN_RATIO * 1.001
    assert search.scan(1.0, 1.2) == (1.2,)
    assert search.scan(2.0, 2.0) == ()


@pytest.mark.parametrize("boundary", [1.01, 1.1, 1.34, 2.0, 2.15, 5.0, 9.99])
@pytest.mark.parametrize("resolution", [0.2, 0.05, 0.01])
def test_a_monotone_boundary_is_found_as_narrowly_as_was_asked(boundary: float, resolution: float) -> None:
    found, tried = searched(lambda amount: amount < boundary, resolution=resolution)
    assert found is not None
    assert found.low < boundary <= found.high
    assert found.high <= found.low * (1 + resolution)
    assert len(tried) <= len(AMOUNTS) + 8


def test_there_is_none_up_to_the_limit() -> None:
    found, tried = searched(lambda amount: True)
    assert found is None
    assert tuple(tried) == AMOUNTS


def test_what_is_down_from_the_first_amount_on_is_bracketed_by_no_disturbance() -> None:
    found, _ = searched(lambda amount: False)
    assert found is not None
    assert (found.low, found.high <= 1.05) == (1.0, True)
    assert search.bracket({1.0: False, 2.0: False}, start=0.0) == Bracket(low=0.0, high=1.0)
    assert search.middle(Bracket(low=0.0, high=1.0), resolution_ratio=0.05) is None


def test_an_island_that_does_not_come_back_is_found_although_higher_amounts_do() -> None:
    found, tried = searched(lambda amount: not 3.0 <= amount < 7.0)
    assert found is not None
    assert found.low < 3.0 <= found.high <= found.low * 1.05
    assert tried[10.0]


def test_the_boundary_is_the_amount_from_which_most_replications_do_not_come_back() -> None:
    found = Boundary(edges=(2.0, None, 1.5, 3.0, 1.8))
    assert (found.low, found.value, found.high, found.none_count) == (1.5, 2.0, None, 1)
    assert Boundary(edges=(2.0, 1.0)).value == 2.0  # one of two is not most
    assert Boundary(edges=(2.0, None, None)).value is None
    assert Boundary(edges=(2.0, None)).value is None
    assert Boundary(edges=()).value is None
