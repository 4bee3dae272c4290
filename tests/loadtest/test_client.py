"""The client's own time, measured against a peer that repeats one real answer."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from core import settings
from core.errors import UserError
from core.scenario import parse
from lab import client
from loadtest import address
from stack.control import RunningStack
from stack.state import StackState
from tests.loadtest.conftest import SCENARIO, Double, Setting

pytestmark = pytest.mark.alone

CORES = tuple(sorted(os.sched_getaffinity(0)))


def _stack(url: str, data: Path) -> RunningStack:
    """A stack with an address and nothing else."""
    keys = settings.SecretSettings()
    state = StackState(
        scenario="small", scenario_path="", data=str(data), state="running", supervisor_pid=0, supervisor_ticks=0,
        guard_pid=0, started_at=0.0, cores=CORES, load_cores=CORES, gateway_url=url, media_url=url, objects_url=url,
        toxiproxy_url="", prometheus_url="", kafka="", redis="", postgres=(), stores={}, keys=keys, proxies={},
        components={}, processes=(),
    )  # fmt: skip
    return RunningStack(data=data, state=state)


def test_each_client_link_is_measured_and_the_server_is_asked_once_for_each(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = (50.0, 100.0)
    monkeypatch.setattr(client, "RATES_PER_SECOND", rates)
    before = setting.double.seen()
    found = client.wires(parse(SCENARIO), setting.scenario, _stack(setting.double.url, tmp_path), tmp_path, seconds=1.0)
    assert [(each.link, each.rate_per_second) for each in found] == [
        (link, rate) for link in ("client_gateway", "client_edge") for rate in rates
    ]
    for each in found:
        assert 0.0 < each.median_seconds < each.p99_seconds < 1.0
    after = setting.double.seen()
    asked = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    assert sum(asked.values()) == 2 * len(rates), asked


def test_a_refusal_is_not_a_measurement(setting: Setting, tmp_path: Path) -> None:
    setting.double.behave({"GET /api/v1/feed": {"status": 503}})
    with pytest.raises(UserError, match=r"calibration of client_gateway: 0 of \d+ requests were answered"):
        client.wires(parse(SCENARIO), setting.scenario, _stack(setting.double.url, tmp_path), tmp_path, seconds=1.0)


def test_the_peer_repeats_the_first_answer_on_every_connection_and_reports_its_own_time(double: Double) -> None:
    request = b"GET /seen HTTP/1.1\r\nHost: a\r\n\r\n"
    with client.answering(address.parse(double.url), CORES) as peer:
        where = address.parse(peer.url)
        answers = []
        for _ in range(2):
            with socket.create_connection((where.host, where.port), timeout=5) as connection:
                for _ in range(3):
                    connection.sendall(request[:10])
                    connection.sendall(request[10:])
                    answers.append(connection.recv(65_536))
        assert answers[0].startswith(b"HTTP/1.1 200")
        assert len(set(answers)) == 1
        assert 0.0 < peer.taken_seconds() < 0.1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((where.host, where.port), timeout=1).close()
