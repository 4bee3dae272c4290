"""Locust's own command line: several processes, and its web page."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import traffic
from core.scenario import parse
from loadtest import record, spool
from records import run as runs
from stack import ports
from tests.children import WITH_US
from tests.loadtest.conftest import SCENARIO, Setting
from tests.waiting import SECONDS_MAX, until

pytestmark = pytest.mark.servers

LOCUSTFILE = Path(__file__).parents[2] / "loadtest" / "locustfile.py"


def free_port() -> int:
    return ports.choose(("free",), {})["free"]


@contextmanager
def locust(setting: Setting, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Locust, whose workers end with the block, too."""
    argv = [*WITH_US, sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *map(str, setting.arguments()), *arguments]
    with subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):  # none is left of its group
                os.killpg(process.pid, signal.SIGKILL)


def test_workers_of_a_master_share_the_schedule_and_make_one_record(setting: Setting) -> None:
    port = str(free_port())
    words = ("--headless", "--processes", "2", "--master-bind-port", port, "--master-port", port)
    with locust(setting, *words) as process:
        assert process.wait(timeout=SECONDS_MAX) in (0, 4)
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
    victim = setting.out / "worker-1"
    words = ("--headless", "--processes", "2", "--master-bind-port", port, "--master-port", port)
    with locust(setting, *words) as process:
        pid = until(lambda: spooled(victim) if spooled(setting.out / "worker-0") else 0)
        os.kill(pid, number)
        assert process.wait(timeout=SECONDS_MAX) == 4  # long before its five minutes are over
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

    def shown() -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats/requests", timeout=5) as answer:
                names = {each["name"] for each in json.load(answer)["stats"]}
        except (urllib.error.URLError, ConnectionError):
            return None
        return names if {"feed.read", "image.read", "post.create"} <= names else None

    words = ("--web-host", "127.0.0.1", "--web-port", str(port), "--autostart", "--autoquit", "2")
    with locust(setting, *words) as process:
        until(shown)
        assert process.wait(timeout=SECONDS_MAX) in (0, 4)
    assert record.read_load(setting.out).sent_count > 0
