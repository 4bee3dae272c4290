"""A prediction at this machine's speed: the fixed work scales the profile's demand, and every output says so."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec
import pytest

from core.fixed_work import VERSION, FixedWork, scaled, speed_ahead
from core.names import Origin
from core.profile import Profile
from core.scenario import parse
from lab import fixed_work, pair, report, speeds
from lab.compare import compare
from lab.terminal import render
from planning.simulations.one import simulate
from present.tables import WIDTH
from records import run
from records.profiles import Chosen
from tests.agreement import synthetic
from tests.model import small
from tests.model.synthetic import profile

#: No machine takes this long: a real one's factor is far below 1.
SLOW = FixedWork(
    version=VERSION,
    cpu_seconds=dict.fromkeys(("json", "calls", "system_calls", "memory"), 1.0),
    scatter_ratio=0.02,
    round_count=140,
)
HERE = scaled(SLOW, 0.002)


def _predicted(folder: Path, with_profile: Profile) -> run.Run:
    text = small.text(duration="3s")
    pair.predict(parse(text), text, folder, chosen=Chosen(profile=with_profile, path=Path("p.json"), own=False))
    return run.read(folder)


def _cpu(found: run.Run) -> float:
    return float(found.usage.column("cpu_seconds").to_numpy().sum())


def test_a_prediction_is_simulated_with_the_demand_of_this_machine(tmp_path: Path) -> None:
    calibrated = msgspec.structs.replace(profile(), fixed_work=SLOW)
    found = _predicted(tmp_path / "scaled", calibrated)
    ahead = found.record.speed_ahead
    assert ahead is not None
    assert ahead.calibrated == SLOW
    assert ahead.speed == found.record.speed == pytest.approx(ahead.here.whole_seconds / 4.0, rel=1e-3)
    assert 0 < found.record.speed < 0.5
    assert "so CPU demand was scaled by" in ahead.sentence
    # the same bytes as a simulation that is given this factor
    text = small.text(duration="3s")
    simulate(parse(text), text, calibrated, tmp_path / "given", speed=found.record.speed)
    assert found.samples.latency_seconds.tolist() == run.read(tmp_path / "given").samples.latency_seconds.tolist()
    simulate(parse(text), text, calibrated, tmp_path / "calibrated")
    assert _cpu(found) < 0.5 * _cpu(run.read(tmp_path / "calibrated"))


def test_a_profile_without_the_fixed_work_is_not_scaled_and_that_is_said(tmp_path: Path) -> None:
    found = _predicted(tmp_path / "run", profile())
    assert found.record.speed == 1.0
    assert found.record.speed_ahead is not None
    assert found.record.speed_ahead.sentence.startswith("the profile has no time of the fixed work")
    assert found.record.speed_ahead.here.round_count == fixed_work.ROUNDS


def test_every_output_says_what_was_scaled_and_what_the_run_then_used(tmp_path: Path) -> None:
    folder = tmp_path / "20261201-080000"
    ahead = speed_ahead(scaled(SLOW, 0.5), SLOW)
    # the model uses half of the profile's CPU, and the measured run 1.1 × as much as the model
    synthetic.write_side(folder, Origin.SIMULATED, speed=ahead.speed, speed_ahead=ahead)
    synthetic.write_side(folder, Origin.MEASURED, cpu_factor=1.1)
    comparison = compare(folder)
    assert comparison.simulated.speed_ahead == ahead
    assert comparison.speed is not None
    assert comparison.speed.ratio == pytest.approx(0.55)  # of the profile as it was calibrated
    before, after = speeds.sentences(comparison)
    assert before == ahead.sentence
    assert "used 0.55 × the CPU that the profile has for its requests" in after
    assert after.endswith(", 1.10 × what was predicted")

    shown = click.unstyle(render(comparison))
    assert max(len(line) for line in shown.splitlines()) <= WIDTH
    assert " ".join(before.split()) in " ".join(shown.split())
    report.write(folder)
    page = (folder / "report.md").read_text(encoding="utf-8")
    assert f"{before[:1].upper()}{before[1:]}." in page
    kept = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert kept["simulated"]["speed_ahead"]["sentence"] == before
    assert kept["simulated"]["speed_ahead"]["here"]["cpu_seconds"]["json"] == pytest.approx(0.5)


def test_a_run_of_before_the_fixed_work_says_only_what_it_used(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair")
    (said,) = speeds.sentences(compare(tmp_path / "pair"))
    assert said.startswith("outside of faults this run used 1.10 × the CPU that the profile has for its requests")
    assert "predicted" not in said
