"""Automatic scheduling groups are off while a block runs, and are restored however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import niceness
from stack import autogroup, usage
from stack import launch as launch_module
from tests.children import WITH_US

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(
        os.geteuid() != 0 or not autogroup.SWITCH.exists(),
        reason="only root may switch them, where the kernel has them",
    ),
]


@pytest.fixture(autouse=True)
def _on() -> Iterator[None]:
    before = autogroup.SWITCH.read_text(encoding="ascii")
    autogroup.SWITCH.write_text("1", encoding="ascii")
    yield
    autogroup.SWITCH.write_text(before, encoding="ascii")


def test_what_is_started_in_the_block_is_in_no_group_and_the_switch_is_put_back() -> None:
    with autogroup.off():
        assert not autogroup.is_on()
        with autogroup.off():  # it was already off, so this one does not restore it
            pass
        assert not autogroup.is_on()
    assert autogroup.is_on()


def test_the_switch_is_put_back_when_the_caller_is_killed() -> None:
    program = (
        "import time; from stack import autogroup;"
        "block = autogroup.off(); block.__enter__(); print('in', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([*WITH_US, sys.executable, "-c", program], stdout=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        caller.stdout.readline()
        assert not autogroup.is_on()
        caller.send_signal(signal.SIGKILL)
        caller.wait()
    deadline = time.monotonic() + 5
    while not autogroup.is_on():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_nicer_process_gets_less_of_a_core_with_groups_too() -> None:
    core = min(os.sched_getaffinity(0))

    def loop(nicer: int) -> subprocess.Popen[bytes]:
        launch = {
            "argv": (sys.executable, "-I", "-S", "-c", "while True: pass"),
            "cwd": "/",
            "user": "",
            "cores": (core,),
            "data_bytes": 0,
            "idle": False,
            "niceness": nicer,
            "parent": os.getpid(),
        }
        argv = [sys.executable, "-I", "-S", launch_module.__file__, json.dumps(launch)]
        return subprocess.Popen(argv, start_new_session=True)

    with loop(0) as reader, loop(niceness.BACKGROUND) as nicer:
        both = (reader, nicer)
        try:
            deadline = time.monotonic() + 60
            while min(usage.cpu_seconds(each.pid) for each in both) < 0.1:  # both have begun
                assert time.monotonic() < deadline
                time.sleep(0.01)
            before = [usage.cpu_seconds(each.pid) for each in both]
            while usage.cpu_seconds(reader.pid) - before[0] < 1.0:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            used = [usage.cpu_seconds(each.pid) - then for each, then in zip(both, before, strict=True)]
        finally:
            for each in both:
                each.kill()
    # a third, by the kernel's weights
    assert 0.15 < used[1] / used[0] < 0.6


def test_a_machine_whose_switch_is_not_ours_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autogroup, "SWITCH", tmp_path / "none")
    with autogroup.off():
        assert not autogroup.is_on()
    assert not (tmp_path / "none").exists()
