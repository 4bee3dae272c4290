"""The dashboard in a real browser: nothing to show, one pair, and a run that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect
from playwright.async_api import TimeoutError as NotSeen

from core.names import Origin
from lab.compare import compare
from tests.agreement import synthetic
from tests.browser.conftest import Visit, serving

RUN = "20261121-074812"
EARLIER = "20261120-060000"
#: A folder with a name that a person chose.
ODD = "2026 *a* `b` $c$ :red[d]"
#: Markdown of every kind that Streamlit knows, with a link and a picture elsewhere.
TRICKY = (
    "**bold** $x^2$ :red[red] [sign in](http://127.0.0.1:9/in) ![i](http://127.0.0.1:9/i.png) ~~old~~ www.example.org"
)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("runs")
    synthetic.write_pair(folder / RUN, factor={"feed.read": 0.8, "like.add": 1.15})
    synthetic.write_pair(folder / EARLIER, void=["the generator lagged 12 ms"])
    synthetic.write_side(folder / ODD, Origin.SIMULATED)
    for name in (RUN, EARLIER, ODD):
        compare(folder / name)
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
    assert seen.problems == []


async def test_the_agreement_page_opens_from_an_address_that_was_passed_on(dashboard: str, visit: Visit) -> None:
    seen = await visit(f"{dashboard}/agreement?run={RUN}&op=like.add")
    await expect(seen.page.get_by_text("! feed.read").first).to_be_visible()
    await expect(seen.page.get_by_text("like.add, outside faults:")).to_be_visible()
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


async def test_a_run_that_does_not_exist_is_reported_and_no_other_is_shown(dashboard: str, visit: Visit) -> None:
    seen = await visit(f"{dashboard}/?run=19990101-000000")
    await expect(seen.page.get_by_text("Run 19990101-000000 does not exist")).to_be_visible()
    await expect(seen.page.get_by_test_id("stMetric")).to_have_count(0)
    await expect(seen.page).to_have_url(re.compile("run=19990101-000000"))
    assert seen.problems == []


async def _choose(page: Page, box: int, name: str) -> None:
    """Choose ``name`` in a list of the page; a list that closes because it is redrawn is opened again."""
    option = page.get_by_role("option", name=name)
    for _ in range(10):
        await page.get_by_test_id("stSelectbox").nth(box).locator("input").click()
        with suppress(NotSeen):
            await option.click(timeout=2_000)
            return
    raise AssertionError(f"list {box} does not offer {name}")


async def test_one_press_of_back_is_one_step_and_shows_what_the_address_says(dashboard: str, visit: Visit) -> None:
    seen = await visit(f"{dashboard}/runs")  # where a reader comes from; the dashboard is opened by a link
    page = seen.page
    await expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    await page.goto(dashboard)
    held, void = page.get_by_role("heading", name="expectations held"), page.get_by_role("heading", name="void")
    await expect(held).to_be_visible()
    await _choose(page, 0, EARLIER)
    await expect(void).to_be_visible()
    await expect(page).to_have_url(f"{dashboard}/?run={EARLIER}")
    await page.get_by_role("link", name="Agreement").click()
    await expect(page.get_by_text("Error = (simulated")).to_be_visible()
    await expect(page).to_have_url(f"{dashboard}/agreement?run={EARLIER}")
    await _choose(page, 1, "like.add")
    await expect(page).to_have_url(re.compile(f"/agreement\\?run={EARLIER}&op=like.add$"))

    await page.go_back()
    await expect(page).to_have_url(f"{dashboard}/agreement?run={EARLIER}")
    await expect(page.get_by_test_id("stSelectbox").nth(1).locator("input")).not_to_have_value("like.add")
    await page.go_back()
    await expect(page).to_have_url(f"{dashboard}/?run={EARLIER}")
    await expect(page.get_by_test_id("stMetric")).to_have_count(4)
    await expect(void).to_be_visible()
    await page.go_back()
    await expect(page).to_have_url(f"{dashboard}/")
    await expect(held).to_be_visible()
    await page.go_back()
    await expect(page).to_have_url(f"{dashboard}/runs")
    await page.go_forward()
    await expect(page).to_have_url(f"{dashboard}/")
    await expect(held).to_be_visible()
    assert seen.problems == []


@pytest.mark.parametrize("address", ["/?run=", f"/agreement?run={RUN}&op="])
async def test_what_an_address_says_is_shown_as_text(dashboard: str, visit: Visit, address: str) -> None:
    seen = await visit(f"{dashboard}{address}{quote(TRICKY)}")
    alert = seen.page.get_by_test_id("stAlert").first
    await expect(alert).to_contain_text(TRICKY)
    for made in ("a", "img", "strong", "del", ".katex"):
        await expect(alert.locator(made)).to_have_count(0)
    assert seen.problems == []  # nothing was asked for elsewhere


async def test_a_folder_with_an_odd_name_is_shown_by_it_and_says_that_it_is_only_simulated(
    dashboard: str, visit: Visit
) -> None:
    seen = await visit(f"{dashboard}/?run={quote(ODD)}")
    await expect(seen.page.get_by_test_id("stAlert").first).to_contain_text("This run is only simulated")
    await seen.page.get_by_role("link", name="Agreement").click()
    await expect(seen.page.get_by_text("A comparison needs both sides")).to_be_visible()
    assert await seen.page.evaluate("new URLSearchParams(location.search).get('run')") == ODD
    assert seen.problems == []


async def test_a_telephone_shows_the_page_without_moving_it_sideways(dashboard: str, visit: Visit) -> None:
    seen = await visit(f"{dashboard}/agreement?run={RUN}", width=390)
    await expect(seen.page.get_by_text("! feed.read").first).to_be_visible()
    assert await seen.page.evaluate("document.documentElement.scrollWidth") <= 390
