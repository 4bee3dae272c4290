"""A breakpoint study: a boundary without admission and none with it, what is refused, and stopping."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import UserError
from core.profile import encode
from core.scenario import parse
from planning.breakpoint import arguments, scenes
from planning.breakpoint.record import record
from planning.breakpoint.scenes import Burst
from planning.breakpoint.study import Breakpoint, BreakpointRequest, make
from planning.simulations.results import RESULTS_FILE
from planning.simulations.runners import Inline
from planning.simulations.task import setup
from records.scenarios import read
from tests.model import synthetic
from tests.studies.conftest import ROOT, here, simulator, windtunnel
from tests.waiting import until

#: Feed reads at half of what one core can take; from PostgreSQL they cost it more than twice as much.
OFF = """\
scenario: small
seed: 5
population: {people: 50, follows: {mean: 5, maximum: 40}}
system: {admission: off, placement: {cores: {stack: [0], load: [1]}}, gateway: {limits: {feed.read: 1000/s per user}}}
traffic: {warm_up: 2s, rate: 180/s, mix: {feed.read: 100%}}
expect: {feed.read: {p95: < 300ms, errors: < 1%}}
"""
ON = OFF.replace("admission: off", "admission: on")
#: A search that takes a second.
QUICK = ("--length", "3s", "--up-to", "4", "--observe", "15s", "--replications", "1", "--resolution", "20%")


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Path]:
    """The scenario without admission and the profile, as files."""
    scenario, profile = tmp_path / "small.yaml", tmp_path / "profile.json"
    scenario.write_text(OFF, encoding="utf-8")
    profile.write_bytes(encode(synthetic.profile()))
    return scenario, profile


def found(text: str, folder: Path, *, replications: int = 1, **values: object) -> Breakpoint:
    request = BreakpointRequest(
        disturbances=(Burst(for_seconds=3.0, most=4.0),),
        resolution_ratio=0.2,
        observe_seconds=15.0,
        replications=replications,
    )
    scenario = parse(text)
    with simulator(folder, Inline(), setup(synthetic.profile(), scenario=scenario)) as simulates:
        return make(scenario, request, simulator=simulates)


def test_without_admission_there_is_a_boundary_and_a_load_to_which_it_must_fall(tmp_path: Path) -> None:
    study = found(OFF, tmp_path)
    (answer,) = study.answers
    assert study.carries
    assert answer.boundary.value is not None
    assert 2.0 < answer.boundary.value < 4.0
    tried = answer.trials.came_back(0)
    assert [back for _, back in sorted(tried.items())] == sorted(tried.values(), reverse=True)  # first all, then none
    assert answer.boundary.value <= 1.2 * max(amount for amount, back in tried.items() if back)
    assert 0.5 < answer.load < 1.0
    assert study.sentence.startswith("small does not come back from a burst of 3 s from ")
    assert "; to recover, the load must fall to " in study.sentence


def test_with_admission_it_comes_back_and_the_longest_time_is_told(tmp_path: Path) -> None:
    study = found(ON, tmp_path)
    (answer,) = study.answers
    assert answer.boundary.value is None
    assert not answer.falls.readings
    assert study.sentence == (
        f"small comes back by itself after {answer.slowest_seconds:.0f} s from every burst of 3 s up to 4×."
    )
    assert answer.slowest_seconds < 8.0


def test_a_scenario_beyond_its_knee_is_told_so_and_nothing_else_is_searched(tmp_path: Path) -> None:
    study = found(OFF.replace("rate: 180/s", "rate: 600/s"), tmp_path)
    assert not study.carries
    assert not study.answers
    assert study.sentence.startswith("small does not carry its normal load of 600/s: without any burst or fault")
    assert len((tmp_path / RESULTS_FILE).read_text(encoding="utf-8").splitlines()) == 1


def test_a_scenario_without_expectations_is_judged_by_its_normal_state(tmp_path: Path) -> None:
    study = found(OFF.partition("expect")[0], tmp_path)
    limit = study.scenario.expectations["feed.read"].p95
    assert limit is not None
    assert 0.0 < limit.value < 0.3
    assert not study.own_limits
    assert study.answers[0].boundary.value is not None


def test_the_record_has_every_trial_of_every_replication(tmp_path: Path) -> None:
    told = record(found(OFF, tmp_path, replications=2))
    (answer,) = told["answers"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert answer["boundary_low"] <= answer["boundary"] == answer["boundary_high"]  # of two, most are both
    assert len(answer["boundaries"]) == 2
    for each in answer["tried"]:
        assert len(each["replications"]) == len(each["back_seconds"])
    back = {each["amount"]: each["back_seconds"] for each in answer["tried"]}
    assert None not in back[min(back)]
    assert back[max(back)] == [None, None]


def test_the_command_prints_the_answer_writes_it_and_does_not_simulate_twice(
    written: tuple[Path, Path], tmp_path: Path
) -> None:
    scenario, profile = map(str, written)
    words = ("breakpoint", scenario, "--profile", profile, "--workers", "1", "--out", str(tmp_path / "out"), *QUICK)
    said = here(*words)
    assert "✗ small does not come back from a burst of 3 s from" in said
    assert "the load falls to" in said
    assert "1 replication, durations of synthetic" in " ".join(said.split())
    assert all(len(line) <= 80 or str(tmp_path) in line for line in said.splitlines())
    kept = (tmp_path / "out" / RESULTS_FILE).read_bytes()
    told = json.loads(here(*words, "--json"))
    assert (tmp_path / "out" / RESULTS_FILE).read_bytes() == kept
    assert told == json.loads((tmp_path / "out" / "breakpoint.json").read_text(encoding="utf-8"))
    assert told["sentence"] in " ".join(said.split())
    page = (tmp_path / "out" / "breakpoint.html").read_text(encoding="utf-8")
    assert "When the load falls" in page


def test_a_fault_is_bisected_by_its_length(written: tuple[Path, Path], tmp_path: Path) -> None:
    scenario, profile = written
    fault = "faults:\n  - {at: 10s, for: 8s, link: feed_redis, latency: 300ms}\n"
    scenario.write_text(OFF.replace("rate: 180/s", "rate: 280/s") + fault, encoding="utf-8")
    words = ("breakpoint", str(scenario), "--profile", str(profile), "--out", str(tmp_path / "out"), *QUICK)
    told = json.loads(here(*words, "--workers", "1", "--fault", "feed_redis", "--longest", "8s", "--json"))
    (answer,) = told["answers"]
    assert (answer["disturbance"], answer["unit"]) == ("feed_redis +300 ms", "seconds")
    assert answer["boundary"] is not None  # reads from PostgreSQL are more than this load leaves room for
    assert 0.0 < answer["boundary"] <= 8.0
    assert "does not come back from a feed_redis +300 ms from" in told["sentence"]


def test_a_stopped_study_keeps_what_it_found_and_resumes(written: tuple[Path, Path], tmp_path: Path) -> None:
    scenario, profile = written
    whole = ("breakpoint", scenario, "--profile", profile, "--workers", "1", *QUICK)
    out, results = tmp_path / "out", tmp_path / "out" / RESULTS_FILE
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *map(str, whole), "--replications", "30", "--out", str(out)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until(lambda: results.exists() and results.read_bytes().count(b"\n") >= 3, within_seconds=120.0)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.splitlines()[-1] == "stopped"
    kept = results.read_bytes()
    assert kept.endswith(b"\n")
    done = windtunnel(*whole, "--out", out)
    assert done.returncode == 0, done.stderr
    assert results.read_bytes().startswith(kept)


def wrong() -> Iterator[tuple[tuple[str, ...], str]]:
    yield ("--length", "10"), "--length 10: expected a duration with its unit"
    yield ("--length", "0s"), "--length 0s: expected more than 0s"
    yield ("--resolution", "5"), "--resolution 5: expected a percentage"
    yield ("--resolution", "0%"), "--resolution 0%: expected at least 0.1%"
    yield ("--observe", "2"), "--observe 2: expected a duration"
    yield ("--fault", "redis"), "--fault redis: expected the link or process of a fault: the scenario has no faults"
    yield ("--up-to", "1000", "--length", "10m"), "requests in one simulation, at most 250,000"


@pytest.mark.parametrize(("words", "message"), list(wrong()))
def test_a_wrong_argument_is_named(
    written: tuple[Path, Path], tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    scenario, profile = map(str, written)
    with pytest.raises(UserError, match=message.replace("+", r"\+")):
        here("breakpoint", scenario, "--profile", profile, "--workers", "1", "--out", str(tmp_path / "out"), *words)


def test_a_day_has_no_normal_load_and_a_kill_no_length() -> None:
    with pytest.raises(UserError, match="diurnal"):
        scenes.normal(parse(OFF.replace("warm_up: 2s", "warm_up: 2s, arrivals: diurnal")))
    killed = parse(OFF + "faults:\n  - {at: 10s, process: feed, action: kill}\n")
    with pytest.raises(UserError, match="has no length"):
        arguments.disturbances(killed, lengths="1s", up_to=2.0, fault="feed", longest="10s")


@pytest.mark.parametrize("admission", [True, False])
def test_the_shipped_scenarios_differ_in_admission_alone(admission: bool) -> None:
    name = f"admission_{'on' if admission else 'off'}"
    scenario = read(ROOT / "scenarios" / "breakpoint" / f"{name}.yaml")
    assert (scenario.name, scenario.system.admission) == (name, admission)
    assert scenes.has_limits(scenario)
