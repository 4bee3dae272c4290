"""Locust's own command line: several processes, and its web page."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import traffic
from core.scenario import parse
from loadtest import record, spool
from records import run as runs
from tests.children import WITH_US
from tests.loadtest.conftest import SCENARIO, Setting
from tests.waiting import until

pytestmark = pytest.mark.alone

LOCUSTFILE = Path(__file__).parents[2] / "loadtest" / "locustfile.py"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def locust(setting: Setting, *arguments: str) -> subprocess.Popen[bytes]:
    argv = [*WITH_US, sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *map(str, setting.arguments()), *arguments]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_workers_of_a_master_share_the_schedule_and_make_one_record(setting: Setting) -> None:
    port = str(free_port())
    process = locust(setting, "--headless", "--processes", "2", "--master-bind-port", port, "--master-port", port)
    assert process.wait(timeout=60) in (0, 4)
    schedule, sent = traffic.draw_schedule(parse(SCENARIO)), runs.read_samples(setting.out / runs.SAMPLES_FILE)
    numbers = np.sort(sent.where((sent.step == 0) & (sent.request >= 0)).request)
    assert np.array_equal(numbers, np.arange(len(schedule)))
    load = record.read_load(setting.out)
    assert load.sent_count == load.scheduled_count == len(schedule)
    shares = [record.read_load(setting.out / f"worker-{worker}") for worker in range(2)]
    assert min(share.sent_count for share in shares) > 0
    assert {share.viral_post_id for share in shares} == {load.viral_post_id}  # both like the same post
    assert len({share.t0_unix_ns for share in shares}) == 1


LONG = SCENARIO.split("traffic:")[0] + (
    "traffic: {warm_up: 500ms, duration: 5m, rate: 60/s, arrivals: steady, timeout: 2s, mix: {feed.read: 100%}}\n"
)


def spooled(folder: Path) -> int:
    """The pid of the process that spools to a folder, once it has recorded something; else 0."""
    head = spool.read_head(folder)
    return head.pid if head is not None and (folder / spool.FILE).read_bytes().count(b"\n") > 2 else 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_is_lost_ends_the_run_as_void_and_nothing_recorded_is_lost_or_sent_twice(
    setting: Setting, number: int
) -> None:
    setting.scenario.write_text(LONG)
    port = str(free_port())
    before = setting.double.seen().get("GET /api/v1/feed", 0)
    process = locust(setting, "--headless", "--processes", "2", "--master-bind-port", port, "--master-port", port)
    victim = setting.out / "worker-1"
    try:
        pid = until(lambda: spooled(victim) if spooled(setting.out / "worker-0") else 0, within_seconds=60)
        os.kill(pid, number)
        assert process.wait(timeout=60) == 4  # long before its five minutes are over
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    load, sent = record.read_load(setting.out), runs.read_samples(setting.out / runs.SAMPLES_FILE)
    assert load.void
    assert "1 of its processes ended too early" in load.stopped
    shares = [runs.read_samples(setting.out / f"worker-{worker}" / runs.SAMPLES_FILE) for worker in range(2)]
    assert min(len(share) for share in shares) > 0
    assert len(sent) == sum(len(share) for share in shares)
    assert len(np.unique(sent.request)) == len(sent)
    assert [set(np.unique(share.request % 2)) for share in shares] == [{0}, {1}]  # nobody took over a share
    # requests in flight when the worker was lost have no record; no request has more than one
    assert len(sent) <= setting.double.seen()["GET /api/v1/feed"] - before


def test_locusts_page_shows_the_requests_by_the_operations_names(setting: Setting) -> None:
    port = free_port()
    process = locust(setting, "--web-host", "127.0.0.1", "--web-port", str(port), "--autostart", "--autoquit", "2")

    def shown() -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats/requests", timeout=5) as answer:
                names = {each["name"] for each in json.load(answer)["stats"]}
        except (urllib.error.URLError, ConnectionError):
            return None
        return names if {"feed.read", "image.read", "post.create"} <= names else None

    try:
        until(shown, within_seconds=40)
        assert process.wait(timeout=40) in (0, 4)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert record.read_load(setting.out).sent_count > 0
