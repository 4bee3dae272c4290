"""Two gateways on one port share the counts of a user's requests."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from core import scenario
from core.names import Server
from core.operations import API
from core.scenario.units import RateLimit
from records import scenarios
from stack import control, probe
from stack.backing import haproxy
from tests.conftest import SCENARIO
from tests.waiting import SECONDS_MAX, until

pytestmark = pytest.mark.alone  # that a count arrives before the next request is a matter of milliseconds

_QUOTA = 60


@pytest.fixture(scope="module")
def two_gateways(data_folder: Path) -> Iterator[control.RunningStack]:
    """Two instances of HAProxy, with nothing behind them."""
    path = data_folder / "two_gateways.yaml"
    read = scenarios.read(SCENARIO)
    limits = {"feed.read": RateLimit(_QUOTA, 3600.0, "user")}
    system = replace(read.system, gateway=replace(read.system.gateway, instances=2, limits=limits))
    path.write_text(scenario.explain(replace(read, system=system)), encoding="utf-8")
    running = control.up(path, data_folder / "two_gateways", attached=True, services=False, servers=(Server.GATEWAY,))
    try:
        until(lambda: all(_knows_the_other(running.data / name) for name in ("gateway-1", "gateway-2")))
        yield running
    finally:
        running.stop(wipe=True)


def _knows_the_other(folder: Path) -> bool:
    """Whether an instance has a connection to the other one.

    Each makes one when it has started. Where both do so at the same time both give up, and try again after a second.
    """
    with socket.socket(socket.AF_UNIX) as wire, probe.short(folder / haproxy.ADMIN) as path:
        wire.settimeout(SECONDS_MAX)
        wire.connect(path)
        wire.sendall(b"show peers\n")
        with wire.makefile("r", encoding="utf-8") as told:
            return "(remote,active)" in told.read()


def test_what_one_instance_lets_through_counts_at_the_other_too(two_gateways: control.RunningStack) -> None:
    key = Path(two_gateways.keys.jwt_private_key).read_text()
    now = int(time.time())
    claims = {"sub": "4242", "iss": "windtunnel", "iat": now, "exp": now + 600}
    headers = {"Authorization": "Bearer " + jwt.encode(claims, key, algorithm="ES256")}
    where = two_gateways.gateway_url.removeprefix("http://")
    folders = [two_gateways.data / name for name in ("gateway-1", "gateway-2")]
    assert all("peers gateways" in (folder / "haproxy.cfg").read_text() for folder in folders)

    def ask() -> int:
        # each over a connection of its own, which the kernel gives to one of the two
        connection = http.client.HTTPConnection(where, timeout=10)
        try:
            connection.request("GET", f"{API}/feed", headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    statuses = [ask() for _ in range(3 * _QUOTA)]
    # admitted requests find no service; each instance alone would admit the whole quota
    assert set(statuses) == {503, 429}
    let_through = statuses.count(503)
    assert _QUOTA <= let_through < 1.75 * _QUOTA
    assert [ask() for _ in range(20)] == [429] * 20
