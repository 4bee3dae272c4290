"""Expectations over replications are judged as one run's are: without the times of faults, with what was lost, and with
the recovery."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.scenario import Scenario
from core.scenario.units import Below
from planning.fleet.seen import seen
from planning.fleet.text import expectations
from planning.fleet.whole import Fleet, whole
from records.scenarios import read
from sim.simulate import simulate
from tests.model.synthetic import profile

ROOT = Path(__file__).parent.parent.parent


def _whole(asked: Scenario) -> Fleet:
    runs = [replace(asked, seed=seed) for seed in (1, 2, 3)]
    return whole(asked, 1, [seen(each, simulate(each, profile(), engine="compiled")) for each in runs])


@pytest.fixture(scope="module")
def asked() -> Scenario:
    """The headline scenario, with a fault and all kinds of expectations."""
    return read(ROOT / "scenarios" / "viral_post_small.yaml")


def test_every_expectation_is_told_by_its_name_and_judged_without_the_times_of_faults(asked: Scenario) -> None:
    fleet = _whole(asked)
    found = {first.name: (figure, said) for first, figure, said in expectations(fleet)}
    assert list(found) == [
        "feed.read p95, outside faults",
        "feed.read errors, outside faults",
        "like.add p95",
        "like.add lost",
        "recovers",
    ]
    figure, said = found["feed.read p95, outside faults"]
    assert said == "held"
    assert figure is not None
    alone = [each.verdicts[0].value for each in fleet.seen]
    assert figure.value == pytest.approx(sum(value for value in alone if value is not None) / 3)
    pooled = next(each for each in fleet.operations if each.name == "feed.read").quantiles[0.95]
    assert pooled is not None
    assert figure.value < pooled.value  # which has the times of the fault in it
    assert found["like.add lost"] == (None, "held in 3 of 3")
    assert found["recovers"] == (None, "held in 3 of 3")


def test_one_that_no_run_holds_is_missed(asked: Scenario) -> None:
    expected = replace(asked.expectations["feed.read"], p95=Below(value=0.001, unit="seconds"))
    found = expectations(_whole(replace(asked, expect={"feed.read": expected})))
    assert found[0][2] == "missed"
