"""A folder under runs/ is marked while a run writes to it, and is removed when the run fails."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.names import Origin
from records import alive, folders
from tests.agreement import synthetic


def test_a_folder_is_marked_for_as_long_as_its_run_is_made(tmp_path: Path) -> None:
    with folders.making(tmp_path / "pair") as folder:
        assert folders.is_running(folder)
        synthetic.write_side(folder, Origin.SIMULATED)
    assert not folders.is_running(folder)
    assert [each.name for each in folder.iterdir()] == ["simulated"]


def test_the_mark_of_a_dead_process_is_not_a_running_run(tmp_path: Path) -> None:
    ticks = alive.ticks_of(os.getpid())
    (tmp_path / folders.MARK).write_text(json.dumps({"pid": os.getpid(), "ticks": ticks + 1}))
    assert not folders.is_running(tmp_path)
    (tmp_path / folders.MARK).write_text("{")
    assert not folders.is_running(tmp_path)


def _fails(folder: Path, error: type[BaseException], *, worth: str = "", simulated: bool = False) -> None:
    """What a command does when its measured side fails."""
    with folders.making(folder, worth=worth):
        if simulated:
            synthetic.write_side(folder, Origin.SIMULATED)
        (folder / "measured" / "work").mkdir(parents=True)
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_run_that_came_to_nothing_leaves_no_folder(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        _fails(tmp_path / "pair", error)
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_before_stays(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with pytest.raises(RuntimeError):
        _fails(tmp_path, RuntimeError)
    assert [each.name for each in tmp_path.iterdir()] == ["notes"]


def test_a_side_that_is_complete_stays_when_the_other_fails_but_an_interrupted_half_is_none(tmp_path: Path) -> None:
    for name, error, kept in (("failed", RuntimeError, ["simulated"]), ("interrupted", KeyboardInterrupt, None)):
        with pytest.raises(error):
            _fails(tmp_path / name, error, worth="measured", simulated=True)
        folder = tmp_path / name
        assert ([each.name for each in folder.iterdir()] if folder.exists() else None) == kept, name
