"""The claims of docs/STUDIES.md: its ranges expand as stated, its error is what is printed, its options exist."""

from __future__ import annotations

import re

import pytest

from cli import breakpoint, diff, sweep, tune
from planning.studies import grid
from planning.studies.grid import axis
from records.scenarios import read
from tests.studies.conftest import ROOT, windtunnel

TEXT = (ROOT / "docs" / "STUDIES.md").read_text(encoding="utf-8")
RANGES = re.findall(r"^\| `([^`|]+=[^`|]+)` \| ((?:`[^`]+` ?)+)\|$", TEXT, flags=re.MULTILINE)


def test_there_are_ranges_to_look_at() -> None:
    assert len(RANGES) == 6


@pytest.mark.parametrize(("written", "values"), RANGES)
def test_a_range_expands_as_the_page_says_and_the_shipped_scenario_takes_it(written: str, values: str) -> None:
    found = axis(written)
    assert list(found.values) == re.findall(r"`([^`]+)`", values)
    text = (ROOT / "scenarios" / "viral_post_small.yaml").read_text(encoding="utf-8")
    assert len(grid.points(text, (found,))) == len(found.values)


def test_the_error_is_the_one_that_is_printed() -> None:
    command, printed = re.findall(r"^\$ windtunnel (.*)\n(error: .*)$", TEXT, flags=re.MULTILINE)[0]
    said = windtunnel(*command.split())
    assert printed in said.stderr.splitlines()
    assert said.returncode == 2


@pytest.mark.parametrize(
    "command",
    [sweep.command, diff.command, tune.command, breakpoint.command],
    ids=["sweep", "diff", "tune", "breakpoint"],
)
def test_options_that_the_page_names_for_all_of_them_exist(command: object) -> None:
    known = {name for parameter in command.params for name in parameter.opts}  # type: ignore[attr-defined]
    named = set(re.findall(r"`(--[a-z-]+)", TEXT.partition("All of them but `plan` take")[2].partition("\n\n")[0]))
    assert named >= {"--profile", "--engine", "--scheduler", "--force", "--json"}
    assert named <= known


def test_every_option_of_the_page_is_one_of_a_command() -> None:
    known = {
        name
        for module in (sweep, diff, tune, breakpoint)
        for parameter in module.command.params
        for name in parameter.opts
    } | {"--nthreads", "--nworkers"}
    assert set(re.findall(r"(--[a-z][a-z-]+)", TEXT)) <= known


def test_the_scenario_for_tuning_can_be_read_and_expects_something() -> None:
    scenario = read(ROOT / "scenarios" / "tuning" / "threshold.yaml")
    assert scenario.expectations
    assert f"studies/tune-{scenario.name}/best.yaml" in TEXT
