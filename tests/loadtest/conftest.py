"""A fake API in a process of its own, and the generator's programs, run against it as `lab` does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.children import WITH_US
from tests.waiting import until

SCENARIO = """
scenario: small
seed: 3
population:
  people: 60
  follows: {mean: 6, maximum: 30}
  posters: 20%
  posts_per_poster: 2
  photo: {width: 160, height: 120}
traffic:
  warm_up: 500ms
  duration: 2s
  rate: 60/s
  timeout: 1s
  mix: {feed.read: 50%, like.add: 15%, image.read: 15%, story.tray: 6%, search.users: 6%, media.upload: 8%}
  viral: {at: 500ms, author: {followers: 10}, factor: 4, rise: 500ms, fall: 500ms}
"""
_END_SECONDS = 60.0


@dataclass(slots=True)
class Double:
    """The double, running."""

    process: subprocess.Popen[bytes]
    url: str

    def seen(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}/seen", timeout=10) as answer:
            return dict(json.load(answer))

    def behave(self, behaviour: dict[str, Any]) -> None:
        request = urllib.request.Request(f"{self.url}/behave", data=json.dumps(behaviour).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)


@dataclass(slots=True)
class Program:
    """One of the generator's programs, running; yields its lines as they are written."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)

    def next_line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = json.loads(self.process.stdout.readline())
        self.lines.append(line)
        return dict(line)

    def end(self) -> tuple[int, str]:
        """Exit code and stderr."""
        out, err = self.process.communicate(timeout=_END_SECONDS)
        self.lines += [json.loads(line) for line in out.splitlines()]
        return self.process.returncode, err


def start(module: str, *arguments: object) -> Program:
    """Start ``python -m module``."""
    argv = [*WITH_US, sys.executable, "-m", module, *map(str, arguments)]
    return Program(subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))


def run(module: str, *arguments: object) -> tuple[int, str]:
    """Run ``python -m module`` to its end."""
    return start(module, *arguments).end()


@contextmanager
def running(folder: Path) -> Iterator[Double]:
    """A new double while the block runs."""
    port_file = folder / "port"
    process = subprocess.Popen([*WITH_US, sys.executable, "-m", "tests.loadtest.server", str(port_file)])
    try:
        until(port_file.exists)
        yield Double(process, f"http://127.0.0.1:{port_file.read_text()}")
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    """A fresh double."""
    with running(tmp_path) as fresh:
        yield fresh


@dataclass(frozen=True, slots=True)
class Setting:
    """A seeded double and the arguments to drive it with."""

    double: Double
    scenario: Path
    seeded: Path
    out: Path

    def arguments(self, **more: object) -> list[object]:
        told: dict[str, object] = {
            "scenario": self.scenario, "gateway": self.double.url, "media": self.double.url, "seeded": self.seeded,
            "out": self.out,
        }  # fmt: skip
        told |= more
        return [item for name, value in told.items() for item in ("--" + name.replace("_", "-"), value)]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """A double that has been seeded with SCENARIO, once for all tests that only drive it."""
    folder = tmp_path_factory.mktemp("world")
    scenario = folder / "small.yaml"
    scenario.write_text(SCENARIO)
    with running(folder) as shared:
        code, err = run("loadtest.seed", "--scenario", scenario, "--gateway", shared.url, "--out", folder / "seeded")
        assert code == 0, err
        yield Setting(shared, scenario, folder / "seeded", folder / "out")


@pytest.fixture
def setting(world: Setting, tmp_path: Path) -> Iterator[Setting]:
    """The seeded double, with a scenario file and folders that a test may change."""
    scenario = tmp_path / "small.yaml"
    scenario.write_text(SCENARIO)
    copied = tmp_path / "seeded"
    shutil.copytree(world.seeded, copied)
    yield Setting(world.double, scenario, copied, tmp_path / "out")
    world.double.behave({})


@pytest.fixture(scope="session")
def driven(world: Setting) -> Setting:
    """The seeded double after the scenario's traffic has been driven at it, for tests that only read the record."""
    code, err = run("loadtest.drive", *world.arguments())
    assert code in (0, 4), err  # 4: this machine was too busy for exact timing, which these tests do not check
    return world
