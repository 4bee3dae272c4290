"""Kills during a measurement: a killed server leads to a verdict, a killed runner leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core import traffic
from core.names import Outcome
from loadtest import spool
from records import alive, folders, run
from stack import autogroup, control, guard, state
from stack.failure import StackFailure
from tests.children import WITH_US
from tests.waiting import until

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
SCENARIO = """\
scenario: small_kill
seed: 3
population:
  people: 12
  follows: {mean: 3, maximum: 8}
  posters: 50%
  posts_per_poster: 1
  photo: {width: 320, height: 240}
system: {fanout: {threshold: 6}}
traffic:
  warm_up: 1s
  duration: 12s
  rate: 10/s
  mix: {feed.read: 80%, like.add: 20%}
faults:
  - {at: 1s, for: 9s, link: feed_redis, latency: 300ms, jitter: 100ms}
"""
START_SECONDS_MAX = 120.0
#: Five on an idle machine; on a busy one the supervisor takes longer.
GONE_SECONDS_MAX = 40.0


@pytest.fixture
def measuring(data_folder: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path, Path]]:
    scenario, data, out = tmp_path / "small.yaml", data_folder / f"kill-{os.urandom(3).hex()}", tmp_path / "run"
    scenario.write_text(SCENARIO, encoding="utf-8")
    words = [*WITH_US, sys.executable, "-m", "cli", "measure", str(scenario)]
    words += ["--data", str(data), "--out", str(out)]
    child = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield child, data, out
    finally:
        child.kill()
        child.communicate()


def _acting(out: Path, child: subprocess.Popen[str]) -> bool:
    """Whether the traffic runs and its fault acts."""
    assert child.poll() is None, child.communicate()
    try:
        lines = (out / "work" / "load" / spool.FILE).read_bytes().splitlines()[1:]
        return any(row[5] > 2.0 for line in lines[-3:] for row in json.loads(line)["rows"])
    except (OSError, ValueError):
        return False


def _stack(data: Path, child: subprocess.Popen[str]) -> control.RunningStack:
    """The stack under measurement; fails with the runner's output when there is none any more."""
    try:
        return control.read(data)
    except StackFailure:
        told, errors = child.communicate(timeout=90)
        pytest.fail(f"the run was over too early, exit {child.returncode}:\n{told}\n{errors}")


def _everybody(data: Path, child: subprocess.Popen[str]) -> list[tuple[int, int]]:
    running = _stack(data, child)
    roots = [*running.processes.values(), running.state.supervisor_pid, running.state.guard_pid]
    return [(pid, alive.ticks_of(pid)) for root in roots for pid in guard.family(root)]


def _command(pid: int) -> bytes:
    """Its command line, to name it in a failure; a short-lived child may be gone already."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")[:120]
    except (FileNotFoundError, ProcessLookupError):
        return b"(gone)"


def test_a_service_killed_during_a_run_makes_it_void_and_is_named(
    measuring: tuple[subprocess.Popen[str], Path, Path],
) -> None:
    child, data, out = measuring
    may_switch = os.access(autogroup.SWITCH, os.W_OK) or not autogroup.SWITCH.exists()
    until(lambda: _acting(out, child), "the traffic flows", within_seconds=START_SECONDS_MAX)
    os.kill(_stack(data, child).processes["feed"], signal.SIGKILL)
    told, errors = child.communicate(timeout=90)
    assert child.returncode == 4, f"{told}\n{errors}"
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["validity"]["void"]
    assert any("feed died" in reason for reason in record["validity"]["reasons"])
    assert "feed died" in told
    assert "Traceback" not in errors
    # as it was while measuring: when the record is written, the stack has stopped and the setting is restored
    assert record["placement"]["autogroup"] == ("off" if may_switch else "on")


def test_a_runner_killed_during_a_run_leaves_no_process_behind(
    measuring: tuple[subprocess.Popen[str], Path, Path],
) -> None:
    child, data, out = measuring
    until(lambda: _acting(out, child), "the traffic flows", within_seconds=START_SECONDS_MAX)
    everybody = [*_everybody(data, child), *((pid, alive.ticks_of(pid)) for pid in guard.family(child.pid))]
    assert len(everybody) > 15  # the stack with its Toxiproxy, the generator, the warden, the idle loop
    names = {pid: _command(pid) for pid, _ in everybody}
    child.kill()
    child.wait()

    def left() -> list[bytes]:
        return [names[pid] for pid, ticks in everybody if alive.is_alive(pid, ticks)]

    deadline = time.monotonic() + GONE_SECONDS_MAX
    while left() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left() == []


def test_of_a_stack_that_hangs_for_good_the_run_is_written_with_all_its_samples(
    measuring: tuple[subprocess.Popen[str], Path, Path],
) -> None:
    child, data, out = measuring
    until(lambda: _acting(out, child), "the traffic flows", within_seconds=START_SECONDS_MAX)
    running = _stack(data, child)
    frozen = (running.state.supervisor_pid, running.processes["gateway"])
    for pid in frozen:  # the supervisor first: it would restart the gateway
        os.kill(pid, signal.SIGSTOP)
    told, errors = child.communicate(timeout=180)
    assert child.returncode == 4, f"{told}\n{errors}"
    found = run.read(out)
    assert found.record.validity.void
    assert any("could not be checked" in reason for reason in found.record.validity.reasons)
    scheduled = len(traffic.draw_schedule(found.scenario))
    assert found.record.validity.sent_count == scheduled
    assert len(np.unique(found.samples.request)) == scheduled  # those that met the hang too
    assert Outcome.TIMEOUT.value in found.samples.outcome
    assert not (out / "work").exists()
    assert "Traceback" not in errors
    until(lambda: not any(_is_there(pid) for pid in frozen), "what was frozen is gone", within_seconds=GONE_SECONDS_MAX)


def test_an_interrupted_run_keeps_what_was_seen_as_void_and_leaves_no_work_folder(
    measuring: tuple[subprocess.Popen[str], Path, Path],
) -> None:
    child, _, out = measuring
    until(lambda: _acting(out, child), "the traffic flows", within_seconds=START_SECONDS_MAX)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=90)
    assert child.returncode == 130, errors
    assert errors.rstrip().endswith("stopped")
    found = run.read(out)
    assert "the run was interrupted" in found.record.validity.reasons
    assert len(found.samples) > 0
    assert sorted(each.name for each in out.iterdir() if each.is_dir() or each.name == folders.MARK) == []


def _is_there(pid: int) -> bool:
    return alive.ticks_of(pid) > 0


def test_a_runner_interrupted_before_there_is_a_run_leaves_neither_run_nor_data(
    measuring: tuple[subprocess.Popen[str], Path, Path],
) -> None:
    child, data, out = measuring
    until(lambda: (data / state.FILE).exists(), "the stack is being started", within_seconds=START_SECONDS_MAX)
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGINT)  # a second Ctrl-C
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert not out.exists()
    assert not data.exists()
