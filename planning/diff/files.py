"""Writes the files of a diff: its record and its page."""

from __future__ import annotations

from pathlib import Path

from planning.diff.page import page
from planning.diff.record import record
from planning.diff.study import PAGE_FILE, RECORD_FILE, Diff
from planning.simulations import files


def write(diff: Diff, folder: Path) -> None:
    """Write the record and the page."""

    files.write_json(folder / RECORD_FILE, record(diff))
    files.write_text(folder / PAGE_FILE, page(diff))
