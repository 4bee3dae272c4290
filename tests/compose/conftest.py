"""The stack of `docker-compose.yml`, started once, and always taken down."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from stack import compose, ports
from tests.compose.engine import ROOT, Engine, running_engine

_BUILD_SECONDS_MAX = 3600.0
_UP_SECONDS_MAX = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """The stack in containers, and where its published ports are."""

    engine: Engine
    project: str
    environment: Mapping[str, str]
    ports: Mapping[str, int]

    def compose(self, *arguments: str, seconds_max: float = 120.0) -> str:
        """Run Compose on this stack; fails the test with its output."""
        argv = (*self.engine.compose, "-p", self.project, "-f", str(ROOT / "docker-compose.yml"), *arguments)
        return self.engine.run(*argv, seconds_max=seconds_max, **self.environment)

    def url(self, name: str) -> str:
        """Base URL of a published server."""
        return f"http://127.0.0.1:{self.ports[name]}"


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with running_engine() as found:
        yield found


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The image that `deploy/Dockerfile` builds from this checkout."""
    engine.run(str(ROOT / "deploy" / "base-image.sh"), seconds_max=_BUILD_SECONDS_MAX)
    argv = ("docker", "build", "--network", "host", "-f", "deploy/Dockerfile", "-t", compose.IMAGE, ".")
    engine.run(*argv, seconds_max=_BUILD_SECONDS_MAX)
    return compose.IMAGE


@pytest.fixture(scope="session")
def containers(engine: Engine, image: str) -> Iterator[Containers]:
    """Up and healthy, on free ports and in a network of its own; taken down with its volumes whatever happens."""
    free = ports.choose(("gateway", "edge", "objects"), {})
    environment = {f"WINDTUNNEL_{name.upper()}_PORT": str(port) for name, port in free.items()}
    environment["WINDTUNNEL_NETWORK"] = f"10.213.{random.SystemRandom().randrange(100, 250)}"
    made = Containers(engine=engine, project=f"windtunnel-test-{os.getpid()}", environment=environment, ports=free)
    try:
        made.compose("config", "--quiet")
        argv = (*engine.compose, "-p", made.project, "up", "-d", "--no-build")
        argv += ("--wait", "--wait-timeout", str(_UP_SECONDS_MAX))
        told = {**engine.environment, **environment}
        up = subprocess.run(
            argv, cwd=ROOT, env=told, capture_output=True, text=True, check=False, timeout=_UP_SECONDS_MAX + 60
        )
        if up.returncode != 0:
            logs = made.compose("logs", "--no-color", "--tail", "15")
            pytest.fail(f"the containers do not come up:\n{up.stderr[-3000:]}\n{logs[-12000:]}")
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "10", seconds_max=180.0)
