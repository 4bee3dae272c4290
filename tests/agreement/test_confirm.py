"""Confirming a breakpoint: which runs are made, what is said of them, and a whole one on the real stack."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click
import pytest

from core.errors import UserError
from core.profile import encode
from core.recovery import Recovery
from core.scenario import Scenario, parse
from lab import confirm
from lab.confirm import Confirmation, ConfirmedPair, MatchedRecovery
from planning.breakpoint.scenes import Burst
from planning.breakpoint.search import Boundary
from planning.breakpoint.study import Breakpoint, BreakpointRequest, DisturbanceAnswer, Trials
from planning.simulations.readings import BACK_AFTER, GOODPUT, Reading
from planning.simulations.simulator import StudySource
from tests.model import synthetic

ROOT = Path(__file__).parents[2]
SMALL = """\
scenario: small
seed: 5
population: {people: 20, follows: {mean: 3, maximum: 10}, photo: {width: 320, height: 240}}
system:
  placement: {cores: {stack: [0], load: [1]}}
  gateway: {limits: {auth.signup: 5000/h per ip}}
traffic: {warm_up: 1s, rate: 20/s, mix: {feed.read: 100%}}
expect: {feed.read: {p95: < 2s, errors: < 20%}}
"""
BURST = Burst(for_seconds=5.0, most=10.0)


def walked(boundary: float, *, void_at: float | None = None) -> list[float]:
    """The probes that are run if the real boundary is at this multiple of the predicted one."""
    seen: dict[float, bool | None] = {}
    while (probe := confirm.following(seen)) is not None:
        assert probe not in seen
        seen[probe] = None if probe == void_at else probe < boundary
    return list(seen)


@pytest.mark.parametrize(
    ("boundary", "probes"),
    [
        (1.1, [0.85, 1.15, 1.0]),
        (0.9, [0.85, 1.15, 1.0]),
        (1.2, [0.85, 1.15, 1.4]),
        (1.7, [0.85, 1.15, 1.4, 2.0]),
        (9.0, [0.85, 1.15, 1.4, 2.0]),
        (0.8, [0.85, 1.15, 0.7]),
        (0.6, [0.85, 1.15, 0.7, 0.5]),
        (0.1, [0.85, 1.15, 0.7, 0.5]),
    ],
)
def test_a_run_below_and_one_above_then_towards_what_contradicts(boundary: float, probes: list[float]) -> None:
    assert walked(boundary) == probes


def test_a_void_run_ends_the_search_and_so_does_a_contradiction_of_the_two() -> None:
    assert walked(1.0, void_at=0.85) == [0.85, 1.15]
    assert walked(1.0, void_at=1.0) == [0.85, 1.15, 1.0]
    assert confirm.following({0.85: False, 1.15: True}) is None


def answer(boundary: float | None) -> DisturbanceAnswer:
    return DisturbanceAnswer(disturbance=BURST, trials=Trials(), boundary=Boundary(edges=(boundary,)))


def reading(after: float | None) -> Reading:
    figures = {GOODPUT: 1.0 if after is not None else 0.2, "recovery.refused_ratio": 0.0}
    return Reading(figures=figures | ({} if after is None else {BACK_AFTER: after}), excesses={})


def study(found: DisturbanceAnswer) -> Breakpoint:
    return Breakpoint(
        scenario=parse(SMALL),
        request=BreakpointRequest(disturbances=(BURST,), resolution_ratio=0.05, observe_seconds=20.0, replications=1),
        own_limits=True,
        normal=(reading(0.0),),
        answers=(found,),
        source=StudySource(commit="", engine="", calibration=""),
    )


def confirmed(predicted: float | None, real: float, *, void: str = "", tries: int = 9) -> Confirmation:
    """A confirmation on a stack that does not come back from ``real`` on. Its first ``tries`` runs are ``void``."""
    found, seen_before = answer(predicted), list[Scenario]()

    def measure(scene: Scenario) -> ConfirmedPair:
        (phase,) = scene.traffic.phases
        seen_before.append(scene)
        after = 4.0 if phase.factor < real else None
        seen = Recovery(after_seconds=after, goodput_ratio=0.9, degraded_ratio=0.0, refused_ratio=0.1)
        return ConfirmedPair(
            folder=Path(f"run-{phase.factor:g}{'-again' * (seen_before.count(scene) - 1)}"),
            recovery=seen,
            void_reasons=(void,) if void and len(seen_before) <= tries else (),
            matched=MatchedRecovery(speed=0.82, recovery=replace(seen, after_seconds=7.0)),
        )

    readings: Mapping[float, tuple[Reading, ...]] = {
        amount: (reading(None if predicted is not None and amount >= predicted else 3.0),)
        for amount in confirm.amounts(found)
    }
    return confirm.confirm(study(found), found, readings, measure=measure)


def test_a_boundary_that_lies_between_the_two_runs_is_confirmed() -> None:
    found = confirmed(2.0, 2.1)
    assert (found.confirmed, found.exit_code) == (True, 0)
    assert [each.amount for each in found.runs] == [1.7, 2.3, 2.0]
    assert (found.low, found.high) == (2.0, 2.3)
    assert found.sentence == "the real stack comes back from 2× and not from 2.3×; predicted 2×, within 15 %"


@pytest.mark.parametrize(
    ("real", "sentence"),
    [
        (2.5, "the real stack comes back from 2.3× and not from 2.8×; predicted 2×"),
        (20.0, "the real stack comes back even from 4×; predicted 2×"),
        (1.5, "the real stack comes back from 1.41× and not from 1.7×; predicted 2×"),
        (1.1, "the real stack does not come back even from 1.41×; predicted 2×"),
    ],
)
def test_a_boundary_elsewhere_is_reported_with_what_was_measured(real: float, sentence: str) -> None:
    found = confirmed(2.0, real)
    assert (found.confirmed, found.exit_code, found.sentence) == (False, 99, sentence)
    assert len(found.runs) <= confirm.RUNS_MAX


def test_none_is_confirmed_by_one_run_of_the_highest_burst() -> None:
    found = confirmed(None, 99.0)
    assert (found.confirmed, [each.amount for each in found.runs]) == (True, [10.0])
    assert found.sentence == "the real stack comes back from a burst of 5 s of 10× after 4 s; predicted after 3 s"
    wrong = confirmed(None, 5.0)
    assert (wrong.confirmed, wrong.exit_code) == (False, 99)
    assert wrong.sentence == "the real stack does not come back from a burst of 5 s of 10×, the model does"


def test_void_runs_leave_it_open() -> None:
    found = confirmed(2.0, 2.1, void="the host stalled")
    assert (found.confirmed, found.exit_code) == (None, 4)
    assert found.sentence.startswith("not judged, because a run is void: 1.7×: the host stalled; 2.3×:")
    assert "VOID   run-1.7-again: the host stalled" in confirm.render(found)


def test_a_void_run_is_repeated_once() -> None:
    found = confirmed(2.0, 2.1, void="the host stalled", tries=1)
    assert (found.confirmed, [each.amount for each in found.runs]) == (True, [1.7, 2.3, 2.0])
    assert [each.void_before for each in found.runs] == [(Path("run-1.7"),), (), ()]
    assert "run-1.7-again repeats run-1.7, which is void" in " ".join(confirm.render(found).split())
    assert len(confirmed(2.0, 2.1, void="the host stalled").runs) == 2


def test_the_table_has_both_sides_and_marks_what_differs() -> None:
    lines = click.unstyle(confirm.render(confirmed(2.0, 2.5))).splitlines()
    assert lines[0] == "✗ the real stack comes back from 2.3× and not from 2.8×; predicted 2×."
    assert [line.split()[:2] for line in lines[3:6]] == [["✓", "1.7×"], ["✗", "2.3×"], ["✓", "2.8×"]]
    assert "after 3 s  after 4 s" in lines[3]
    assert all(len(line) <= 80 for line in lines)
    text = " ".join(" ".join(lines).split())
    assert (
        "SPEED 1.7×: at the CPU demand that the run had, 0.82 × the profile's, the model comes back after 7 s" in text
    )
    kept = confirm.record(confirmed(2.0, 2.5))
    assert [each["matched_back_seconds"] for each in kept["runs"]] == [7.0] * 3
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    assert [each["predicted_back"] for each in kept["runs"]] == [True, False, False]
    assert confirm.section(confirmed(2.0, 2.5)).tables[0].rows[1].cells[1:3] == ("no", "after 4 s")


def test_a_low_boundary_stays_a_burst_and_a_high_one_within_what_was_searched() -> None:
    assert min(confirm.amounts(answer(1.1))) > 1.0
    assert max(confirm.amounts(answer(9.0))) == BURST.most


def test_what_the_load_generator_cannot_send_is_refused_with_its_limit() -> None:
    fast = parse(SMALL.replace("rate: 20/s", "rate: 600/s"))
    confirm.check(fast, Burst(for_seconds=2.0, most=6.0), 6.0, observe_seconds=5.0)
    expected = (
        r"cannot send a burst of 2 s of 10×: .* one process sends at most 5,000; at 600/s it sends less than 8.33×"
    )
    with pytest.raises(UserError, match=expected):
        confirm.check(fast, Burst(for_seconds=2.0, most=10.0), 10.0, observe_seconds=5.0)


@pytest.mark.alone
def test_a_small_burst_is_confirmed_on_the_real_stack(tmp_path: Path, data_folder: Path) -> None:
    scenario, profile, out = tmp_path / "small.yaml", tmp_path / "profile.json", tmp_path / "out"
    scenario.write_text(SMALL, encoding="utf-8")
    profile.write_bytes(encode(synthetic.profile()))
    words = ["breakpoint", scenario, "--profile", profile, "--out", out, "--runs", tmp_path / "runs"]
    words += ["--data", data_folder / "confirm", "--length", "1s", "--up-to", "2", "--observe", "5s"]
    words += ["--replications", "1", "--workers", "1", "--confirm", "--json"]
    said = subprocess.run(
        [sys.executable, "-m", "cli", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert said.stdout, said.stderr
    kept = json.loads(said.stdout)
    assert kept == json.loads((out / "breakpoint.json").read_text(encoding="utf-8"))
    assert "confirm: one run on the real stack, about" in said.stderr
    confirmation = kept["confirmation"]
    (only,) = confirmation["runs"]
    assert only["amount"] == 2.0
    assert (Path(only["run"]) / "measured" / "run.json").exists()
    assert "On the real stack" in (out / "breakpoint.html").read_text(encoding="utf-8")
    if only["void_reasons"]:  # a machine that took the time away: the verdict says so
        assert (said.returncode, confirmation["confirmed"]) == (4, None)
    else:
        assert (said.returncode, confirmation["confirmed"]) == (0, True), said.stderr
        assert only["measured_back_seconds"] <= 5.0
        assert only["measured_goodput_ratio"] > 0.8
