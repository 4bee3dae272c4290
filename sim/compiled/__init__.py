"""The compiled engine: the same program as SimPy walks, run by numba over arrays; the same sample path, far faster.

Compiled code is kept between runs in a folder whose name is a hash of these sources, because numba by itself notices
only changes of the one file that it compiles, not of those that it takes functions from.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numba

from core.policies import breaker, hot_key, patience, replica, retry


def _cache_folder() -> Path:
    ours = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(numba.__version__.encode())
    for path in (*ours, *(Path(each.__file__) for each in (breaker, hot_key, patience, replica, retry))):
        digest.update(path.read_bytes())
    kept = Path(os.environ.get("WINDTUNNEL_CACHE") or Path.home() / ".cache" / "windtunnel")
    return kept / "numba" / digest.hexdigest()[:16]


numba.config.CACHE_DIR = str(_cache_folder())
