"""Finds programs; a missing one is an error that says how to install it.

They are searched in PATH, in Debian's folders for servers, and in our cache (for what Debian does not package).
"""

from __future__ import annotations

import os
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
#: Programs that we build from Go modules into the cache, and their versions.
BUILT: Final[dict[str, str]] = {"toxiproxy": "2.12.0", "versitygw": "1.7.0", "docker-compose": "2.40.3"}
KAFKA_VERSION: Final = "4.3.1"
_SERVER_FOLDERS: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # often not in the PATH of an ordinary user
_POSTGRES_FOLDERS: Final = Path("/usr/lib/postgresql")
_POSTGRES_OLDEST: Final = 15
_INSTALL: Final = "run `windtunnel install`"


def cache() -> Path:
    """Folder for downloads and builds: ``WINDTUNNEL_CACHE``, or ``windtunnel`` in the user's cache folder."""
    folder = os.environ.get("WINDTUNNEL_CACHE")
    if folder:
        return Path(folder).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "windtunnel"


def built(program: str) -> Path:
    """Where a program of BUILT is, or would be."""
    return cache() / f"{program}-{BUILT[program]}" / program


def find(program: str) -> Path:
    """The program; raises StackFailure that says how to install it."""
    found = look_for(program)
    if found is not None:
        return found
    if program in BUILT:
        raise StackFailure(f"{program} is missing", hint=f"{_INSTALL}, which builds it into {cache()}")
    package = PACKAGES[program]
    raise StackFailure(f"{program} is missing", hint=f"{_INSTALL}, or as root: apt-get install {package}")


def look_for(program: str) -> Path | None:
    """The program, or None."""
    if program in BUILT:
        path = built(program)
        return path if os.access(path, os.X_OK) else None
    for folder in _folders(program):
        path = folder / program
        if os.access(path, os.X_OK) and path.is_file():
            return path
    return None


def _folders(program: str) -> Iterator[Path]:
    if program in ("postgres", "initdb"):
        # Debian keeps every major version apart; the newest wins. PATH may hold an older one.
        versions = (int(each.name) for each in _POSTGRES_FOLDERS.glob("[0-9]*") if each.name.isdigit())
        for version in sorted(versions, reverse=True):
            if version >= _POSTGRES_OLDEST:
                yield _POSTGRES_FOLDERS / str(version) / "bin"
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    yield from (Path(folder) for folder in path if folder)
    yield from (Path(folder) for folder in _SERVER_FOLDERS)


def jars_folder() -> Path:
    """Where Kafka's jars are, or would be; the folder exists only if it is complete."""
    return cache() / f"kafka-{KAFKA_VERSION}"


def jars() -> Path:
    """Folder of Kafka's jars; raises StackFailure when they are missing."""
    folder = jars_folder()
    if not folder.is_dir():
        raise StackFailure("Kafka is missing", hint=f"{_INSTALL}, which fetches it into {folder}")
    return folder
