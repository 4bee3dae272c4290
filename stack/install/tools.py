"""Where each program is; a program that is missing is an error that says how to get it.

Looked for in PATH, in the folders where Debian keeps servers, and in our cache (what is not packaged by Debian).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stack.failure import StackFailure

#: Programs of Debian packages that a stack runs, and the package of each.
PACKAGES: Final[dict[str, str]] = {
    "postgres": "postgresql-15",
    "initdb": "postgresql-15",
    "redis-server": "redis-server",
    "haproxy": "haproxy",
    "varnishd": "varnish",
    "varnishstat": "varnish",
    "clamd": "clamav-daemon",
    "prometheus": "prometheus",
    "java": "openjdk-17-jre-headless",
}
#: Programs that we build from Go modules into the cache.
BUILT: Final = ("toxiproxy", "versitygw")
_SERVER_FOLDERS: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # often not in the PATH of an ordinary user
_INSTALL: Final = "run `python -m stack.install`"


def cache() -> Path:
    """Folder of what we download and build: ``WINDTUNNEL_CACHE``, or ``windtunnel`` in the user's cache folder."""
    told = os.environ.get("WINDTUNNEL_CACHE")
    if told:
        return Path(told)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "windtunnel"


def find(program: str) -> Path:
    """The program; raises StackFailure that says how to install it."""
    found = look_for(program)
    if found is None:
        if program in BUILT:
            raise StackFailure(f"{program} is missing", mend=f"{_INSTALL}, which builds it into {cache()}")
        raise StackFailure(
            f"{program} is missing", mend=f"{_INSTALL}, or as root `apt-get install {PACKAGES[program]}`"
        )
    return found


def look_for(program: str) -> Path | None:
    """The program, or None."""
    if program in BUILT:
        path = cache() / "bin" / program
        return path if os.access(path, os.X_OK) else None
    for folder in _folders(program):
        path = folder / program
        if os.access(path, os.X_OK) and path.is_file():
            return path
    return None


def _folders(program: str) -> Iterator[Path]:
    if program in ("postgres", "initdb"):
        # Debian keeps every major version apart; the newest that is at least 15. PATH may hold an older one.
        versions = [int(each.name) for each in Path("/usr/lib/postgresql").glob("[0-9]*") if each.name.isdigit()]
        for version in sorted(versions, reverse=True):
            if version >= 15:
                yield Path(f"/usr/lib/postgresql/{version}/bin")
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    yield from (Path(folder) for folder in path if folder)
    yield from (Path(folder) for folder in _SERVER_FOLDERS)


def jars() -> Path:
    """Folder of the log's jars; raises StackFailure when they are missing."""
    folder = cache() / "kafka-4.3.1"
    if not (folder / "complete").exists():
        raise StackFailure("Kafka is missing", mend=f"{_INSTALL}, which fetches it into {folder}")
    return folder


def which(program: str) -> Path | None:
    """A program in PATH that is not part of the stack (go, mvn, uv)."""
    found = shutil.which(program)
    return Path(found) if found else None
