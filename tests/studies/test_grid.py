"""Grids: values in the file's units, wrong fields named by the reader itself, shares that keep adding up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scenario import parse
from planning.studies import grid
from planning.studies.grid import GridError
from planning.studies.values import spread
from tests.studies.conftest import TINY


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2,4", ("1", "2", "4")),
        ("10/s..40/s:4", ("10/s", "20/s", "30/s", "40/s")),
        ("10..1_000:3log", ("10", "100", "1000")),
        ("60%..80%:3", ("60%", "70%", "80%")),
        ("64MiB..128MiB:2", ("64MiB", "128MiB")),
        ("0.5..2:4", ("0.5", "1", "1.5", "2")),
        ("1..3:9", ("1", "2", "3")),
        ("80ms", ("80ms",)),
        ("[0, 1],[0]", ("[0, 1]", "[0]")),
    ],
)
def test_values_and_ranges_are_read_in_the_files_units(text: str, values: tuple[str, ...]) -> None:
    assert spread(text) == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("traffic.rate", "expected field=values"),
        ("traffic.rate=", "expected values"),
        ("traffic.rate=10/s..20/m:3", "one unit at both ends"),
        ("traffic.rate=20/s..10/s:3", "lower end first"),
        ("traffic.rate=10/s..20/s", "how many values"),
        ("traffic.rate=10/s..20/s:1", "how many values"),
        ("traffic.rate=fast..slow:3", "numbers at both ends"),
        ("system.fanout.threshold=0..9:3log", "above zero"),
        ("traffic.rate=1/s..1000/s:100000000", "at most 10,000 values"),
        ("traffic.rate=1/s..1000/s:" + "9" * 5_000 + "log", "at most 10,000 values"),
    ],
)
def test_an_axis_that_cannot_be_says_what_was_expected(text: str, said: str) -> None:
    with pytest.raises(GridError, match=said):
        grid.axis(text)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("system.fanout.treshold", "9", "system.fanout.treshold: .* did you mean threshold"),
        ("system.fanout.threshold", "many", "system.fanout.threshold: found 'many'"),
        ("traffic.rate", "10", "traffic.rate: found 10; expected a rate with its unit"),
        ("system.shards.physical", "99", "expected no more than the 16 logical shards"),
        ("system.fanout.threshold.deep", "1", "system.fanout.threshold.deep: the scenario has nothing at deep"),
        ("faults[0].latency", "1s", "faults.*the scenario has nothing at 0"),
        ("nothing.of.this", "1", "nothing: found an unknown field"),
        ("system.feed.mix.followed", "130%", "add up to 100%"),
        ("traffic.rate", "[", "no value of a scenario file"),
    ],
)
def test_a_wrong_field_or_value_is_named(field: str, value: str, said: str) -> None:
    with pytest.raises(GridError, match=said):
        grid.point(TINY, ((field, value),))


def test_a_grid_is_every_combination_with_the_last_axis_fastest() -> None:
    axes = (grid.axis("traffic.rate=10/s,20/s"), grid.axis("system.shards.physical=1,2"))
    found = grid.points(TINY, axes)
    assert [point.name for point in found] == [
        "traffic.rate=10/s, system.shards.physical=1",
        "traffic.rate=10/s, system.shards.physical=2",
        "traffic.rate=20/s, system.shards.physical=1",
        "traffic.rate=20/s, system.shards.physical=2",
    ]
    assert found[3].scenario.traffic.rate_per_second == 20.0
    assert found[3].scenario.system.shards.physical == 2
    assert all(parse(point.text) == point.scenario for point in found)


def test_a_grid_of_too_many_settings_is_refused_before_any_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = tuple(grid.axis(f"{field}=1..200:200") for field in ("system.fanout.threshold", "system.shards.physical"))
    monkeypatch.setattr(grid, "parse", lambda text: pytest.fail("built"))
    with pytest.raises(GridError, match=r"200 of .*threshold × 200 of .*physical are 40,000 settings: .*10,000"):
        grid.points(TINY, axes)


def test_a_field_is_named_once() -> None:
    with pytest.raises(GridError, match=r"traffic\.rate: expected each field once"):
        grid.points(TINY, (grid.axis("traffic.rate=10/s"), grid.axis("traffic.rate=20/s")))


def test_a_field_that_the_file_leaves_to_its_default_can_be_set() -> None:
    point = grid.point(TINY, (("system.feed.deadlines.timeline", "20ms"),))
    assert point.scenario.system.feed.deadlines.timeline_seconds == 0.02
    assert point.scenario.system.fanout.threshold == 15


def test_operations_in_a_path_may_hold_dots() -> None:
    point = grid.point(TINY, (("traffic.mix.feed.read", "40%"),))
    mix = point.scenario.traffic.mix_ratio
    assert mix["feed.read"] == 0.4
    assert mix["like.add"] == pytest.approx(0.6 * 2 / 3)
    assert mix["post.create"] == pytest.approx(0.6 / 3)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=2))
def test_shares_that_nobody_set_fill_up_the_rest(permille: list[int]) -> None:
    names = ("followed", "recommended")[: len(permille)]
    if sum(permille) > 1_000:
        permille = [value // 2 for value in permille]
    asked = tuple((f"system.feed.mix.{name}", f"{value / 10}%") for name, value in zip(names, permille, strict=True))
    mix = grid.point(TINY, asked).scenario.system.feed.mix
    assert mix.followed_ratio + mix.recommended_ratio + mix.ads_ratio == pytest.approx(1.0, abs=1e-9)
    assert mix.followed_ratio == pytest.approx(permille[0] / 1_000)


def test_settings_that_differ_are_named_as_the_file_names_them() -> None:
    other = grid.point(TINY, (("system.fanout.threshold", "3"), ("traffic.mix.feed.read", "60%"))).scenario
    found = {field: (ours, theirs) for field, ours, theirs in grid.differing(parse(TINY), other)}
    assert found["system.fanout.threshold"] == ("15", "3")
    assert found["traffic.mix.feed.read"] == ("70%", "60%")
    assert not grid.differing(parse(TINY), parse(TINY))
