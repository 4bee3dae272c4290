"""Installs Debian packages, without recommended ones and without starting their services."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stack.failure import StackFailure
from stack.install.steps import run

_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_QUIET: Final = {"DEBIAN_FRONTEND": "noninteractive"}


def install(packages: Iterable[str]) -> None:
    """Install ``packages``; raises StackFailure with the exact command if we cannot."""
    wanted = sorted(set(packages))
    if not wanted:
        return
    apt = ["apt-get", "install", "-y", "--no-install-recommends", *wanted]
    if shutil.which("apt-get") is None:
        raise StackFailure(
            f"missing: {', '.join(wanted)}",
            hint="this is not Debian: install them with the package manager of this system",
        )
    if os.geteuid() != 0:
        raise StackFailure(f"missing: {', '.join(wanted)}", hint=f"as root, run: apt-get update && {' '.join(apt)}")
    run("apt-get update", ["apt-get", "update", "-qq"], env=_QUIET)
    with _services_stay_stopped():
        apt[1:1] = ["-qq", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Options::=--force-confold"]
        run(f"apt-get install {' '.join(wanted)}", apt, env=_QUIET)


@contextmanager
def _services_stay_stopped() -> Iterator[None]:
    """Debian runs this file before a package may start its service; 101 means no. Ours is removed afterwards."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
