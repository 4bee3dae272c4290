"""The report opens in a real browser without a network, light, dark and narrow, without errors on the console."""

from __future__ import annotations

import pytest

from lab.compare import compare
from lab.report import write
from tests.agreement import synthetic
from tests.browser.conftest import Visit


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs") / "20261121-074812"
    synthetic.write_pair(folder, factor={"feed.read": 0.8, "like.add": 1.15})
    compare(folder)
    return write(folder).as_uri()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
async def test_the_report_opens_offline_and_fits_the_window(report: str, visit: Visit, width: int, dark: bool) -> None:
    seen = await visit(report, width=width, dark=dark, offline=True)
    assert await seen.page.locator("h1").inner_text() == "viral_post_small"
    assert await seen.page.evaluate("document.documentElement.scrollWidth") <= width
    assert seen.problems == []


async def test_lines_are_drawn_in_the_colours_of_the_theme(report: str, visit: Visit) -> None:
    for dark, color in ((False, "rgb(0, 114, 178)"), (True, "rgb(86, 180, 233)")):
        page = (await visit(report, dark=dark, offline=True)).page
        lines = page.locator('.wide svg path[stroke="var(--measured)"]')
        assert await lines.count() > 3
        assert await lines.first.evaluate("each => getComputedStyle(each).stroke") == color


async def test_every_chart_is_seen_and_the_narrow_drawing_takes_the_place_of_the_wide(
    report: str, visit: Visit
) -> None:
    for width, shown, hidden in ((1280, ".wide", ".narrow"), (390, ".narrow", ".wide")):
        page = (await visit(report, width=width, offline=True)).page
        figures = page.locator(".has-narrow")
        assert await figures.count() >= 4
        for index in range(await figures.count()):
            assert await figures.nth(index).locator(f"{shown} svg").is_visible()
            assert not await figures.nth(index).locator(f"{hidden} svg").is_visible()
            box = await figures.nth(index).locator(f"{shown} svg").bounding_box()
            assert box is not None
            assert box["height"] > 100


async def test_data_and_scenario_are_folded_away_and_can_be_opened(report: str, visit: Visit) -> None:
    page = (await visit(report, offline=True)).page
    scenario = page.locator("details", has_text="Scenario").last
    assert not await scenario.locator("pre").is_visible()
    await scenario.locator("summary").click()
    assert "scenario: viral_post_small" in await scenario.locator("pre").inner_text()
