"""Runs installation tools: keeps their output for errors, and reports a failure in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stack.failure import StackFailure
from stack.install.tools import cache


def say(text: str) -> None:
    """Print one line of progress to stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - progress of a command


def run(
    what: str,
    argv: list[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds_max: float = 900.0,
) -> str:
    """Run one tool and return its stdout; raises StackFailure with the end of its output."""
    say(f"{what} …")
    began = time.monotonic()
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds_max,
        )
    except FileNotFoundError as error:
        raise StackFailure(f"{what}: {argv[0]} is missing", hint="is it in PATH?") from error
    except subprocess.TimeoutExpired as error:
        raise StackFailure(f"{what}: not done after {seconds_max:g} s", hint="is the network reachable?") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise StackFailure(f"{what}: `{' '.join(argv)}` failed (exit {done.returncode})", hint="\n".join(said[-8:]))
    say(f"{what}: done in {time.monotonic() - began:.0f} s")
    return done.stdout


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A scratch folder in the cache that atomically becomes ``target`` when the block succeeds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        scratch.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def uv_install(requirements: Path, target: Path) -> None:
    """Install a pinned, hashed requirements file into a folder, by uv, or by pip if there is no uv."""
    uv = shutil.which("uv") or str(cache() / "uv" / "bin" / "uv")
    if os.access(uv, os.X_OK):
        argv = [uv, "pip", "install", "-q", "--python", sys.executable]
    else:
        argv = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    argv += ["--target", str(target), "--require-hashes", "--no-deps", "-r", str(requirements)]
    run("fetch the Go toolchain", argv)
