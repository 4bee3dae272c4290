"""A program of ours that is run beside us: where it stands among others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab import child

PROGRAM = "import json, os; print(json.dumps({'nice': os.getpriority(os.PRIO_PROCESS, 0)}), flush=True)"


@pytest.mark.parametrize("nice", [0, -10])
def test_it_goes_before_others_where_that_is_asked_for_and_we_may(
    nice: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "told_nice.py").write_text(PROGRAM, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    ended = child.run("told_nice", [], log=tmp_path / "log", timeout_seconds=60.0, nice=nice)
    assert ended.exit_code == 0, ended.log.read_text()
    assert ended.last["nice"] == (nice if nice and os.geteuid() == 0 else usual)
