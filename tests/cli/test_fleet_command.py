"""`windtunnel simulate` of fleets and replications: what it prints, writes and refuses, and how it stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from cli.main import windtunnel as group
from core.errors import UserError
from core.scenario import parse
from dashboards import data
from lab.compare import compare
from records import run
from tests.cli.test_command_line import ROOT
from tests.waiting import SECONDS_MAX

FLEET = """\
scenario: tiny_fleet
seed: 5
population: {people: 400, follows: {mean: 5, maximum: 60}}
system: {cells: 4, fanout: {threshold: 15}}
traffic: {warm_up: 1s, duration: 3s, rate: 240/s, mix: {feed.read: 70%, like.add: 20%, image.read: 10%}}
expect: {feed.read: {p95: < 200ms}}
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A fleet of four cells with a hundred people each."""
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET, encoding="utf-8")
    return path


def _windtunnel(*words: str | Path) -> str:
    """Run the command line in this process, which is faster; returns its stdout. Raises UserError."""
    done = CliRunner().invoke(group, [*map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _simulate(scenario: Path, profile: Path, out: Path, *words: str) -> str:
    return _windtunnel("simulate", scenario, "--profile", profile, "--out", out, *words)


def test_a_fleet_is_printed_with_its_intervals_and_its_first_cell_is_a_run(
    fleet: Path, profile: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pair" / "simulated"
    said = _simulate(fleet, profile, out, "--replications", "3", "--engine", "simpy", "--check-cells", "--workers", "1")
    assert "3 of 4 cells" in said
    row = next(line for line in said.splitlines() if line.startswith("feed.read  "))
    assert row.count("±") == 3  # of its rate, p50 and p95; a p99 needs more requests
    assert "✓ feed.read p95" in said
    assert "SPLIT  cells twice as large, 3 pairs under common seeds, move feed.read p50" in said
    assert all(len(line) <= 80 for line in said.splitlines() if str(tmp_path) not in line)

    told = json.loads((out / "fleet.json").read_text(encoding="utf-8"))
    assert (told["cells"], told["simulated"], told["engine"]) == (4, 3, "simpy")
    cell = run.read(out)
    assert cell.record.engine == "simpy"
    assert cell.scenario.system.cells == 1
    assert cell.scenario.population.people == 100
    assert cell.record.seed == parse(FLEET).seed == told["seeds"][0]
    assert compare(out.parent).simulated.present
    asked = next(each for each in told["operations"] if each["operation"] == "feed.read")
    assert asked["per_second"]["value"] == pytest.approx(0.7 * 240, rel=0.1)
    assert asked["per_second"]["low"] < asked["per_second"]["value"] < asked["per_second"]["high"]


def test_replications_of_one_system_are_the_same_whatever_the_workers(
    fleet: Path, profile: Path, tmp_path: Path
) -> None:
    fleet.write_text(FLEET.replace("cells: 4, ", "").replace("240/s", "60/s"), encoding="utf-8")
    words = ("--replications", "3", "--engine", "simpy", "--json")
    one, two = (
        json.loads(_simulate(fleet, profile, tmp_path / workers, *words, "--workers", workers))
        for workers in ("1", "2")
    )
    for told in (one, two):
        del told["wall_seconds"]
    assert one == two
    assert (one["cells"], one["simulated"]) == (1, 3)


def test_without_these_options_there_is_one_run_and_it_says_which_engine_made_it(
    fleet: Path, profile: Path, tmp_path: Path
) -> None:
    fleet.write_text(FLEET.replace("cells: 4, ", "").replace("240/s", "60/s"), encoding="utf-8")
    for engine in ("simpy", "compiled"):
        _simulate(fleet, profile, tmp_path / engine, "--engine", engine)
        assert run.read_record(tmp_path / engine).engine == engine
        assert not (tmp_path / engine / "fleet.json").exists()


def test_what_only_the_model_can_do_and_what_it_cannot_is_refused_in_one_line(
    fleet: Path, profile: Path, tmp_path: Path
) -> None:
    for command in ("run", "measure", "up"):
        with pytest.raises(
            UserError, match=r"4 cells \(system\.cells\), which the stack cannot start yet; the model can"
        ) as refused:
            _windtunnel(command, fleet)
        assert "\n" not in str(refused.value)
    words = ("--set", "system.fanout.threshold=5,15", "--workers", "1", "--engine", "simpy")
    with pytest.raises(UserError, match="a fleet of 4 cells, which `windtunnel simulate` takes apart"):
        _windtunnel("sweep", fleet, "--profile", profile, "--out", tmp_path / "sweep", *words)
    fleet.write_text(FLEET.replace("cells: 4, ", "").replace("people: 400", "people: 2_000_000_000"), encoding="utf-8")
    with pytest.raises(UserError, match=r"split them with `system: {cells: 2000}`"):
        _simulate(fleet, profile, tmp_path / "large")
    fleet.write_text(FLEET.replace("cells: 4, ", ""), encoding="utf-8")
    with pytest.raises(UserError, match="nothing to split"):
        _simulate(fleet, profile, tmp_path / "one", "--check-cells", "--replications", "2", "--engine", "simpy")


@pytest.mark.parametrize("started", [1, 2, 3])  # Python's own helper, one worker, or both
def test_ctrl_c_ends_a_fleet_and_leaves_no_process(fleet: Path, profile: Path, tmp_path: Path, started: int) -> None:
    fleet.write_text(FLEET.replace("duration: 3s", "duration: 300s"), encoding="utf-8")
    words = [sys.executable, "-m", "cli", "simulate", str(fleet), "--profile", str(profile), "--engine", "simpy"]
    words += ["--out", str(tmp_path / "out"), "--workers", "2"]
    child = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline, mine = time.monotonic() + SECONDS_MAX, list[psutil.Process]()
        while len(mine) < started and time.monotonic() < deadline:
            time.sleep(0.005)
            mine = psutil.Process(child.pid).children(recursive=True)
        os.kill(child.pid, signal.SIGINT)
        said = child.communicate(timeout=SECONDS_MAX)
    finally:
        child.kill()
    assert child.returncode == 130, said
    assert len(mine) >= started
    assert not psutil.wait_procs(mine, timeout=10)[1]
    assert "Traceback" not in said[1]


def test_a_simulation_in_the_usual_folder_is_judged_for_the_dashboard(
    profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = tmp_path / "one.yaml"
    scenario.write_text(FLEET.replace("cells: 4, ", "").replace("duration: 3s", "duration: 12s"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    _windtunnel("simulate", scenario, "--profile", profile, "--engine", "simpy")
    (entry,) = data.entries(tmp_path / "runs")
    assert entry.word == "held, only simulated"
    assert entry.comparison is not None
    assert " held by the simulation" in entry.comparison.sentence


def test_a_run_is_replaced_by_a_complete_one_only_and_what_else_lies_there_stays(
    profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, out = tmp_path / "one.yaml", tmp_path / "out"
    scenario.write_text(FLEET.replace("cells: 4, ", ""), encoding="utf-8")
    words = ("simulate", scenario, "--profile", profile, "--engine", "simpy", "--out", out)
    _windtunnel(*words)
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    before = (out / "run.json").read_bytes()

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("planning.simulations.one.simulate_model", stopped)
        interrupted = CliRunner().invoke(group, [*map(str, words), "--force"])
    assert interrupted.exit_code == 1  # in this process; the command line says 130
    assert (out / "run.json").read_bytes() == before
    said = _windtunnel(*words, "--force")
    assert said.rstrip().endswith(f"run     {out}")
    assert (out / "run.json").read_bytes() != before
    assert (out / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []
    (out / "results.jsonl").touch()
    with pytest.raises(UserError, match="holds a study"):
        _windtunnel(*words, "--force")
