"""Writes the files of a sweep: its record, its rows and its page."""

from __future__ import annotations

from pathlib import Path

from planning.simulations import files
from planning.sweep.page import page
from planning.sweep.record import record, rows
from planning.sweep.study import PAGE_FILE, RECORD_FILE, Sweep


def write_data(sweep: Sweep, folder: Path) -> None:
    """Write the record, and a row for each simulation."""
    files.write_json(folder / RECORD_FILE, record(sweep))
    files.write_rows(folder, "sweep", list(rows(sweep)))


def write(sweep: Sweep, folder: Path) -> None:
    """Write all of it, and the page."""

    write_data(sweep, folder)
    files.write_text(folder / PAGE_FILE, page(sweep))
