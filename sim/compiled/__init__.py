"""The compiled engine: the same program as SimPy walks, run by numba over arrays; the same sample path, far faster.

Compiled code is kept between processes in a folder whose name is a hash of these sources, because numba by itself
notices only changes of the one file that it compiles, not of those that it takes functions from; and of where they
are, because numba gives code back only to the files that it came from. Importing this package alone loads no numba.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

from core.policies import breaker, hot_key, patience, replica, retry, window
from sim.model import toxics
from sim.results import jobs

#: What modules with compiled code have in them, and those from which it takes kinds of rows and what `compiled` means.
_COMPILES: Final = b"from sim.compiled.jit import"
_GIVES: Final = ("jit", "kinds")
#: Modules besides these from which compiled code takes functions.
_SOURCES: Final = (breaker, hot_key, patience, replica, retry, window, jobs, toxics)


def _cache_folder() -> Path:
    digest = hashlib.sha256(f"{version('numba')} {Path(__file__).parent}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        source = path.read_bytes()
        if _COMPILES in source or path.stem in _GIVES:  # what only Python runs may change
            digest.update(source)
    for module in _SOURCES:
        digest.update(Path(str(module.__file__)).read_bytes())
    name = digest.hexdigest()[:16]
    kept = Path(os.environ.get("WINDTUNNEL_CACHE") or Path.home() / ".cache" / "windtunnel") / "numba" / name
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir()) / f"windtunnel-numba-{os.getuid()}" / name
    return kept


FOLDER: Final = _cache_folder()
os.environ["NUMBA_CACHE_DIR"] = str(FOLDER)  # numba reads it when it is imported; processes that we start do so too
_READY: Final = FOLDER / "ready"
#: Versions of the code that are kept.
_KEPT_MAX: Final = 4


@contextmanager
def alone() -> Iterator[None]:
    """One process at a time compiles; those that waited find its code."""
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_kept() -> bool:
    """Whether the code has been compiled before on this machine."""
    return _READY.exists()


def compile_now() -> None:
    """Compile everything that a run needs, or take it from where it is kept; about a minute the first time."""
    from sim.compiled import engine, jit  # noqa: F401  # compiled as they are imported

    jit.compile_entries()
    _READY.touch()
    others = sorted((each for each in FOLDER.parent.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    for old in others[:-_KEPT_MAX]:  # of sources that have changed since
        shutil.rmtree(old, ignore_errors=True)
