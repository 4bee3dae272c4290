"""A service process starts from its settings file, reports what is wrong with it, and stops on a signal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core import settings
from core.names import Component
from core.settings import Listen, Member, ProcessSettings, Stores
from stack import ports
from tests.children import WITH_US
from tests.service.conftest import SCENARIO, keys_at

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    return ports.choose(("free",), {})["free"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a process ended."""

    code: int
    said: str


@contextmanager
def process(told: bytes, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m services…` with these settings; killed when it is left running."""
    path = folder / "settings.json"
    path.write_bytes(told)
    with subprocess.Popen(
        [*WITH_US, sys.executable, "-m", *(arguments or ("services",))],
        cwd=ROOT,
        env={**os.environ, settings.SETTINGS_VARIABLE: str(path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def ran(told: bytes, folder: Path, *arguments: str) -> Ran:
    """Run it to its end."""
    with process(told, folder, *arguments) as child:
        said, _ = child.communicate(timeout=60)
        return Ran(code=child.returncode, said=said)


@pytest.fixture
def told(servers: Any, tmp_path: Path) -> ProcessSettings:
    """Auth and graph in one process."""
    return ProcessSettings(
        process="api",
        members=tuple(
            Member(
                component=component,
                listen=Listen(host="127.0.0.1", port=free_port()),
                stores=servers.stores(component),
            )
            for component in (Component.AUTH, Component.GRAPH)
        ),
        scenario_path=str(SCENARIO),
        public_url="http://127.0.0.1",
        media_url="http://127.0.0.1",
        keys=keys_at(tmp_path),
        data_directory=str(tmp_path / "data"),
        worker=0,
        worker_count=1,
    )


def wait_until_ready(child: subprocess.Popen[str], count: int) -> list[dict[str, Any]]:
    """Read its log until ``count`` components are ready."""
    assert child.stdout is not None
    events: list[dict[str, Any]] = []
    for line in child.stdout:
        events.append(msgspec.json.decode(line))
        if sum(event["event"] == "ready" for event in events) == count:
            return events
    raise AssertionError(f"it ended first: {events}")


def test_it_serves_every_member_on_its_own_port_and_stops_when_asked(told: ProcessSettings, tmp_path: Path) -> None:
    with process(settings.encode(told), tmp_path) as child:
        wait_until_ready(child, 2)
        for member in told.members:
            with urllib.request.urlopen(f"http://127.0.0.1:{member.listen.port}/healthz", timeout=10) as answer:
                assert msgspec.json.decode(answer.read())["component"] == member.component

        child.send_signal(signal.SIGTERM)

        assert child.wait(timeout=30) == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{told.members[0].listen.port}/healthz", timeout=5)


def test_a_service_runs_alone_by_its_own_name(told: ProcessSettings, tmp_path: Path) -> None:
    with process(settings.encode(told), tmp_path, "services.graph") as child:
        (ready,) = [event for event in wait_until_ready(child, 1) if event["event"] == "ready"]

        assert ready["component"] == "graph"
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 0


def test_a_port_that_is_taken_is_one_readable_line(told: ProcessSettings, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", told.members[1].listen.port))
        taken.listen()

        ended = ran(settings.encode(told), tmp_path)

    last = ended.said.strip().splitlines()[-1]
    assert ended.code != 0
    assert "Traceback" not in ended.said
    assert last.startswith("api: ")
    assert str(told.members[1].listen.port) in last


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scenario_path": "/nowhere.yaml"}, "nowhere.yaml"),
        ({"members": ()}, "no member"),
        ({"keys": settings.SecretSettings(jwt_private_key="/no/key.pem")}, "key.pem"),
        ({"data_directory": "/proc/nowhere"}, "/proc/nowhere"),
        (
            {"members": (Member(component="auth", listen=Listen(host="127.0.0.1", port=0), stores=Stores()),)},
            "PostgreSQL",
        ),
    ],
)
def test_what_is_wrong_with_its_settings_is_one_readable_line(
    told: ProcessSettings, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    ended = ran(settings.encode(msgspec.structs.replace(told, **change)), tmp_path)

    assert ended.code != 0
    assert "Traceback" not in ended.said
    assert says in ended.said.strip().splitlines()[-1]


def test_a_settings_file_that_is_none_names_the_field(tmp_path: Path) -> None:
    ended = ran(b'{"process": "api", "members": 7}', tmp_path)

    assert ended.code != 0
    assert "Traceback" not in ended.said
    assert "$.members" in ended.said
