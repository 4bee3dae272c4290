"""A real Toxiproxy in front of a real Redis, on ports of their own, for tests that break the link between them."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stack import ports
from stack.install import tools
from tests.children import WITH_US
from tests.waiting import until

LINK = "feed_redis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Addresses of Toxiproxy's API, of the proxy ``feed_redis`` and of Redis itself."""

    url: str
    proxy_port: int
    redis_port: int

    def get(self, path: str) -> Any:
        """GET from Toxiproxy directly, without the client under test."""
        with urllib.request.urlopen(self.url + path, timeout=5) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> None:
        """POST to Toxiproxy directly."""
        request = urllib.request.Request(
            self.url + path, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST"
        )
        urllib.request.urlopen(request, timeout=5).close()

    def toxics(self) -> list[str]:
        """Names of the toxics on the link."""
        return [toxic["name"] for toxic in self.get(f"/proxies/{LINK}/toxics")]

    def is_on(self) -> bool:
        """Whether the proxy listens."""
        return bool(self.get(f"/proxies/{LINK}")["enabled"])

    def ping_seconds(self) -> float:
        """How long a PING through the proxy takes."""
        begin = time.perf_counter()
        with socket.create_connection(("127.0.0.1", self.proxy_port), timeout=5) as connection:
            connection.sendall(b"*1\r\n$4\r\nPING\r\n")
            assert connection.recv(64) == b"+PONG\r\n"
        return time.perf_counter() - begin


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The servers, for the session."""
    folder = tmp_path_factory.mktemp("rig")
    api, proxy, redis = ports.choose(("api", "proxy", "redis"), {}).values()
    commands = [
        [str(tools.find("toxiproxy")), "-host", "127.0.0.1", "-port", str(api)],
        [str(tools.find("redis-server")), "--port", str(redis), "--bind", "127.0.0.1", "--save", "", "--dir", "."],
    ]
    children = []
    try:
        for command in commands:
            with (folder / Path(command[0]).name).open("wb") as log:
                children.append(subprocess.Popen([*WITH_US, *command], cwd=folder, stdout=log, stderr=log))
        made = Rig(url=f"http://127.0.0.1:{api}", proxy_port=proxy, redis_port=redis)
        until(lambda: _answers(api) and _answers(redis), "Toxiproxy and Redis answer")
        made.post(
            "/proxies",
            {"name": LINK, "listen": f"127.0.0.1:{proxy}", "upstream": f"127.0.0.1:{redis}", "enabled": True},
        )
        yield made
    finally:
        for child in children:
            child.kill()
            child.wait()


@pytest.fixture(autouse=True)
def link_restored(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves the link broken."""
    yield
    if "rig" in request.fixturenames:
        found: Rig = request.getfixturevalue("rig")
        left, is_on = found.toxics(), found.is_on()
        found.post("/reset", {}) if (left or not is_on) else None
        assert not left
        assert is_on


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process to kill or pause."""
    child = subprocess.Popen([*WITH_US, "sleep", "300"])
    yield child
    with suppress(ProcessLookupError):
        child.kill()
    child.wait()


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
