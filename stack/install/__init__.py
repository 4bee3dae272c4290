"""Finds what a stack needs and installs what is missing, with pinned versions; after that no network is needed.

``run`` is what a stack needs, ``test`` adds a browser, ``compose`` adds a Docker engine and Compose. The check takes a
few milliseconds and no network, so it can precede every command.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.failure import StackFailure
from stack.install import debian, golang, maven, steps, tools

GROUPS: Final = ("run", "test", "compose")
_BROWSER: Final = {"chromium": "chromium"}
_CERTIFICATES: Final = "ca-certificates"
_CERTIFICATE_FILES: Final = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt"))
_ENGINE: Final = {"dockerd": "docker.io", "debootstrap": "debootstrap"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What has to be installed."""

    packages: tuple[str, ...] = ()  # of Debian
    programs: tuple[str, ...] = ()  # to be built
    jars: bool = False

    def __bool__(self) -> bool:
        return bool(self.packages or self.programs or self.jars)

    def names(self) -> tuple[str, ...]:
        """For people."""
        return (*self.packages, *self.programs, *(("Kafka",) if self.jars else ()))


def missing(groups: tuple[str, ...] = ("run",)) -> Missing:
    """The requirements of the groups that this machine lacks; checks files only."""
    unknown = set(groups) - set(GROUPS)
    if unknown:
        raise StackFailure(f"no group is called {', '.join(sorted(unknown))}", hint=f"one of {', '.join(GROUPS)}")
    packages = {package for program, package in tools.PACKAGES.items() if tools.look_for(program) is None}
    programs = {program for program in ("toxiproxy", "versitygw") if tools.look_for(program) is None}
    if "test" in groups:
        packages |= {package for program, package in _BROWSER.items() if shutil.which(program) is None}
    if "compose" in groups:
        packages |= {package for program, package in _ENGINE.items() if tools.look_for(program) is None}
        programs |= {"docker-compose"} if tools.look_for("docker-compose") is None else set()
    jars = not tools.jars_folder().is_dir()
    if (jars or programs) and not any(path.exists() for path in _CERTIFICATE_FILES):
        packages.add(_CERTIFICATES)
    if jars and shutil.which("mvn") is None:
        packages.add("maven")
    return Missing(packages=tuple(sorted(packages)), programs=tuple(sorted(programs)), jars=jars)


def ensure(groups: tuple[str, ...] = ("run",), *, keep_classes: bool = True) -> Missing:
    """Install what is missing and return it; raises StackFailure. A second call finds nothing to do.

    ``keep_classes`` also runs Kafka once, which only saves time later and needs more of the stack than installing does.
    """
    needed = missing(groups)
    if not needed:
        return needed
    with _alone():
        needed = missing(groups)  # another installation may have finished while we waited
        steps.say(f"missing: {', '.join(needed.names()) or 'nothing any more'}")
        if _CERTIFICATES in needed.packages:
            debian.install([_CERTIFICATES])  # everything below uses HTTPS
        # Go needs no other Debian package, so it is built meanwhile; Kafka needs Maven and Java first
        with ThreadPoolExecutor(max_workers=2) as pool:
            building = pool.submit(_build, needed.programs)
            try:
                debian.install(needed.packages)
                if needed.jars:
                    maven.fetch()
                    if keep_classes:
                        _keep_classes()
            finally:
                building.result()
    left = missing(groups)
    if left:
        raise StackFailure(f"still missing after the installation: {', '.join(left.names())}")
    return needed


def _keep_classes() -> None:
    from stack.install import classes  # slow to import: it needs all that a stack needs

    try:
        classes.keep()
    except StackFailure as failure:
        steps.say(f"{failure}; Kafka starts without them, only more slowly")


def _build(programs: tuple[str, ...]) -> None:
    for program in programs:
        golang.build(program)


@contextmanager
def _alone() -> Iterator[None]:
    """One installation at a time for all checkouts of this user."""
    tools.cache().mkdir(parents=True, exist_ok=True)
    with (tools.cache() / "install.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            steps.say("another installation is running: waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
