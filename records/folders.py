"""Folders of runs during their creation: marked as long as a command works on them, removed if they stay empty.

The folder of a killed command keeps the mark of a process that is gone, and is listed as interrupted.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from records import alive, run

MARK: Final = "running.json"


@contextmanager
def making(folder: Path, *, worth: str = "") -> Iterator[Path]:
    """Mark ``folder`` as being made for the length of the block. A block that fails or is interrupted leaves what is
    complete, and no folder if nothing is.

    An interrupted pair without the side ``worth`` counts as nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = {each.name for each in folder.iterdir()}
    mark = folder / MARK
    mark.write_text(json.dumps({"pid": os.getpid(), "ticks": alive.ticks_of(os.getpid())}) + "\n", encoding="utf-8")
    try:
        yield folder
    except BaseException as error:
        for made in (each for each in folder.iterdir() if each.name not in before and each.is_dir()):
            if not (made / run.RECORD_FILE).exists():
                shutil.rmtree(made, ignore_errors=True)
        kept = any(folder.rglob(run.RECORD_FILE))
        if worth and isinstance(error, KeyboardInterrupt):
            kept = (folder / worth / run.RECORD_FILE).exists()
        if not before and not kept:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        mark.unlink(missing_ok=True)


def is_running(folder: Path) -> bool:
    """Whether a process is making a run in ``folder``."""
    try:
        mark = json.loads((folder / MARK).read_bytes())
        return alive.is_alive(int(mark["pid"]), int(mark["ticks"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False
