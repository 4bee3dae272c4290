"""The dashboard in a real browser: nothing to show, one pair, and a run that is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from lab.compare import compare
from tests.agreement import synthetic
from tests.browser.conftest import Visit, serving

RUN = "20261121-074812"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("runs")
    synthetic.write_pair(folder / RUN, factor={"feed.read": 0.8, "like.add": 1.15})
    compare(folder / RUN)
    with serving(folder, tmp_path_factory.mktemp("log") / "dashboard.log") as address:
        yield address


async def test_an_empty_folder_of_runs_says_how_to_make_one(tmp_path: Path, visit: Visit) -> None:
    (tmp_path / "runs").mkdir()
    with serving(tmp_path / "runs", tmp_path / "dashboard.log") as address:
        seen = await visit(address)
        await expect(seen.page.get_by_text("No run yet")).to_be_visible()
        await expect(seen.page.get_by_text("windtunnel run scenarios/viral_post_small.yaml")).to_be_visible()
        assert seen.problems == []


@pytest.mark.parametrize("dark", [False, True])
async def test_the_overview_shows_verdict_tiles_expectations_and_a_timeline(
    dashboard: str, visit: Visit, dark: bool
) -> None:
    seen = await visit(dashboard, dark=dark)
    await expect(seen.page.get_by_role("heading", name=re.compile("expectations held"))).to_be_visible()
    await expect(seen.page.get_by_test_id("stMetric")).to_have_count(4)
    await expect(seen.page.get_by_text("feed.read p95, outside faults").first).to_be_visible()
    await expect(seen.page.locator('[data-testid="stVegaLiteChart"] svg')).to_have_count(1)
    await expect(seen.page).to_have_url(re.compile(f"run={RUN}"))
    assert seen.problems == []


async def test_the_agreement_page_opens_from_an_address_that_was_passed_on(dashboard: str, visit: Visit) -> None:
    seen = await visit(f"{dashboard}/agreement?run={RUN}&op=like.add")
    await expect(seen.page.get_by_text("! feed.read").first).to_be_visible()
    await expect(seen.page.get_by_text("like.add, outside of faults:")).to_be_visible()
    charts = seen.page.locator('[data-testid="stVegaLiteChart"] svg').filter(visible=True)
    await expect(charts).to_have_count(1)
    await seen.page.get_by_role("tab", name="Over time").click()
    await expect(charts.get_by_text("a post goes viral")).to_be_visible()
    assert seen.problems == []


async def test_going_from_page_to_page_keeps_the_run(dashboard: str, visit: Visit) -> None:
    seen = await visit(f"{dashboard}/?run={RUN}")
    await expect(seen.page.get_by_test_id("stMetric").first).to_be_visible()
    await seen.page.get_by_role("link", name="Runs").click()
    await expect(seen.page.get_by_role("heading", name="Runs")).to_be_visible()
    await expect(seen.page).to_have_url(re.compile(f"/runs\\?run={RUN}"))
    assert seen.problems == []


async def test_a_run_that_is_gone_is_said_and_none_is_shown_in_its_place(dashboard: str, visit: Visit) -> None:
    seen = await visit(f"{dashboard}/?run=19990101-000000")
    await expect(seen.page.get_by_text("Run 19990101-000000 is gone")).to_be_visible()
    await expect(seen.page.get_by_test_id("stMetric")).to_have_count(0)
    await expect(seen.page).to_have_url(re.compile("run=19990101-000000"))
    assert seen.problems == []


async def test_a_telephone_shows_the_page_without_moving_it_sideways(dashboard: str, visit: Visit) -> None:
    seen = await visit(f"{dashboard}/agreement?run={RUN}", width=390)
    await expect(seen.page.get_by_text("! feed.read").first).to_be_visible()
    assert await seen.page.evaluate("document.documentElement.scrollWidth") <= 390
