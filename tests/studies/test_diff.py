"""The comparison of two scenario files: the same is the same, a planted change is found with its sign and named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.diff import command
from core.errors import UserError
from core.scenario import parse
from planning.diff import study as diffs
from planning.diff.page import content
from planning.diff.text import render
from planning.simulations.runners import Inline
from planning.simulations.task import setup
from planning.studies import words
from planning.studies.arguments import relative
from present import page
from tests.model import synthetic
from tests.studies.conftest import TINY, here, simulator

SHARED = setup(synthetic.profile(), "simpy")
#: A seventh of the reads are likes instead.
SLOWER = TINY.replace("feed.read: 70%, like.add: 20%", "feed.read: 60%, like.add: 30%")


def _diff(folder: Path, first: str, second: str, *, replications: int = 5, until: float | None = None) -> diffs.Diff:
    with simulator(folder, Inline(), SHARED) as simulates:
        return diffs.make(
            parse(first),
            parse(second),
            names=("a", "b"),
            replications=replications,
            until=until,
            simulator=simulates,
        )


def test_a_scenario_is_the_same_as_itself_whatever_its_file_calls_it(tmp_path: Path) -> None:
    found = _diff(tmp_path, TINY, "# a comment\ndescription: the same\n" + TINY.replace("tiny", "other"))
    assert found.settings == ()
    assert found.differences
    assert all(each.same and each.difference.value == 0.0 for each in found.differences)
    assert "every figure of every replication is equal" in found.sentence
    assert "EQUAL" in render(found, tmp_path)
    assert "DIFFERENT" not in render(found, tmp_path)


def test_a_planted_change_is_found_with_its_sign_and_the_setting_is_named(tmp_path: Path) -> None:
    found = _diff(tmp_path, TINY, SLOWER, replications=6)
    by_figure = {each.figure: each for each in found.differences}
    assert ("traffic.mix.feed.read", "70%", "60%") in found.settings
    reads, likes = by_figure["feed.read.answered_per_second"], by_figure["like.add.answered_per_second"]
    assert reads.distinguishable
    assert reads.difference.value == pytest.approx(-3, rel=0.4)
    assert likes.distinguishable
    assert likes.difference.value == pytest.approx(3, rel=0.4)
    assert by_figure["cpu.feed.busy_ratio"].difference.high < 0
    assert by_figure["feed.read.errors_ratio"].same
    said = render(found, tmp_path)
    assert "traffic.mix.feed.read: 70% → 60%" in said
    assert "feed.read answered" in said.partition("DIFFERENT")[2].partition("NOT DISTINGUISHABLE")[0]
    assert "Holm" in said
    assert "Holm" in page.render(content(found))


def test_the_tables_of_a_page_fit_it_and_the_verdict_comes_early(tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    found = _diff(tmp_path, TINY, SLOWER, replications=3)
    (tmp_path / "diff.html").write_text(page.render(content(found)), encoding="utf-8")
    assert content(found).sections[-1].tables[0].head[:2] == ("figure", "verdict")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for width, cut in ((1280, False), (420, True)):
            tab = browser.new_page(viewport={"width": width, "height": 900})
            tab.goto((tmp_path / "diff.html").as_uri())
            assert tab.evaluate("document.documentElement.scrollWidth") == width
            wider = "[...document.querySelectorAll('.scroll')].some(each => each.scrollWidth > each.clientWidth)"
            assert tab.evaluate(wider) in (False, cut)  # a narrow one scrolls within itself
        browser.close()


def test_shares_differ_by_percentage_points(tmp_path: Path) -> None:
    found = _diff(tmp_path, TINY, SLOWER, replications=6)
    busy = next(each for each in found.differences if each.figure == "cpu.feed.busy_ratio")
    told = words.change(busy.figure, busy.difference)
    assert told.endswith("] pp")
    assert told in render(found, tmp_path, show_all=True)
    first, _, interval = told.partition(" ")
    assert f"{first} <span>{interval}</span>" in page.render(content(found))  # the interval is not broken
    assert "percentage points (pp)" in " ".join(found.notes)


def test_the_seed_of_the_second_does_not_make_a_difference(tmp_path: Path) -> None:
    found = _diff(tmp_path, TINY, TINY.replace("seed: 5", "seed: 6"), replications=3)
    assert all(each.same for each in found.differences)
    assert any("seed of a" in note for note in found.notes)


def test_pairs_are_added_until_the_intervals_are_narrow_or_no_more_are_allowed(tmp_path: Path) -> None:
    first = TINY.replace("rate: 30/s", "rate: 20/s")
    changed = first.replace("threshold: 15", "threshold: 3")
    wide = _diff(tmp_path, first, changed, replications=40, until=0.99)
    assert wide.replications == diffs.COUNT_MIN
    assert wide.enough is True
    never = _diff(tmp_path, first, changed, replications=12, until=1e-9)
    assert never.replications == 12
    assert never.enough is False
    assert any("wider than requested" in note for note in never.notes)


@pytest.mark.parametrize("text", ["2", "0%", "200%", "narrow"])
def test_a_width_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--until"):
        relative(text)


def test_the_command_compares_two_files_and_keeps_what_it_simulated(tiny: Path, profile: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.yaml"
    second.write_text(SLOWER, encoding="utf-8")
    out = tmp_path / "out"
    words = ["diff", str(tiny), str(second), "--profile", str(profile), "--out", str(out), "--workers", "1"]
    words += ["--engine", "simpy", "--replications", "3"]
    said = here(*words)
    assert said.startswith("windtunnel diff tiny second ")
    assert "traffic.mix.feed.read: 70% → 60%" in said
    assert all(len(line) <= 80 for line in said.splitlines() if str(tmp_path) not in line)
    told = json.loads(here(*words, "--json"))
    assert told == json.loads((out / "diff.json").read_text(encoding="utf-8"))
    assert told["correction"] == "holm"
    assert {each["figure"] for each in told["figures"]} >= {"cost.dollars_month", "freshness.mean_seconds"}


def test_fewer_than_three_pairs_are_refused_on_the_command_line(tiny: Path) -> None:
    done = CliRunner().invoke(command, [str(tiny), str(tiny), "--replications", "2"])
    assert done.exit_code == 2
    assert "3" in done.output
