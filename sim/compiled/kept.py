"""Where compiled code is kept between processes: a folder whose name is a hash of the sources that are compiled.

Numba itself notices changes only of the file that it compiles, not of the files from which that takes functions; and it
returns code only for the path that the code was compiled from, so this path is part of the hash. Importing this module
does not import numba.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

from core import bounds
from core.policies import admission, breaker, geo, hot_key, patience, replica, retry, window
from sim.model import disturbances, flow, program, toxics
from sim.results import jobs

#: Found in every module with compiled code.
_COMPILES: Final = b"from sim.compiled.jit import"
#: Modules elsewhere from which compiled code takes functions, numbers and enumerations.
_SOURCES: Final = (
    admission, bounds, breaker, disturbances, flow, geo, hot_key, jobs, patience, program, replica, retry, toxics,
    window,
)  # fmt: skip


def _cache_folder() -> Path:
    digest = hashlib.sha256(f"{version('numba')} {Path(__file__).parent}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        source = path.read_bytes()
        if _COMPILES in source or path.stem == "jit":  # other modules are not compiled
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
READY: Final = FOLDER / "ready"


@contextmanager
def alone() -> Iterator[None]:
    """Let one process at a time compile; those that waited find its code."""
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_kept() -> bool:
    """Whether the code has been compiled before on this machine."""
    return READY.exists()
