"""Compiles the engine before it is needed."""

from __future__ import annotations

import shutil
from typing import Final

from sim.compiled import engine, jit  # noqa: F401  # the engine's import registers what is to be compiled
from sim.compiled.kept import FOLDER, READY

#: Versions of the code that are kept.
_KEPT_MAX: Final = 4


def compile_now() -> None:
    """Compile everything that a run needs, or load it if it is kept; takes about a minute the first time."""
    jit.compile_entries()
    READY.touch()
    others = sorted((each for each in FOLDER.parent.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    for old in others[:-_KEPT_MAX]:  # compiled from sources that have changed since
        shutil.rmtree(old, ignore_errors=True)
