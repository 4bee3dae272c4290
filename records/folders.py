"""Folders of runs while they are made: one that is being made says so, one that came to nothing leaves nothing.

A command that is killed cannot tidy up. Its folder keeps the mark of a process that is gone, and is listed as
interrupted.
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
    """A run or a pair of runs is made in ``folder`` for as long as the block runs; a block that fails, or is
    interrupted, leaves of it what is complete, and no folder where nothing is.

    Without the side ``worth`` an interrupted pair is nothing: half a run is none.
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
    """Whether a process makes a run in ``folder`` now."""
    try:
        mark = json.loads((folder / MARK).read_bytes())
        return alive.is_alive(int(mark["pid"]), int(mark["ticks"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False
