"""Cores are pinned and kept awake, CPU time is charged to the process that used it, host stalls are recorded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from core import niceness
from core.scenario import processes
from records.alive import is_alive, ticks_of
from stack import cores, guard, stalls, usage
from tests.children import WITH_US
from tests.conftest import Servers

pytestmark = pytest.mark.alone


def _limit(limits: str, name: str) -> str:
    line = next(line for line in limits.splitlines() if line.startswith(name))
    return line.removeprefix(name).split()[0]


def test_every_process_is_pinned_bounded_and_not_root_where_it_must_not_be(servers: Servers) -> None:
    allowed = set(servers.running.cores) & os.sched_getaffinity(0)
    assert {"postgres_0", "clamd", "kafka"} <= set(servers.running.processes)
    for name, pid in servers.running.processes.items():
        for member in guard.family(pid):
            process = psutil.Process(member)
            assert set(process.cpu_affinity()) == allowed, name
            limits = Path(f"/proc/{member}/limits").read_text()
            assert int(_limit(limits, "Max data size")) < 2**31, name
            assert _limit(limits, "Max core file size") == "0", name
    if os.geteuid() == 0:
        assert psutil.Process(servers.running.processes["postgres_0"]).username() == "postgres"
        assert psutil.Process(servers.running.processes["clamd"]).username() == "clamav"


def test_background_servers_are_nicer_than_others_in_their_sessions_group_too(servers: Servers) -> None:
    usual = psutil.Process(servers.running.processes["redis"]).nice()
    seen = {}
    for name, pid in servers.running.processes.items():
        nicer = processes.niceness_of(servers.scenario, name)
        seen[name] = nicer
        for member in guard.family(pid):
            assert psutil.Process(member).nice() == min(19, usual + nicer), name
        group = Path(f"/proc/{pid}/autogroup")
        if nicer and group.exists() and (text := group.read_text(encoding="ascii").split()):
            assert int(text[-1]) == nicer, name
    assert set(seen.values()) == {0, niceness.BACKGROUND}


def test_a_log_file_exists_for_every_process(servers: Servers) -> None:
    logs = {path.name for path in (servers.running.data / "logs").iterdir()}
    expected = {f"{name}.log" for name in servers.running.processes}
    assert "kafka.log" in expected
    assert expected <= logs


def test_cores_are_kept_awake_by_loops_of_the_idle_class_that_end_with_the_block() -> None:
    core = min(os.sched_getaffinity(0))
    before = set(guard.children_of(os.getpid()))
    with cores.keep_awake([core, 4095]) as kept:
        assert kept == (core,)
        (loop,) = set(guard.children_of(os.getpid())) - before
        deadline = time.monotonic() + 20
        while os.sched_getscheduler(loop) != os.SCHED_IDLE or usage.cpu_seconds(loop) == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert os.sched_getaffinity(loop) == {core}
        ticks = ticks_of(loop)
    assert not is_alive(loop, ticks)


def test_loops_die_with_a_caller_that_is_killed() -> None:
    program = (
        "import os, time; from stack import cores, guard;"
        "block = cores.keep_awake([min(os.sched_getaffinity(0))]); block.__enter__();"
        "print(*guard.children_of(os.getpid()), flush=True); time.sleep(600)"
    )
    with subprocess.Popen([*WITH_US, sys.executable, "-c", program], stdout=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        loop = int(caller.stdout.readline())
        ticks = ticks_of(loop)
        assert is_alive(loop, ticks)
        caller.send_signal(signal.SIGKILL)
        caller.wait()
        deadline = time.monotonic() + 5
        while is_alive(loop, ticks):
            assert time.monotonic() < deadline
            time.sleep(0.01)


_BURN = "import resource, time\nwhile resource.getrusage(0).ru_utime < 0.5: pass\ntime.sleep(600)"


def test_cpu_time_of_a_descendant_counts_for_its_ancestor() -> None:
    before = usage.cpu_seconds(os.getpid())
    child = subprocess.Popen([*WITH_US, sys.executable, "-c", _BURN])
    try:
        deadline = time.monotonic() + 60
        while usage.cpu_seconds(child.pid) < 0.5:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        # the accounting must agree with what the child itself was charged, to the clock tick of getrusage
        assert usage.cpu_seconds(os.getpid()) - before >= 0.5
    finally:
        child.kill()
        child.wait()
    assert usage.cpu_seconds(child.pid) == 0


def test_usage_names_every_process_of_the_stack(servers: Servers) -> None:
    told = usage.usage(servers.running)
    assert set(told) == set(servers.running.processes)
    assert all(seconds > 0 for seconds in told.values())


def test_a_probe_sees_a_stall_that_is_made() -> None:
    core = min(os.sched_getaffinity(0))
    probe = subprocess.Popen([*WITH_US, sys.executable, "-m", "stack.stalls", str(core), "1.5"], stdout=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while usage.cpu_seconds(probe.pid) < 0.6:  # it is spinning by now
        assert time.monotonic() < deadline
        time.sleep(0.01)
    probe.send_signal(signal.SIGSTOP)
    while psutil.Process(probe.pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline
    time.sleep(0.2)  # the stall itself: its length is what the probe must see
    probe.send_signal(signal.SIGCONT)
    told = probe.communicate(timeout=60)[0].decode()

    found = msgspec.json.decode(told, type=stalls.StallSample)
    assert found.longest_seconds >= 0.2
    assert found.counts[-1] >= 1
    assert 0.1 < found.lost_ratio < 1
    assert len(found.per_second) == len(found.mean_seconds) == len(found.upto_seconds)


class _Told:
    """A stack of one process, whose family can be made to look smaller than it is."""

    def __init__(self, pid: int) -> None:
        self.processes = {"one": pid}


def test_accounting_never_goes_back_and_counts_no_childs_past_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    from stack import usage as accounts

    burn = "import time\nwhile time.process_time() < 0.5: pass\nprint(1, flush=True)\ntime.sleep(60)"
    with subprocess.Popen([*WITH_US, sys.executable, "-c", burn], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            whole = [os.getpid(), child.pid]
            seen = [whole, [os.getpid()], whole]
            monkeypatch.setattr(accounts, "family", lambda _: seen.pop(0))
            told = _Told(os.getpid())
            accounting = accounts.Accounting()
            first, second, third = (accounting.read(told)["one"] for _ in range(3))
            assert first >= 0.5
            assert first <= second <= third < first + 0.4  # a missed child is neither lost nor counted twice

            seen[:] = [[os.getpid()], whole]
            late = accounts.Accounting()
            before, after = (late.read(told)["one"] for _ in range(2))
            assert after - before < 0.4  # the child is older than the accounting: its half second is not new
        finally:
            child.kill()
