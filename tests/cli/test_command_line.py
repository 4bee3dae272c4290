"""The command line as users see it: help, one readable error each, exit codes, and repeatable simulations."""

from __future__ import annotations

import filecmp
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.profile import encode
from tests.model import synthetic

ROOT = Path(__file__).parents[2]
SMALL = """\
scenario: small
population: {people: 50, follows: {mean: 5, maximum: 20}}
system: {fanout: {threshold: 15}}
traffic: {warm_up: 1s, duration: 6s, rate: 20/s}
faults:
  - {at: 2s, for: 2s, link: feed_redis, latency: 300ms, jitter: 100ms}
"""


def windtunnel(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *words], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.mark.timeout(900)  # a process for every command
def test_help_lists_every_command_and_each_of_them_explains_itself() -> None:
    from cli.main import COMMANDS

    said = windtunnel("--help")
    assert said.returncode == 0
    for name in COMMANDS:
        assert f"  {name} " in said.stdout
        assert "Usage: windtunnel" in windtunnel(name, "--help").stdout


def test_a_mistyped_command_suggests_the_right_one() -> None:
    said = windtunnel("simulat")
    assert said.returncode == 2
    assert "Did you mean simulate?" in said.stderr


def test_the_engine_that_was_removed_is_refused_with_what_to_take_instead(small: Path) -> None:
    for command in ("simulate", "sweep"):
        said = windtunnel(command, str(small), "--engine", "feedforward")
        assert said.returncode == 2
        assert "the feed-forward engine was removed" in said.stderr
        assert "auto and compiled give the same figures" in said.stderr


def test_a_wrong_field_is_one_error_with_file_line_field_and_what_was_expected(small: Path) -> None:
    small.write_text(SMALL.replace("rate: 20/s", "rate: fast"), encoding="utf-8")
    for words in (("run",), ("simulate",), ("explain",), ("up",), ("drill",), ("measure",)):
        said = windtunnel(*words, str(small))
        assert said.returncode == 2, said.stderr
        assert f"{small}:4: traffic.rate: found 'fast'; expected a rate" in said.stderr
        assert "Traceback" not in said.stderr
        assert said.stdout == ""


def test_what_only_the_model_can_do_is_refused_by_what_starts_the_stack(small: Path, profile: Path) -> None:
    small.write_text(SMALL.replace("system: {", "system: {redis: {nodes: 3, hot: 50/s}, "), encoding="utf-8")
    asks = "3 nodes of redis (system.redis.nodes) and counters that are split when they are hot (system.redis.hot)"
    for words in (("run",), ("up",), ("drill",), ("measure",), ("calibrate",)):
        said = windtunnel(*words, str(small))
        assert said.returncode == 2, said.stderr
        assert f"{small} asks for {asks}, which the stack cannot start yet; the model can" in said.stderr
        assert len(said.stderr.splitlines()) == 1
        assert said.stdout == ""
    out = str(small.parent / "run")
    assert windtunnel("simulate", str(small), "--profile", str(profile), "--out", out).returncode == 0


def test_a_field_without_effect_is_named_once_by_every_command_with_what_to_do(small: Path, profile: Path) -> None:
    system = "system: {redis: {hot_keys: 7}, feed: {deadlines: {recommended: 60ms, ads: 30ms}}, "
    small.write_text(SMALL.replace("system: {", system), encoding="utf-8")
    notes = [
        f"note: {small}:3: system.{field} has no effect, leave it out: {why}"
        for field, why in (
            ("feed.deadlines.recommended", "recommendations are read from memory: nothing waits for them"),
            ("feed.deadlines.ads", "ads are read from memory: nothing waits for them"),
            ("redis.hot_keys", "counters are split on a cluster only (system.redis.nodes)"),
        )
    ]
    model = ("--profile", str(profile))
    for words, code in (
        (("simulate", *model, "--out", str(small.parent / "run")), 0),
        (("explain",), 0),
        (("run", *model), 2),  # refused by the stack
        (("drill", "--dry-run"), 2),
        (("measure",), 2),
    ):
        said = windtunnel(words[0], str(small), *words[1:])
        assert said.returncode == code, said.stderr
        assert [line for line in said.stderr.splitlines() if line in notes] == notes
        assert ("counters of several keys (system.redis.hot_keys)" in said.stderr) == (code == 2)


def test_what_one_side_refuses_the_other_refuses_in_the_same_words_before_anything_is_started(
    small: Path, profile: Path
) -> None:
    fault = "{at: 2s, for: 2s, link: stories_kafka, down: true}"
    small.write_text(re.sub(r"\{at: .*\}", fault, SMALL), encoding="utf-8")
    for words in (("simulate",), ("run",), ("drill",), ("measure",)):
        told = windtunnel(*words, str(small), *(() if words == ("measure",) else ("--profile", str(profile))))
        assert told.returncode == 2, words
        assert "faults[0].link: found stories_kafka, which no operation of this traffic crosses" in told.stderr, words
        assert told.stderr.count("\n") <= 2, words


def test_an_operation_that_nobody_measured_is_refused_by_name_unless_the_scenario_states_it(
    small: Path, profile: Path
) -> None:
    profile.write_bytes(encode(synthetic.profile(without=("comment.add",))))
    asked = SMALL.replace("rate: 20/s", "rate: 20/s, mix: {feed.read: 90%, comment.add: 10%}")
    small.write_text(asked, encoding="utf-8")
    for words in (("simulate",), ("run",), ("drill",), ("sweep", "--set", "traffic.rate=5/s..6/s:2")):
        told = windtunnel(words[0], str(small), *words[1:], "--profile", str(profile))
        assert told.returncode == 2, words
        assert "the profile synthetic has no measured demand for comment.add: measure it with" in told.stderr, words
        assert "`windtunnel calibrate`, or state its CPU under demand.cpu" in told.stderr, words
        assert "Traceback" not in told.stderr, words
    stated = "demand: {daily_users: 300, per_day: {comment.add: 100}, cpu: {comment.add: 2ms}}\n"
    small.write_text(asked + stated, encoding="utf-8")
    out = str(small.parent / "run")
    told = windtunnel("simulate", str(small), "--profile", str(profile), "--out", out)
    assert told.returncode == 0, told.stderr


def test_traffic_that_the_load_generator_cannot_send_is_refused_before_the_stack_is_started(
    small: Path, profile: Path
) -> None:
    small.write_text(SMALL.replace("duration: 6s", "duration: 3h"), encoding="utf-8")
    for words in (("run",), ("measure",)):
        told = windtunnel(*words, str(small), *(() if words == ("measure",) else ("--profile", str(profile))))
        assert told.returncode == 2, words
        assert "the load generator cannot send this traffic" in told.stderr, words
        assert f"windtunnel simulate {small}" in told.stderr, words


def test_a_missing_file_is_reported() -> None:
    said = windtunnel("run", "/nowhere/at_all.yaml")
    assert said.returncode == 2
    assert "No such file" in said.stderr
    assert "Traceback" not in said.stderr


def test_the_scenario_of_a_stack_that_is_started_without_one_is_there() -> None:
    from cli.up import DEFAULT_SCENARIO

    assert windtunnel("explain", str(DEFAULT_SCENARIO)).returncode == 0


def test_explain_prints_a_scenario_that_means_the_same(small: Path) -> None:
    from core.scenario import parse
    from records.scenarios import read

    assert parse(windtunnel("explain", str(small)).stdout) == read(small)


def test_two_simulations_with_one_seed_are_identical_byte_for_byte_but_for_times_of_writing(
    small: Path, profile: Path, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        said = windtunnel("simulate", str(small), "--profile", str(profile), "--out", str(tmp_path / name))
        assert said.returncode == 0, said.stderr
    first, second = tmp_path / "first", tmp_path / "second"
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    assert "samples.parquet" in names
    same = [name for name in names if name != "run.json"]
    assert filecmp.cmpfiles(first, second, same, shallow=False)[0] == same
    records = [json.loads((folder / "run.json").read_text(encoding="utf-8")) for folder in (first, second)]
    for record in records:
        record.pop("written")
    assert records[0] == records[1]


def test_another_seed_is_another_run(small: Path, profile: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        small.write_text(f"seed: {seed}\n{SMALL}", encoding="utf-8")
        windtunnel("simulate", str(small), "--profile", str(profile), "--out", str(tmp_path / str(seed)))
    assert not filecmp.cmp(tmp_path / "1" / "samples.parquet", tmp_path / "2" / "samples.parquet", shallow=False)


def test_a_run_is_never_overwritten_unless_asked(small: Path, profile: Path, tmp_path: Path) -> None:
    words = ("simulate", str(small), "--profile", str(profile), "--out", str(tmp_path / "run"))
    assert windtunnel(*words).returncode == 0
    again = windtunnel(*words)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert windtunnel(*words, "--force").returncode == 0


def test_a_broken_profile_says_how_to_make_a_new_one(small: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}", encoding="utf-8")
    said = windtunnel("simulate", str(small), "--profile", str(broken), "--out", str(tmp_path / "run"))
    assert said.returncode == 2
    assert "windtunnel calibrate" in said.stderr
    assert not (tmp_path / "run").exists()


def test_status_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    said = windtunnel("status", "--data", str(tmp_path / "none"))
    assert said.returncode == 2
    assert "windtunnel up" in said.stderr


def test_a_drill_can_be_read_without_doing_it() -> None:
    said = windtunnel("drill", "--dry-run", "scenarios/drills/redis_slow.yaml")
    assert said.returncode == 0, said.stderr
    for word in ("HYPOTHESIS", "METHOD", "ABORT", "ROLLBACK"):
        assert word in said.stdout
