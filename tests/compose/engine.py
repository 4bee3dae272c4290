"""A Docker engine and Compose for the tests: the machine's own, or, as root, one started for the session."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from stack.install import tools

ROOT = Path(__file__).parents[2]
_HOW = "`windtunnel install --group compose` brings engine and Compose"
_ENGINE_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Where the engine listens, and how Compose is called."""

    environment: Mapping[str, str]
    compose: tuple[str, ...]

    def run(self, *argv: str, seconds_max: float, **more: str) -> str:
        """Run a command of the engine, and return its stdout; fails the test with its output."""
        done = subprocess.run(
            argv,
            cwd=ROOT,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds_max,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            pytest.fail(f"{' '.join(argv)} failed ({done.returncode}):\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done.stdout


@contextmanager
def running_engine() -> Iterator[Engine]:
    """The engine that answers, or one of our own; fails, never skips, when there is none."""
    if shutil.which("docker") is None:
        pytest.fail(f"no Docker engine is on this machine: {_HOW}")
    compose = _compose()
    if _answers(os.environ):
        yield Engine(environment=os.environ, compose=compose)
        return
    daemon = tools.look_for("dockerd")
    if daemon is None:
        pytest.fail(f"no Docker engine answers and none is installed: {_HOW}")
    if os.geteuid() != 0:
        pytest.fail("no Docker engine answers, and only root may start one: start it, or set DOCKER_HOST")
    with tempfile.TemporaryDirectory(prefix="windtunnel-engine-") as folder:
        # images stay in the cache: the next session builds only what changed, without the network
        try:
            yield from _started(daemon, Path(folder), tools.cache() / "engine", compose)
        finally:
            unmount_below(Path(folder))


def unmount_below(folder: Path) -> None:
    """Unmount everything below the folder, so that it can be removed: an engine leaves network namespaces."""
    mounted = [Path(each.mountpoint) for each in psutil.disk_partitions(all=True)]
    for place in sorted((each for each in mounted if folder in each.parents), reverse=True):  # the innermost first
        subprocess.run(["umount", str(place)], check=True, capture_output=True, timeout=30)


def _started(daemon: Path, folder: Path, images: Path, compose: tuple[str, ...]) -> Iterator[Engine]:
    listen = f"unix://{folder / 'docker.sock'}"
    argv = [str(daemon), "--data-root", str(images), "--exec-root", str(folder / "exec"), "--host", listen]
    # no default bridge: builds use the host's network, and Compose creates its own
    argv += ["--pidfile", str(folder / "docker.pid"), "--bridge", "none"]
    log = folder / "dockerd.log"
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        environment = {**os.environ, "DOCKER_HOST": listen}
        deadline = time.monotonic() + _ENGINE_SECONDS_MAX
        while not _answers(environment):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("the Docker engine does not start:\n" + log.read_text(errors="replace")[-3000:])
            time.sleep(0.2)
        yield Engine(environment=environment, compose=compose)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            process.kill()
            process.wait()


def _compose() -> tuple[str, ...]:
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False, timeout=30)
    if plugin.returncode == 0:
        return ("docker", "compose")
    ours = tools.look_for("docker-compose")
    if ours is None:
        pytest.fail(f"Docker Compose is missing: {_HOW}")
    return (str(ours),)


def _answers(environment: Mapping[str, str]) -> bool:
    asked = subprocess.run(
        ["docker", "info", "--format", "{{.ServerVersion}}"],
        env=dict(environment),
        capture_output=True,
        check=False,
        timeout=30,
    )
    return asked.returncode == 0
