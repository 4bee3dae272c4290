"""A session's arguments are all checked before anything is sent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from core.scenario import ScenarioError, parse
from loadtest import seeded
from loadtest.address import AddressError
from loadtest.seeded import NotSeededError
from loadtest.session import LoadSession, SessionError, open_session
from tests.loadtest.conftest import SCENARIO

HERE = "http://127.0.0.1:8080"


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Any]:
    """Arguments that are consistent."""
    scenario = parse(SCENARIO)
    summary = seeded.Summary(
        scenario=scenario.name, seed=scenario.seed, gateway=HERE, people=60, follows=360, photos=0, posts=0, stories=0,
        tokens_expire_unix=time.time() + 3_600.0, seconds={},
    )  # fmt: skip
    seeded.write(tmp_path / "seeded", summary=summary, people=[], posts=[], stories=[], photos=[])
    (tmp_path / "small.yaml").write_text(SCENARIO)
    return {
        "scenario_file": tmp_path / "small.yaml", "gateway": HERE, "media": HERE, "out": tmp_path / "out",
        "seeded_folder": tmp_path / "seeded",
    }  # fmt: skip


def opened(told: dict[str, Any], **changed: Any) -> LoadSession:
    return open_session(**(told | changed))


def test_arguments_that_fit_open(told: dict[str, Any]) -> None:
    assert str(opened(told).gateway) == "127.0.0.1:8080"


def test_a_world_of_another_scenario_is_refused(told: dict[str, Any]) -> None:
    told["scenario_file"].write_text(SCENARIO.replace("seed: 3", "seed: 4"))
    with pytest.raises(SessionError, match="was seeded with seed 3 and 60 people"):
        opened(told)


def test_a_folder_without_a_complete_seeding_is_refused(told: dict[str, Any]) -> None:
    (told["seeded_folder"] / seeded.SUMMARY_FILE).unlink()
    with pytest.raises(NotSeededError, match="no complete seeded data"):
        opened(told)


@pytest.mark.parametrize("field", ["gateway", "media"])
def test_load_for_another_machine_is_refused(told: dict[str, Any], field: str) -> None:
    with pytest.raises(AddressError, match="loopback"):
        opened(told, **{field: "http://198.51.100.1:80"})


def test_a_broken_scenario_is_refused_with_its_line(told: dict[str, Any]) -> None:
    told["scenario_file"].write_text(SCENARIO + "colour: red\n")
    with pytest.raises(ScenarioError, match=r"small\.yaml:\d+: colour"):
        opened(told)


@pytest.mark.parametrize("bound", [0, -1, 100_000])
def test_a_bound_that_is_none_is_refused(told: dict[str, Any], bound: int) -> None:
    with pytest.raises(SessionError, match="expected 1 to 4,096"):
        opened(told, inflight_max=bound)


def test_t0_is_where_the_caller_wants_it(told: dict[str, Any]) -> None:
    wanted = round(time.time() + 30.0, 3)
    assert opened(told).t0_unix_ns(wanted) == pytest.approx(wanted * 1e9, abs=1e3)


def test_without_a_t0_the_lead_time_is_kept(told: dict[str, Any]) -> None:
    session = opened(told)
    warm_up = session.scenario.traffic.warm_up_seconds
    before = time.time_ns()
    t0 = session.t0_unix_ns(None, lead_seconds=20.0)
    assert before <= t0 - (warm_up + 20.0) * 1e9 <= time.time_ns()


def test_a_t0_that_leaves_no_time_for_the_warm_up_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(SessionError, match="start sooner"):
        opened(told).t0_unix_ns(time.time() + 0.1)


def test_tokens_that_would_expire_before_the_end_are_refused(told: dict[str, Any]) -> None:
    path = told["seeded_folder"] / seeded.SUMMARY_FILE
    summary = seeded.read(told["seeded_folder"]).summary
    path.write_bytes(path.read_bytes().replace(str(summary.tokens_expire_unix).encode(), str(time.time() + 1).encode()))
    with pytest.raises(SessionError, match="seed again"):
        opened(told).t0_unix_ns(None)


SETTLED = """
import os, subprocess, sys
from loadtest.session import settle
settle((0,), urgent=True)
child = subprocess.run([sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"], stdout=subprocess.PIPE)
print(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, os.getpriority(os.PRIO_PROCESS, 0), int(child.stdout))
"""


def test_the_generator_is_not_kept_waiting_for_its_core_and_what_it_starts_is_as_all_others() -> None:
    done = subprocess.run([sys.executable, "-c", SETTLED], stdout=subprocess.PIPE, text=True, check=True)
    scheduler, niceness, inherited = map(int, done.stdout.split())
    assert inherited == os.SCHED_OTHER
    bounded = int(Path("/proc/sys/kernel/sched_rt_runtime_us").read_text()) >= 0
    if os.geteuid() == 0 and bounded:
        assert scheduler == os.SCHED_FIFO
    else:  # in a container the kernel may refuse; then it is no worse off than others
        assert scheduler == os.SCHED_OTHER
        assert niceness <= 0
