"""Charts are valid Vega-Lite, draw in light and dark, and stay on the page whatever the samples are."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from core.names import Origin
from core.run import Samples
from present import charts
from present.charts import series
from records import run
from records.comparison import Comparison

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def feed(pair: Path) -> dict[Origin, Samples]:
    return {origin: run.read(pair / origin.value).samples.judged().of("feed.read") for origin in Origin}


def _all(sides: dict[Origin, Samples], comparison: Comparison, palette: charts.Palette) -> list[object]:
    return [
        charts.over_time(
            sides,
            duration_seconds=60.0,
            palette=palette,
            faults=comparison.faults,
            limit_seconds=0.3,
            limit_name="p95 <300 ms",
            viral_at_seconds=12.0,
        ),
        charts.by_percentile(sides, palette=palette),
        charts.distribution(sides, palette=palette),
        charts.quantile_quantile(sides, palette=palette),
        charts.signed_errors(comparison.rows, palette=palette),
    ]


def test_every_chart_is_valid_and_draws_as_png_in_light_and_dark(
    feed: dict[Origin, Samples], comparison: Comparison
) -> None:
    for palette in (charts.LIGHT, charts.DARK):
        drawn = _all(feed, comparison, palette)
        assert len(drawn) >= 4
        for chart in drawn:
            chart.to_dict(validate=True)  # type: ignore[attr-defined]
            assert charts.png(chart, scale=1.0).startswith(PNG)


def test_an_svg_holds_the_colours_as_variables_and_scales_with_the_page(
    feed: dict[Origin, Samples], comparison: Comparison
) -> None:
    all_drawn = [charts.svg(chart) for chart in _all(feed, comparison, charts.CSS)]
    assert len(all_drawn) >= 4
    for drawn in all_drawn:
        assert "var(--" in drawn
        assert "viewBox" in drawn
        assert " width=" not in drawn[: drawn.index(">")]
        assert len(drawn) < 60_000


@pytest.mark.parametrize("count", [0, 1, 5, 30])
def test_few_or_no_samples_draw_a_chart_and_no_percentile(
    feed: dict[Origin, Samples], comparison: Comparison, count: int
) -> None:
    few = {origin: _first(samples, count) for origin, samples in feed.items()}
    drawn = [charts.svg(chart) for chart in _all(few, comparison, charts.LIGHT)]
    assert [each[:4] for each in drawn] == ["<svg"] * len(_all(feed, comparison, charts.LIGHT))


def _first(samples: Samples, count: int) -> Samples:
    return samples.where(np.arange(len(samples)) < count)


def test_curves_end_where_ten_requests_lie_beyond(feed: dict[Origin, Samples]) -> None:
    assert set(feed) == set(Origin)
    for samples in feed.values():
        curve = series.quantile_curve(samples)
        assert (1 - curve.levels[-1]) * len(samples) == pytest.approx(10)


def test_labels_keep_their_distance_and_their_order() -> None:
    placed = series.spread([1.0, 1.1, 1.05, 9.9], 1.0, 0.0, 10.0)
    ordered = sorted(placed)
    assert all(b - a >= 1.0 - 1e-6 for a, b in itertools.pairwise(ordered))
    assert placed[0] < placed[2] < placed[1] < placed[3] <= 10.0


def test_a_window_holds_enough_requests_for_its_p95(feed: dict[Origin, Samples]) -> None:
    width = series.window_seconds(list(feed.values()), 60.0)
    assert min(len(each) for each in feed.values()) * width / 60.0 >= 20
