"""Paired differences: a planted one is found with its sign, none is found where there is none, also among many."""

from __future__ import annotations

import math

import numpy as np
import pytest

from planning.studies.difference import PAIRS_MIN, compare, narrow_enough, pairs_needed


@pytest.fixture
def random() -> np.random.Generator:
    """A new generator with seed 11 for each test."""
    return np.random.default_rng(11)


def _figures(random: np.random.Generator, count: int, names: int) -> list[dict[str, float]]:
    return [{f"f{name}": 10.0 + random.normal() for name in range(names)} for _ in range(count)]


def test_a_scenario_differs_from_itself_by_exactly_nothing(random: np.random.Generator) -> None:
    figures = _figures(random, 5, 3)
    found = compare(figures, figures)
    assert found
    for each in found:
        assert (each.difference.value, each.difference.low, each.difference.high) == (0.0, 0.0, 0.0)
        assert each.same
        assert not each.distinguishable


def test_what_rounding_leaves_is_equal_and_no_member_of_holms_family(random: np.random.Generator) -> None:
    # the busy share of a process whose same amounts of work were added up in another order
    first = [{"busy": 0.0426 + 0.001 * random.normal(), "moved": 1.0} for _ in range(5)]
    second = [{"busy": math.nextafter(f["busy"], 1.0), "moved": 1.0 + 1e-6 * (1 + random.random())} for f in first]
    found = {each.figure: each for each in compare(first, second)}
    assert found["busy"].same
    assert found["busy"].second == found["busy"].first
    assert not found["moved"].same
    assert found["moved"].together == found["moved"].chance  # alone in the family
    # one pair that differs by more is enough to differ
    (apart,) = compare(first, [*second[:-1], {"busy": first[-1]["busy"] * (1 + 1e-7)}], figures=["busy"])
    assert not apart.same


def test_what_both_share_is_no_noise_and_a_planted_change_is_found_with_its_sign(random: np.random.Generator) -> None:
    common = [random.normal() * 5 for _ in range(10)]
    first = [{"up": 10 + c + random.normal() * 0.1, "down": 10 + c + random.normal() * 0.1} for c in common]
    second = [{"up": f["up"] + 0.5 + random.normal() * 0.1, "down": f["down"] - 0.5} for f in first]
    found = {each.figure: each for each in compare(first, second)}
    assert found["up"].distinguishable
    assert found["up"].difference.low < 0.5 < found["up"].difference.high
    assert found["up"].difference.low > 0
    assert found["up"].saved_ratio > 100
    assert found["down"].distinguishable
    assert found["down"].difference.value == pytest.approx(-0.5)


def test_of_many_figures_without_a_difference_hardly_ever_one_looks_different(random: np.random.Generator) -> None:
    # 120 comparisons of 30 figures: 95 % each alone would find one in four of five
    alone = together = 0
    for _ in range(120):
        found = compare(_figures(random, 8, 30), _figures(random, 8, 30))
        alone += any(each.chance < 0.05 for each in found)
        together += any(each.distinguishable for each in found)
    assert alone > 75
    assert together <= 14  # 5 % of 120 is 6; more than 14 has a chance of 0.1 %


def test_holm_adjusts_the_smallest_by_all_and_the_largest_by_one(random: np.random.Generator) -> None:
    first = _figures(random, 6, 3)
    second = [{f"f{n}": each[f"f{n}"] + 0.05 * n * random.normal() for n in range(3)} for each in first]
    found = sorted(compare(first, second), key=lambda each: each.chance)
    moved = [each for each in found if not each.same]
    assert [each.figure for each in found if each.same] == ["f0"]
    assert moved[0].together == pytest.approx(min(1.0, moved[0].chance * 2))
    assert moved[1].together == pytest.approx(max(moved[0].together, moved[1].chance))


def test_a_figure_that_too_few_pairs_have_is_left_out() -> None:
    first = [{"p99": 1.0} for _ in range(PAIRS_MIN)]
    second = [{"p99": 2.0} for _ in range(PAIRS_MIN - 1)] + [{}]
    assert compare(first, second) == ()
    assert [each.figure for each in compare(first, first)] == ["p99"]


def test_a_difference_without_any_spread_leaves_no_doubt() -> None:
    first = [{"cost": 0.1 * place} for place in range(1, 5)]
    second = [{"cost": f["cost"] + 0.3} for f in first]
    (found,) = compare(first, second)
    assert found.chance == 0.0
    assert found.distinguishable


def test_sides_that_cannot_be_paired_are_refused(random: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        compare(_figures(random, 3, 1), _figures(random, 4, 1))


def test_an_interval_is_narrow_enough_relative_to_the_first() -> None:
    first = [{"x": 100.0}, {"x": 100.0}, {"x": 100.0}]
    second = [{"x": 101.0}, {"x": 102.0}, {"x": 103.0}]
    found = compare(first, second)
    half = (found[0].difference.high - found[0].difference.low) / 2
    assert narrow_enough(found, half / 100 * 1.01)
    assert not narrow_enough(found, half / 100 * 0.99)
    assert math.isfinite(half)


def test_so_many_pairs_as_are_said_to_be_needed_do_tell() -> None:
    stream = np.random.default_rng(3)
    noise = stream.normal(0.0, 1.0, 400)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    (found,) = compare([{"x": 0.0}] * 20, [{"x": 0.4 + each} for each in noise[:20]])
    needed = pairs_needed(found, comparisons=10)
    assert needed is not None
    assert needed > 20
    spread = np.std(noise[:20], ddof=1)
    alike = 0.4 + np.mean(noise[:20]) + spread * np.tile([1.0, -1.0], (needed + 1) // 2)[:needed]
    (then,) = compare([{"x": 0.0}] * needed, [{"x": each} for each in alike])
    assert then.chance * 10 < 0.06


def test_no_number_of_pairs_tells_what_does_not_differ() -> None:
    (same,) = compare([{"x": 1.0}] * 3, [{"x": 1.0}] * 3)
    assert pairs_needed(same) is None
    (tiny,) = compare([{"x": 0.0}] * 3, [{"x": each} for each in (1.0, -1.0, 1e-6)])
    assert pairs_needed(tiny) is None
