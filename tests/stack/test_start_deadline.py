"""A process that is slow to start is given up when it is idle, but not while it works."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stack import start_deadline
from stack.start_deadline import LOOK_SECONDS, READY_SECONDS, WORKING_SECONDS, StartDeadline


def _seconds_until_over(pid: int) -> float:
    deadline, now = StartDeadline(pid, began=100.0), 100.0
    while not deadline.is_over(now):
        now += 0.2
    return now - 100.0


def test_an_idle_process_is_given_up_after_the_first_limit() -> None:
    waiting = "print('ready', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", waiting], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdout.readline()
            while start_deadline.waits_for_the_machine(child.pid):
                pass  # on its way from the line that it printed to its input
            assert READY_SECONDS <= _seconds_until_over(child.pid) <= READY_SECONDS + LOOK_SECONDS + 1
        finally:
            child.stdin.close()


def test_a_process_that_works_has_longer_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    used = iter(range(1, 1000))
    monkeypatch.setattr(start_deadline, "cpu_seconds", lambda pid: float(next(used)))
    assert WORKING_SECONDS <= _seconds_until_over(1) <= WORKING_SECONDS + 1


def test_a_process_that_has_died_is_given_up_after_the_first_limit() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert READY_SECONDS <= _seconds_until_over(child.pid) <= READY_SECONDS + LOOK_SECONDS + 1
