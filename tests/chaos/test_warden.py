"""The warden keeps its schedule, proves each fault, and faults are removed whatever dies: runner, warden or both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chaos import control, journal
from chaos.control import WardenError, WardenProcess
from chaos.orders import Orders
from core.run import Event
from core.scenario import Scenario, parse
from tests.chaos.conftest import LINK, Rig
from tests.waiting import until

pytestmark = pytest.mark.alone

#: A warden needs a moment to start, on a busy machine a long one.
LEAD_SECONDS = 2.5
LATENCY = "{at: 1s, for: 1500ms, link: feed_redis, latency: 300ms, jitter: 100ms}"


def scenario(*faults: str) -> Scenario:
    return parse(f"scenario: drill\ntraffic: {{duration: 90s}}\nfaults: [{', '.join(faults)}]\n")


def start(rig: Rig, drill: Scenario, **processes: int) -> WardenProcess:
    return control.start(
        drill, t0_unix=time.time() + LEAD_SECONDS, toxiproxy_url=rig.url, proxies={LINK: (LINK,)}, processes=processes
    )


def events_of(events: tuple[Event, ...], fault: int) -> dict[str, Event]:
    return {event.event: event for event in events if event.values.get("fault") == fault}


def test_a_fault_acts_in_its_time_and_is_journaled_with_its_proof(rig: Rig) -> None:
    drill = scenario(LATENCY)
    with start(rig, drill) as warden:
        assert warden.wait(20)
        events = warden.stop()
    mine = events_of(events, 0)
    assert list(mine) == [journal.BEGINS, journal.ACTED, journal.ENDS]
    assert mine[journal.BEGINS].at_seconds == pytest.approx(1.0, abs=0.5)
    assert mine[journal.ENDS].at_seconds == pytest.approx(2.5, abs=0.9)
    assert mine[journal.ACTED].values["seen_seconds"] >= 0.15
    assert journal.void_reasons(drill, events) == ()
    (window,) = journal.acted_windows(drill, events)
    assert window == (mine[journal.BEGINS].at_seconds, mine[journal.ENDS].at_seconds)
    assert rig.toxics() == []


def test_faults_on_links_and_processes_run_beside_each_other(rig: Rig, sleeper: subprocess.Popen[bytes]) -> None:
    drill = scenario(
        "{at: 1s, for: 1s, link: feed_redis, down: true}",
        "{at: 1s, for: 1s, process: feed, action: pause}",
        "{at: 1500ms, process: feed, action: kill}",
    )
    with start(rig, drill, feed=sleeper.pid) as warden:
        assert warden.wait(20)
        events = warden.stop()
    assert journal.void_reasons(drill, events) == ()
    assert sleeper.wait(5) == -signal.SIGKILL


@contextmanager
def runner(rig: Rig) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A runner in a process of its own whose fault acts; yields it and its warden's pid."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.runner", rig.url], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert child.stdout is not None
        warden = int(child.stdout.readline())
        assert rig.toxics() != []
        yield child, warden
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def is_gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - the shortest way to one line
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_when_the_runner_is_killed_nothing_is_left_within_five_seconds(rig: Rig) -> None:
    with runner(rig) as (child, warden):
        child.kill()
        until(lambda: rig.toxics() == [] and is_gone(warden), "toxic and warden are gone", within_seconds=5)


def test_when_the_runners_whole_group_is_killed_nothing_is_left_either(rig: Rig) -> None:
    with runner(rig) as (child, warden):
        os.killpg(child.pid, signal.SIGKILL)
        until(lambda: rig.toxics() == [] and is_gone(warden), "toxic and warden are gone", within_seconds=5)


def test_a_warden_that_is_told_to_stop_removes_its_faults_first(rig: Rig) -> None:
    with runner(rig) as (_, warden):
        os.kill(warden, signal.SIGTERM)
        until(lambda: rig.toxics() == [] and is_gone(warden), "toxic and warden are gone", within_seconds=5)


def test_when_the_warden_is_killed_its_runner_removes_the_faults(rig: Rig) -> None:
    drill = scenario("{at: 500ms, for: 80s, link: feed_redis, latency: 300ms}")
    with start(rig, drill) as warden:
        until(lambda: rig.toxics() != [], "the fault begins", within_seconds=20)
        os.kill(warden.pid, signal.SIGKILL)
        events = warden.stop()
    assert rig.toxics() == []
    (died,) = [event for event in events if event.event == "warden_died"]
    assert died.values["exit_code"] == -signal.SIGKILL
    assert any("never" in reason or "not seen" in reason for reason in journal.void_reasons(drill, events))


def test_when_runner_and_warden_are_killed_the_next_warden_removes_what_they_left(rig: Rig) -> None:
    with runner(rig) as (child, warden):
        os.kill(warden, signal.SIGKILL)
        child.kill()
        until(lambda: is_gone(warden), "the warden is gone", within_seconds=5)
        assert rig.toxics() != []
    with start(rig, scenario(LATENCY)) as next_warden:
        (ready,) = [event for event in next_warden.events() if event.event == journal.READY]
        assert ready.values["left"] == ["feed_redis: windtunnel_0_latency_downstream"]
        assert rig.toxics() == []


def test_a_paused_process_continues_when_its_warden_was_killed(rig: Rig, sleeper: subprocess.Popen[bytes]) -> None:
    with start(rig, scenario("{at: 500ms, for: 80s, process: feed, action: pause}"), feed=sleeper.pid) as warden:
        until(lambda: state(sleeper.pid) == "T", "it is paused", within_seconds=20)
        os.kill(warden.pid, signal.SIGKILL)
    until(lambda: state(sleeper.pid) == "S", "it goes on", within_seconds=2)


def state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return file.read().rpartition(")")[2].split()[0]


def test_an_abort_removes_the_faults_at_once_and_is_journaled(rig: Rig) -> None:
    drill = scenario("{at: 500ms, for: 80s, link: feed_redis, latency: 300ms}")
    with start(rig, drill) as warden:
        until(lambda: rig.toxics() != [], "the fault begins", within_seconds=20)
        events = warden.abort("feed.read p95 is 2 s")
    assert rig.toxics() == []
    assert [event.values["reason"] for event in events if event.event == journal.ABORTED] == ["feed.read p95 is 2 s"]
    assert events_of(events, 0)[journal.ENDS].values["early"] is True
    assert warden.stop() == events  # a second time does nothing


def test_what_was_not_ours_stays(rig: Rig) -> None:
    toxic = {"name": "somebodys", "type": "latency", "attributes": {"latency": 1}}
    rig.post(f"/proxies/{LINK}/toxics", toxic)
    with start(rig, scenario(LATENCY)):
        assert rig.toxics() == ["somebodys"]
    rig.post("/reset", {})


def test_a_fault_that_cannot_be_injected_makes_the_run_void(rig: Rig) -> None:
    drill = scenario("{at: 500ms, for: 1s, link: feed_redis, latency: 300ms}")
    proxies = {LINK: ("no_such_proxy",)}
    t0_unix = time.time() + LEAD_SECONDS
    with control.start(drill, t0_unix=t0_unix, toxiproxy_url=rig.url, proxies=proxies) as warden:
        warden.wait(20)
        (reason,) = journal.void_reasons(drill, warden.stop())
    assert "no_such_proxy" in reason


def test_a_fault_that_would_begin_late_makes_the_run_void(rig: Rig) -> None:
    drill = scenario(LATENCY)
    late = control.start(drill, t0_unix=time.time() - 5, toxiproxy_url=rig.url, proxies={LINK: (LINK,)})
    assert late.wait(20)
    assert any("late" in reason for reason in journal.void_reasons(drill, late.stop()))
    assert rig.toxics() == []


def test_a_toxiproxy_that_is_not_there_is_a_void_run_not_a_hang() -> None:
    drill = scenario("{at: 500ms, for: 1s, link: feed_redis, latency: 300ms}")
    with control.start(
        drill, t0_unix=time.time() + LEAD_SECONDS, toxiproxy_url="http://127.0.0.1:9", proxies={LINK: (LINK,)}
    ) as warden:
        assert warden.wait(20)
        (reason,) = journal.void_reasons(drill, warden.stop())
    assert "nothing answers" in reason


def test_a_wrong_address_is_reported_before_anything_is_started() -> None:
    with pytest.raises(WardenError, match="not an address"):
        WardenProcess(Orders(t0_unix=time.time(), toxiproxy_url="nowhere"))


def test_the_warden_says_what_is_wrong_with_its_orders() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "chaos.warden"], input=b'{"orders": 3}\n', capture_output=True, timeout=20, check=False
    )
    assert found.returncode == 2
    assert b"the orders cannot be read" in found.stderr


def test_each_way_to_fail_has_its_void_reason() -> None:
    drill = scenario("{at: 1s, for: 1s, link: feed_redis, latency: 300ms}")

    def event(at: float, kind: str, **values: object) -> Event:
        return Event(at_seconds=at, event=kind, values={"fault": 0, **values})

    begins, acted, ends = event(1, journal.BEGINS), event(1.3, journal.ACTED), event(2, journal.ENDS)
    assert journal.void_reasons(drill, [begins, acted, ends]) == ()
    assert "never began" in journal.void_reasons(drill, [])[0]
    assert (
        "not seen to act: too quick"
        in journal.void_reasons(drill, [begins, event(1.2, journal.UNPROVEN, says="too quick"), ends])[0]
    )
    assert "not seen to end" in journal.void_reasons(drill, [begins, acted])[0]
    aborted = Event(at_seconds=0.5, event=journal.ABORTED, values={"reason": "x"})
    assert journal.void_reasons(drill, [aborted]) == ()
