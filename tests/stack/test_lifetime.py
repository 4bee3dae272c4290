"""A stack leaves nothing behind after an orderly stop, a failed start, or the sudden death of its starter."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from cli import logs, status
from core import names
from core.messages import TOPICS
from core.names import Component, Server
from records import alive
from stack import control, exporter, guard, state
from tests.children import WITH_US
from tests.conftest import ROOT, SCENARIO
from tests.waiting import until

pytestmark = pytest.mark.servers

_SMALL = (Server.POSTGRES, Server.REDIS, Server.TOXIPROXY, Server.EDGE)  # with a process tree each, and quick


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder of its own; fails the test when a process still uses it at the end."""
    with tempfile.TemporaryDirectory(prefix="windtunnel-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name) / "data"


def _up(data: Path, *, attached: bool = True, servers: tuple[Server, ...] = _SMALL) -> control.RunningStack:
    return control.up(SCENARIO, data, attached=attached, services=False, servers=servers)


def _everybody(running: control.RunningStack) -> dict[int, int]:
    """Pids with start times of the guard, the supervisor and all below, grandchildren included."""
    pids = guard.family(running.state.guard_pid)
    return {pid: alive.ticks_of(pid) for pid in pids}


def _alive(known: dict[int, int]) -> list[int]:
    return [pid for pid, ticks in known.items() if alive.is_alive(pid, ticks)]


def _users_of(data: Path) -> list[str]:
    """Processes that were started for this data folder, by their command lines."""
    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(data) in line and process.pid != os.getpid():
            found.append(line)
    return found


def test_down_stops_everything_in_order_and_up_finds_the_data_again(folder: Path) -> None:
    first = _up(folder)
    known = _everybody(first)
    assert len(known) > len(first.processes) + 2  # PostgreSQL's and Varnish's own children are among them
    with psycopg.connect(first.postgres[0]) as connection:
        connection.execute("CREATE TABLE shard_0.kept (value int)")
        connection.execute("INSERT INTO shard_0.kept VALUES (7)")
    first.stop()
    assert _alive(known) == []
    assert "database system is shut down" in (folder / "logs" / "postgres_0.log").read_text()
    second = _up(folder)
    with psycopg.connect(second.postgres[0]) as connection:
        assert connection.execute("SELECT value FROM shard_0.kept").fetchone() == (7,)
    assert second.keys.cursor_secret == first.keys.cursor_secret
    second.stop(wipe=True)
    assert not folder.exists()
    assert _users_of(folder) == []


@pytest.mark.parametrize("victim", ["supervisor", "guard"])
def test_nothing_outlives_a_supervisor_or_guard_that_is_killed(folder: Path, victim: str) -> None:
    running = _up(folder)
    known = _everybody(running)
    with psycopg.connect(running.postgres[0]) as busy:
        if victim == "supervisor":
            # a busy backend notices nothing else; it would live for long unless the guard ended it
            busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 10000000000)")
        os.kill(running.state.supervisor_pid if victim == "supervisor" else running.state.guard_pid, signal.SIGKILL)
        until(lambda: not _alive(known), "nothing is left")
        busy.close()
    assert _users_of(folder) == []
    running.stop(wipe=True)


def test_an_attached_stack_dies_with_its_owner_even_by_sigkill(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from core.names import Server; from stack import control;"
        f"control.up(Path({str(SCENARIO)!r}), Path({str(folder)!r}), attached=True, services=False,"
        f" servers=(Server.REDIS, Server.POSTGRES)); print('up', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([*WITH_US, sys.executable, "-c", program], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        known = _everybody(control.read(folder))
        owner.kill()
        until(lambda: not _alive(known), "nothing is left")
    assert _users_of(folder) == []


def test_a_detached_stack_outlives_its_owner_until_down(folder: Path) -> None:
    program = (
        "from pathlib import Path; from core.names import Server; from stack import control;"
        f"control.up(Path({str(SCENARIO)!r}), Path({str(folder)!r}), attached=False, services=False,"
        f" servers=(Server.REDIS,))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    running = control.read(folder)
    host, port = running.redis
    with socket.create_connection((host, port), timeout=20) as wire:
        wire.sendall(b"PING\r\n")
        assert wire.recv(10) == b"+PONG\r\n"
    rows = control.status(folder)
    assert [(row.name, row.state, row.port) for row in rows] == [("redis", "ready", port)]
    assert rows[0].rss_bytes > 0
    known = _everybody(running)
    control.down(folder, wipe=True)
    assert _alive(known) == []
    with pytest.raises(control.StackFailure, match="there is no stack in"):
        control.status(folder)


def test_a_server_that_dies_is_journaled_and_started_again(folder: Path) -> None:
    running = _up(folder, servers=(Server.REDIS, Server.TOXIPROXY))
    try:
        before = running.processes["toxiproxy"]
        os.kill(before, signal.SIGKILL)

        def again() -> bool:
            now = running.refresh()
            row = next(each for each in now.state.processes if each.name == "toxiproxy")
            return row.state == "ready" and row.pid not in (0, before)

        until(again)

        def told() -> list[tuple[str, str | None, str | None]]:
            events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
            return [(event["event"], event.get("name"), event.get("how")) for event in events]

        # the state is written first, then the journal
        until(lambda: ("restarted", "toxiproxy", None) in told())
        assert ("died", "toxiproxy", "killed by SIGKILL") in told()
        # its proxies exist again, though it had lost them
        way = running.stores(Component.FEED).redis
        assert way is not None
        assert (way.host, way.port) != running.redis
        with socket.create_connection((way.host, way.port), timeout=20) as wire:
            wire.sendall(b"PING\r\n")
            assert wire.recv(10) == b"+PONG\r\n"
    finally:
        running.stop(wipe=True)


def test_a_server_that_dies_repeatedly_is_restarted_every_time_and_status_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running = _up(folder, servers=(Server.REDIS,))
    try:
        assert _status(folder) == 0
        for count in range(1, 8):
            before = running.refresh().state.processes[0]
            os.kill(before.pid, signal.SIGKILL)
            if count == 4:  # the pause is two seconds now
                until(lambda: running.refresh().state.processes[0].state == "backing off")
                assert _status(folder) == 99

            def again(count: int = count) -> bool:
                row = running.refresh().state.processes[0]
                return row.state == "ready" and row.restarts == count

            until(again, str(count))
        row = control.status(folder)[0]
        assert (row.state, row.restarts, row.end) == ("ready", 7, "killed by SIGKILL")
        assert _status(folder) == 0
        assert "ended: killed by SIGKILL" in (folder / "logs" / "redis.log").read_text()
        page = _page(f"http://127.0.0.1:{state.read_ports(folder)[exporter.PORT]}/metrics")
        assert f'{names.PROCESS_DEATHS_TOTAL}{{how="killed by SIGKILL",process="redis"}} 7.0' in page
        assert f'{names.PROCESS_UP}{{process="redis"}} 1.0' in page
        assert "redis ended at" in capsys.readouterr().out
        logs.command.main(["--data", str(folder)], standalone_mode=False)
        assert capsys.readouterr().out.count("killed by SIGKILL") == 7
    finally:
        running.stop(wipe=True)


def _page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        text: str = answer.read().decode()
    return text


def _status(data: Path) -> int:
    code: int = status.command.main(["--data", str(data)], standalone_mode=False)
    return code


def test_a_held_server_stays_dead_until_it_is_released(folder: Path) -> None:
    running = _up(folder, servers=(Server.REDIS,))
    try:
        control.hold(folder, "redis")
        os.kill(running.processes["redis"], signal.SIGKILL)
        until(lambda: running.refresh().state.processes[0].state == "held")
        control.release(folder, "redis")
        until(lambda: running.refresh().state.processes[0].state == "ready")
    finally:
        running.stop(wipe=True)


def test_a_frozen_server_is_seen_and_started_again_and_one_that_is_held_is_left_alone(folder: Path) -> None:
    running = _up(folder, servers=(Server.REDIS, Server.TOXIPROXY, Server.POSTGRES))
    before = dict(running.processes)

    def row(name: str) -> state.ProcessState:
        return next(each for each in running.refresh().state.processes if each.name == name)

    try:
        control.hold(folder, "toxiproxy")
        frozen = [pid for name in ("redis", "postgres_0", "toxiproxy") for pid in guard.family(before[name])]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        for name in ("redis", "postgres_0"):

            def again(name: str = name) -> bool:
                return row(name).state == "ready" and row(name).restarts == 1

            until(again, str(name))
            assert "killed by the supervisor" in row(name).end
            assert f'"unresponsive", "name": "{name}"' in (folder / "journal.jsonl").read_text()
        assert (row("toxiproxy").state, row("toxiproxy").pid) == ("paused", before["toxiproxy"])
        os.kill(before["toxiproxy"], signal.SIGCONT)
        control.release(folder, "toxiproxy")
        until(lambda: row("toxiproxy").state == "ready")
        assert row("toxiproxy").pid == before["toxiproxy"]
        assert row("postgres_1").restarts == 0
    finally:
        running.stop(wipe=True)


def test_a_supervisor_that_is_frozen_is_seen_by_status_and_ended_by_down(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running = _up(folder, servers=(Server.REDIS,))
    known = _everybody(running)
    os.kill(running.state.supervisor_pid, signal.SIGSTOP)
    until(lambda: _status(folder) == 99)
    assert "is stopped by a signal" in capsys.readouterr().out
    running.stop(wipe=True)
    assert _alive(known) == []
    assert not folder.exists()


def test_kafka_that_lost_its_data_is_formatted_again_with_its_topics(folder: Path) -> None:
    running = _up(folder, servers=(Server.KAFKA,))

    def again() -> bool:
        row = running.refresh().state.processes[0]
        return row.state == "ready" and row.restarts == 1

    async def topics() -> set[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=running.kafka)
        await admin.start()
        try:
            return set(await admin.list_topics())
        finally:
            await admin.close()

    try:
        (folder / "kafka" / "logs").rename(folder / "kafka" / "lost")  # at once: the broker is still writing there
        os.kill(running.processes["kafka"], signal.SIGKILL)
        until(again)
        assert asyncio.run(topics()) >= set(TOPICS)
    finally:
        running.stop(wipe=True)


def test_a_folder_keeps_its_ports_and_gives_up_one_that_another_has_taken(folder: Path) -> None:
    first = _up(folder, servers=(Server.REDIS, Server.TOXIPROXY))
    ports = {each.name: each.port for each in first.state.processes}
    first.stop()
    second = _up(folder, servers=(Server.REDIS, Server.TOXIPROXY))
    assert {each.name: each.port for each in second.state.processes} == ports
    second.stop()
    with socket.create_server(("127.0.0.1", ports["redis"])):
        third = _up(folder, servers=(Server.REDIS, Server.TOXIPROXY))
        moved = {each.name: each.port for each in third.state.processes}
        third.stop(wipe=True)
    assert moved["toxiproxy"] == ports["toxiproxy"]
    assert moved["redis"] != ports["redis"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_start_that_is_interrupted_leaves_no_process_and_no_folder(folder: Path, number: signal.Signals) -> None:
    words = [sys.executable, "-m", "cli", "up", str(SCENARIO), "--data", str(folder / "new")]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        until(lambda: (folder / "new" / state.FILE).exists())
        child.send_signal(number)
        child.send_signal(number)  # an impatient user sends two
        assert child.wait(60) == 130
    assert _users_of(folder) == []
    assert not folder.exists()


def test_what_a_refused_start_left_is_nothing_or_is_removed_by_down(folder: Path) -> None:
    with pytest.raises(control.StackFailure, match="No such file"):
        control.up(folder.parent / "none.yaml", folder, attached=True, services=False)
    assert not folder.exists()
    folder.mkdir()
    with pytest.raises(control.StackFailure, match="nearly full"):
        control.up(SCENARIO, folder, attached=True, services=False, free_bytes_min=2**60)
    assert any(folder.iterdir())
    control.down(folder, wipe=True)
    assert not folder.exists()
    folder.mkdir()
    (folder / "theirs").touch()
    control.down(folder, wipe=True)
    assert (folder / "theirs").exists()  # no stack was ever started here


def test_a_stack_that_is_to_be_wiped_goes_with_its_owner_folder_and_all(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from core.names import Server; from stack import control;"
        f"control.up(Path({str(SCENARIO)!r}), Path({str(folder)!r}), attached=True, services=False, wipe=True,"
        f" servers=(Server.REDIS,)); print('up', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([*WITH_US, sys.executable, "-c", program], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        owner.kill()
        until(lambda: not folder.exists())
    assert _users_of(folder) == []


def test_two_stacks_run_side_by_side(folder: Path) -> None:
    one = _up(folder / "one", servers=(Server.POSTGRES, Server.REDIS))
    two = _up(folder / "two", servers=(Server.POSTGRES, Server.REDIS))
    try:
        assert not set(one.processes.values()) & set(two.processes.values())
        ports = [[process.port for process in stack.state.processes] for stack in (one, two)]
        assert not set(ports[0]) & set(ports[1])
        one.stop()
        with psycopg.connect(two.postgres[0]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(one.postgres[0], connect_timeout=2)
    finally:
        one.stop(wipe=True)
        two.stop(wipe=True)
