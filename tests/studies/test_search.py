"""Searches: a planted optimum is found, limits are respected, a stopped search continues as if uninterrupted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.scenario import parse
from planning.studies.grid import GridError, Settings
from planning.tune.search import BATCH, Ask, Sampler, TrialOutcome, search
from planning.tune.space import Dimension, defaults, dimension, today
from tests.studies.conftest import TINY

OPTIMUM = 800.0
LIMIT = 300.0


class Landscape:
    """A valley over the threshold's logarithm with its bottom at `OPTIMUM`; below `LIMIT` it is forbidden."""

    def __init__(self, *, stop_after: int | None = None):
        self.calls: list[int] = []
        self._stop_after = stop_after

    def __call__(self, batch: Sequence[Settings]) -> list[TrialOutcome]:
        if self._stop_after is not None and len(self.calls) == self._stop_after:
            raise KeyboardInterrupt
        self.calls.append(len(batch))
        return [self._at(float(dict(settings)["threshold"])) for settings in batch]

    def _at(self, threshold: float) -> TrialOutcome:
        away = abs(math.log(threshold / OPTIMUM))
        return TrialOutcome(objectives=(1.0 + away, 2.0 + away * away), excesses={"limit": LIMIT / threshold - 1.0})


def _ask(**changes: object) -> Ask:
    values: dict[str, object] = {
        "name": "study",
        "dimensions": (dimension("threshold=10..20_000:log"), dimension("other=1,2,3")),
        "objectives": ("a", "b"),
        "trials": 40,
        "seed": 3,
        "first": (("threshold", "10000"), ("other", "2")),
    }
    return Ask(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_planted_optimum_is_found_and_todays_setting_is_tried_first(sampler: Sampler) -> None:
    found = search(_ask(sampler=sampler), Landscape())
    assert len(found) == 40
    assert dict(found[0].settings)["threshold"] == "10000"
    best = min((each for each in found if each.outcome.feasible), key=lambda each: each.outcome.objectives)
    assert 0.75 * OPTIMUM < float(dict(best.settings)["threshold"]) < 1.33 * OPTIMUM


def test_a_search_that_knows_its_limits_tries_less_of_what_they_forbid() -> None:
    found = search(_ask(trials=64), Landscape())
    late = [each.outcome.feasible for each in found[32:]]
    early = [each.outcome.feasible for each in found[:16]]
    assert sum(late) / len(late) > sum(early) / len(early)
    assert all(each.outcome.excesses["limit"] <= 0 for each in found if each.outcome.feasible)


def test_one_seed_is_one_search_and_another_is_another() -> None:
    assert search(_ask(), Landscape()) == search(_ask(), Landscape())
    assert search(_ask(), Landscape()) != search(_ask(seed=4), Landscape())


def test_a_stopped_search_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = search(_ask(), Landscape())
    journal = tmp_path / "journal"
    first, second = Landscape(stop_after=2), Landscape()
    with pytest.raises(KeyboardInterrupt):
        search(_ask(), first, journal=journal)
    assert search(_ask(), second, journal=journal) == whole
    assert first.calls == [BATCH, BATCH]
    assert second.calls == [BATCH, BATCH, BATCH]


def test_a_longer_search_goes_on_from_a_shorter_one(tmp_path: Path) -> None:
    short = search(_ask(trials=16), Landscape(), journal=tmp_path / "journal")
    again = Landscape()
    longer = search(_ask(trials=24), again, journal=tmp_path / "journal")
    assert longer[:16] == short
    assert again.calls == [BATCH]


def test_a_space_that_is_no_larger_than_the_search_is_tried_whole_and_once_each() -> None:
    ask = _ask(dimensions=(dimension("threshold=700,800,900"), dimension("other=1..4")), first=None)
    found = [each.settings for each in search(ask, Landscape())]
    assert len(found) == len(set(found)) == 12
    first = (("threshold", "900"), ("other", "3"))
    assert search(_ask(dimensions=ask.dimensions, first=first), Landscape())[0].settings == first


def test_a_dimension_is_read_in_the_files_units_and_counts_stay_counts() -> None:
    size = dimension("system.cdn.edge.size=16MiB..256MiB:log")
    assert size.text(37) == "37MiB"
    assert size.whole
    assert size.parameter("64MiB") == 64
    assert size.parameter("1GiB") is None
    share = dimension("system.feed.mix.followed=0.5%..2%")
    assert not share.whole
    assert share.text(0.75) == "0.75%"
    assert share.written() == "system.feed.mix.followed=0.5%..2%"


@pytest.mark.parametrize("text", ["threshold", "threshold=1..9:5", "threshold=0..9:log", "threshold=9..1", "=1..2"])
def test_a_range_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(GridError):
        dimension(text)


def test_defaults_vary_what_the_scenario_has_and_start_where_it_is() -> None:
    scenario = parse(TINY)
    found = defaults(scenario)
    assert [each.field for each in found] == [
        "system.fanout.threshold",
        "system.shards.physical",
        "system.feed.instances",
    ]
    assert today(scenario, found) == (
        ("system.fanout.threshold", "15"),
        ("system.shards.physical", "2"),
        ("system.feed.instances", "1"),
    )
    assert all(
        each.parameter(value) is not None for each, (_, value) in zip(found, today(scenario, found), strict=True)
    )


def test_a_field_without_a_value_cannot_be_varied() -> None:
    with pytest.raises(GridError, match=r"system\.fanout\.treshold: .*did you mean system\.fanout\.threshold\?"):
        today(parse(TINY), (Dimension(field="system.fanout.treshold", choices=("1",)),))
