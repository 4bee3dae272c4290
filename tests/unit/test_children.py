"""Processes that tests start do not outlive them."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from lab import child as programs
from tests.children import WITH_US

_PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(300)
"""


def test_a_child_ends_with_a_parent_that_is_killed() -> None:
    words = [*WITH_US, sys.executable, "-c", _PARENT, *WITH_US, "sh", "-c", "echo up; exec sleep 300"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([child], [], [], 60.0)[0] == [child]
    finally:
        os.close(child)


def test_a_program_of_ours_runs_to_its_end(tmp_path: Path) -> None:
    ended = programs.run("json.tool", ["--help"], log=tmp_path / "log", timeout_seconds=60.0)
    assert ended.exit_code == 0, programs.last_lines(ended.log)
