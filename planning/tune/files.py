"""Writes the files of a tuning: its record, its trials, the best scenario and its page."""

from __future__ import annotations

import textwrap
from pathlib import Path

from planning.simulations import files
from planning.tune.page import page
from planning.tune.record import record, rows
from planning.tune.study import Tune
from planning.tune.text import BEST_FILE, PAGE_FILE, RECORD_FILE
from present.tables import WIDTH


def write(tune: Tune, folder: Path) -> None:
    """Write the record, a row for each trial, the best scenario and the page."""

    files.write_json(folder / RECORD_FILE, record(tune))
    files.write_rows(folder, "trials", rows(tune))
    said = "".join(f"# {line}\n" for line in textwrap.wrap(tune.sentence, WIDTH - 2))
    files.write_text(folder / BEST_FILE, f"{said}{tune.best.text}")
    files.write_text(folder / PAGE_FILE, page(tune))
