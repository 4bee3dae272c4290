"""Real servers for tests: started once for a session that needs them, on free ports, in a folder of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from core import scenario, settings
from core.names import Component, Server
from core.scenario import Scenario
from core.scenario.faults import Down
from records import scenarios
from stack import control, ports

# No test depends on how fast the machine is. Every run of the suite tries the same examples; to look for new ones:
# pytest --hypothesis-profile explore tests/property
for profile, derandomize in (("suite", True), ("explore", False)):
    hypothesis_settings.register_profile(
        profile,
        deadline=None,
        derandomize=derandomize,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
hypothesis_settings.load_profile("suite")

ROOT = Path(__file__).parent.parent
SCENARIO = ROOT / "scenarios" / "viral_post_small.yaml"
#: Fixtures that all tests with servers of the stack or a browser use.
SERVERS = frozenset({"data_folder", "chromium"})
#: Fixtures that take all processors: the whole stack with its services.
WHOLE = frozenset({"running_stack"})
#: Links that a test may break, by `Servers.broken`.
BREAKABLE = (
    "feed_redis",
    "feed_postgres",
    "feed_kafka",
    "posts_kafka",
    "engagement_redis",
    "engagement_kafka",
    "media_clamd",
    "media_objects",
    "media_edge",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use real servers or a browser as `servers`, and those that use the whole stack as `alone`."""
    for item in items:
        used = frozenset(getattr(item, "fixturenames", ()))
        if used & WHOLE:
            item.add_marker(pytest.mark.alone)
        elif used & SERVERS and item.get_closest_marker("alone") is None:
            item.add_marker(pytest.mark.servers)


def pytest_configure() -> None:
    """Give each of several workers its own ports, and let programs be interrupted that a test starts."""
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if count > 1:  # two stacks that choose their ports at the same time could choose the same one
        each = (ports.HIGHEST - ports.LOWEST) // count
        lowest = ports.LOWEST + each * int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
        os.environ[ports.RANGE_VARIABLE] = f"{lowest}-{lowest + each}"
    _let_interrupt()


def _let_interrupt() -> None:
    """Let programs that a test starts be interrupted, even if the process that started pytest ignores SIGINT.

    A shell does so for what a script runs by `&`, and programs inherit it. A handler is not inherited: the program gets
    the default. That this one does nothing leaves pytest itself uninterrupted, as its starter asked.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda _number, _frame: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """PostgreSQL (2 instances, 16 schemas), Redis, Kafka, S3, the CDN, clamd and Toxiproxy, running."""

    running: control.RunningStack
    scenario: Scenario
    scenario_path: Path

    def stores(self, component: Component) -> settings.Stores:
        """What `core.settings.Member.stores` of ``component`` must be."""
        return self.running.stores(component)

    @property
    def keys(self) -> settings.SecretSettings:
        """Key files for tokens and the cursors' secret."""
        return self.running.keys

    @contextmanager
    def broken(self, link: str) -> Iterator[None]:
        """Cut the link (one of BREAKABLE) while the block runs: connections are closed and refused."""
        for proxy in self.running.proxies[link]:
            self._switch(proxy, enabled=False)
        try:
            yield
        finally:
            for proxy in self.running.proxies[link]:
                self._switch(proxy, enabled=True)

    def _switch(self, proxy: str, *, enabled: bool) -> None:
        request = urllib.request.Request(
            f"{self.running.toxiproxy_url}/proxies/{proxy}",
            data=json.dumps({"enabled": enabled}).encode(),
            headers={"Content-Type": "application/json"},
            method="PATCH",
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert json.load(answer)["enabled"] is enabled


@pytest.fixture(scope="session")
def data_folder() -> Iterator[Path]:
    """A folder that a server with its own user can read, unlike pytest's temporary folders."""
    folder = Path(tempfile.mkdtemp(prefix="windtunnel-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def breakable(base: Path, target: Path) -> Scenario:
    """The scenario at ``base`` with every link of BREAKABLE proxied, written to ``target``."""
    faults = tuple(Down(at_seconds=1.0, for_seconds=1.0, link=link) for link in BREAKABLE)
    made = replace(scenarios.read(base), faults=faults)
    target.write_text(scenario.explain(made), encoding="utf-8")
    return scenarios.read(target)


@pytest.fixture(scope="session")
def servers(data_folder: Path) -> Iterator[Servers]:
    """The stores and their proxies, without services."""
    path = data_folder / "scenario.yaml"
    read = breakable(SCENARIO, path)
    wanted = (
        Server.POSTGRES,
        Server.REDIS,
        Server.KAFKA,
        Server.OBJECTS,
        Server.FRONT,
        Server.SHIELD,
        Server.EDGE,
        Server.CLAMD,
        Server.TOXIPROXY,
    )
    running = control.up(path, data_folder / "servers", attached=True, services=False, servers=wanted)
    try:
        yield Servers(running=running, scenario=read, scenario_path=path)
    finally:
        running.stop(wipe=True)


@pytest.fixture(scope="session")
def running_stack(data_folder: Path) -> Iterator[control.RunningStack]:
    """The whole stack of `viral_post_small`, services and gateway included."""
    running = control.up(SCENARIO, data_folder / "stack", attached=True)
    try:
        yield running
    finally:
        running.stop(wipe=True)
