"""Repeats: medians, the noise floor of the machine, and which repeats count."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import click
import msgspec
import pytest

from lab import repeats
from lab.compare import compare
from present.tables import WIDTH
from records.comparison import HELD, MISSED, VOID, Comparison
from tests.agreement import synthetic

FACTORS = (1.0, 1.3, 0.8)  # of the measured latencies, by repeat


def _made(folder: Path, *, factors: tuple[float, ...] = FACTORS, void: tuple[int, ...] = ()) -> list[Comparison]:
    found = []
    for number, factor in enumerate(factors):
        where = folder / f"run-{number}"
        reasons = ["the generator lagged"] if number in void else []
        synthetic.write_pair(where, measured_factor=dict.fromkeys(synthetic.MEDIANS, factor), void=reasons)
        found.append(compare(where))
    return found


def test_figures_are_medians_and_the_noise_is_half_of_the_range(tmp_path: Path) -> None:
    made = _made(tmp_path)
    found = repeats.summarise(made)
    name, pair = made[0].rows[0]
    own = [dict(each.rows)[name].quantile(0.5) for each in made]
    values = [each.measured.value for each in own if each is not None and each.measured is not None]
    assert len(values) == 3
    level = next(each for each in found.operations if each.name == name).quantiles[0]
    assert level.measured_seconds == median(values)
    assert level.noise_ratio == pytest.approx((max(values) - min(values)) / 2 / median(values))
    assert level.error_ratio == median(each.error_ratio for each in own if each is not None)
    operation = next(each for each in found.operations if each.name == name)
    good = [
        each.measured.per_second * (1.0 - (each.measured.errors_ratio or 0.0))
        for each in (dict(run.rows)[name] for run in made)
        if each.measured is not None
    ]
    assert operation.goodput.measured_per_second == median(good)
    assert operation.goodput.error_ratio is not None
    assert found.exit_code == HELD
    assert pair.count * 3 == next(each for each in found.operations if each.name == name).count


def test_a_void_repeat_is_left_out_and_named_and_all_void_decide_nothing(tmp_path: Path) -> None:
    found = repeats.summarise(_made(tmp_path / "some", void=(1,)))
    assert list(found.void.values()) == ["the generator lagged"]
    assert found.expectations[0].judged_count == 2
    assert "VOID" in repeats.render(found, took_seconds=1.0)
    nothing = repeats.summarise(_made(tmp_path / "all", void=(0, 1, 2)))
    assert (nothing.exit_code, nothing.expectations, nothing.operations) == (VOID, (), ())
    assert "every repeat is void" in repeats.render(nothing, took_seconds=1.0)


@pytest.mark.parametrize(("factors", "exit_code"), [((60.0, 1.0, 1.0), HELD), ((60.0, 60.0, 1.0), MISSED)])
def test_most_repeats_decide(tmp_path: Path, factors: tuple[float, ...], exit_code: int) -> None:
    assert repeats.summarise(_made(tmp_path, factors=factors)).exit_code == exit_code


def test_the_summary_fits_the_terminal_and_is_kept(tmp_path: Path) -> None:
    found = repeats.summarise(_made(tmp_path, void=(2,)))
    text = click.unstyle(repeats.render(found, took_seconds=61.0))
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert "feed.read p50" in text
    assert "feed.read goodput" in text
    assert "2 of 3 repeats are valid" in text
    repeats.write(tmp_path, found)
    assert msgspec.json.decode((tmp_path / repeats.FILE).read_bytes(), type=repeats.Repeats) == found
