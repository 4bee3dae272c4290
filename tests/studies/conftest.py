"""A tiny scenario and a profile with round durations, on disk, and the command line to run studies with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.profile import encode
from planning.simulations.results import Results
from planning.simulations.runners import Runner
from planning.simulations.simulator import Simulator, StudySource
from planning.simulations.task import Setup, setup
from tests.model import synthetic

ROOT = Path(__file__).parents[2]
#: Two simulated seconds of fifty people: sixty requests, which SimPy is through with in no time.
TINY = """\
scenario: tiny
seed: 5
population: {people: 50, follows: {mean: 5, maximum: 40}}
system: {fanout: {threshold: 15}}
traffic: {warm_up: 0s, duration: 2s, rate: 30/s, mix: {feed.read: 70%, like.add: 20%, post.create: 10%}}
"""
#: Enough feed reads for a p95.
BUSY = TINY.replace("rate: 30/s", "rate: 150/s")


@pytest.fixture(scope="session")
def shared() -> Setup:
    """What the simulations of a study share."""
    return setup(synthetic.profile())


@contextmanager
def simulator(folder: Path, runner: Runner, shared: Setup, *, force: bool = False) -> Iterator[Simulator]:
    """What simulates a study whose results are kept in ``folder``."""
    source = StudySource(commit="test", engine=shared.engine, calibration="synthetic")
    with Results(folder, force=force) as results, runner as running:
        yield Simulator(shared=shared, runner=running, results=results, source=source)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The scenario's file."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The profile's file."""
    path = tmp_path / "profile.json"
    path.write_bytes(encode(synthetic.profile()))
    return path


def windtunnel(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def here(*words: str) -> str:
    """Run a command of the command line in this process, which is faster; returns its stdout."""
    from click.testing import CliRunner

    from cli.main import windtunnel as group

    done = CliRunner().invoke(group, list(words), catch_exceptions=False)
    return done.stdout
