"""What a user can fix is one readable error before anything runs, and nothing is left half-started."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cli import status
from core.names import Server
from stack import control
from stack.install import tools
from tests.conftest import SCENARIO
from tests.stack.test_lifetime import _users_of
from tests.waiting import until

pytestmark = pytest.mark.servers

_PROGRAMS = ("java", "postgres", "initdb", "redis-server", "haproxy", "varnishd", "varnishstat", "clamd", "prometheus")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="windtunnel-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name) / "data"


def _refused(data: Path, says: str, **asked: object) -> str:
    with pytest.raises(control.StackFailure) as failure:
        control.up(SCENARIO, data, attached=True, services=False, **asked)  # type: ignore[arg-type]
    text = str(failure.value)
    assert says in text
    assert "Traceback" not in text
    assert _users_of(data) == []
    return text


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Fakes a machine that has every program but one: PATH is a folder of links, and the other places are empty."""

    def remove(program: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in _PROGRAMS:
            found = tools.look_for(name)
            if name != program and found is not None:
                (folder / name).symlink_to(found)
        monkeypatch.setenv("PATH", str(folder))

    return remove


def test_no_java_is_one_line_that_says_how_to_get_it(folder: Path, without: Callable[[str], None]) -> None:
    without("java")
    text = _refused(folder, "java is missing")
    assert "windtunnel install" in text
    assert "apt-get install openjdk-17-jre-headless" in text
    assert "\n" not in text


def test_programs_that_we_build_are_asked_for_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDTUNNEL_CACHE", str(folder.parent / "empty"))
    text = _refused(folder, "toxiproxy is missing")
    assert "versitygw is missing" in text
    assert "Kafka is missing" in text
    assert "\n" not in text


def test_a_taken_port_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = _refused(folder, f"port {port}, wanted for gateway, is taken", ports={"gateway": port})
        assert "\n" not in text
    _refused(folder, "no process of this stack is called gatway", ports={"gatway": 1})


def test_a_port_that_is_taken_after_it_was_chosen_is_reported_with_the_servers_message(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), family=socket.AF_INET) as taken:
        # free when the plan was made, in use when Redis binds: this can happen, so it is tested
        port = taken.getsockname()[1]
        program = (
            "import sys; from stack import entry, ports; real = ports.choose;"
            f"ports.choose = lambda names, wanted, **rest: {{**real(names, wanted, **rest), 'redis': {port}}};"
            "sys.exit(entry.main(sys.argv[1:]))"
        )
        asked = ["--scenario", str(SCENARIO), "--data", str(folder), "--no-services", "--servers", "redis,postgres"]
        done = subprocess.run(
            [sys.executable, "-c", program, *asked], capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 1
    assert "redis ended while it was starting (exit code 1)" in done.stdout
    assert "Address already in use" in done.stdout
    assert _users_of(folder) == []


def test_a_disk_that_is_nearly_full_is_refused_before_anything_is_written(folder: Path) -> None:
    text = _refused(folder, "is nearly full", free_bytes_min=2**60)
    assert "\n" not in text
    assert not (folder / "keys").exists()


def test_a_disk_that_fills_up_during_the_start_is_one_error(folder: Path) -> None:
    limit = 8 * 2**20  # of each file: PostgreSQL's log segments are larger
    program = (
        "import resource, sys; from stack import entry;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
        "sys.exit(entry.main(sys.argv[1:]))"
    )
    asked = ["--scenario", str(SCENARIO), "--data", str(folder), "--no-services", "--servers", "redis,postgres"]
    done = subprocess.run(
        [sys.executable, "-c", program, *asked], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "no space left" in done.stdout
    assert "Traceback" not in done.stdout
    assert _users_of(folder) == []


if os.geteuid() == 0:  # only root can mount; the limits above test the same for everybody

    def test_a_full_file_system_is_one_error(folder: Path) -> None:
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", str(folder)], check=True)
        try:
            _refused(folder, "is nearly full")
            text = _refused(
                folder, "no space left", free_bytes_min=1, servers=(Server.POSTGRES, Server.REDIS, Server.CLAMD)
            )
            assert "\n" not in text
        finally:
            subprocess.run(["umount", str(folder)], check=True)

    def test_events_on_a_full_disk_are_still_logged_and_status_says_why(
        folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", str(folder)], check=True)
        try:
            running = control.up(
                SCENARIO, folder / "data", attached=True, services=False, servers=(Server.REDIS,), free_bytes_min=1
            )
            filler = os.open(folder / "filler", os.O_WRONLY | os.O_CREAT)
            with suppress(OSError):
                while os.write(filler, bytes(4096)):
                    pass
            os.close(filler)
            os.kill(running.processes["redis"], signal.SIGKILL)

            def again() -> bool:
                row = running.refresh().state.processes[0]
                return row.state == "ready" and row.restarts == 1

            until(again)
            assert '"died", "name": "redis"' in (folder / "data" / "journal.jsonl").read_text()
            capsys.readouterr()
            assert status.command.main(["--data", str(folder / "data")], standalone_mode=False) == 99
            assert "disk full: 0 MiB free" in capsys.readouterr().out
        finally:
            control.down(folder / "data")
            subprocess.run(["umount", str(folder)], check=True)


def test_a_second_stack_in_the_same_folder_is_refused_and_the_first_lives_on(folder: Path) -> None:
    first = control.up(SCENARIO, folder, attached=True, services=False, servers=(Server.REDIS,))
    try:
        with pytest.raises(control.StackFailure, match=r"a stack already runs in"):
            control.up(SCENARIO, folder, attached=True, services=False, servers=(Server.REDIS,))
        assert first.is_alive
    finally:
        first.stop(wipe=True)


def test_a_wrong_scenario_is_reported_with_file_line_and_field(folder: Path) -> None:
    wrong = folder.parent / "wrong.yaml"
    wrong.write_text("scenario: wrong\nsystem:\n  fanout: {treshold: 300}\n", encoding="utf-8")
    with pytest.raises(control.StackFailure, match=r"wrong.yaml:3: system.fanout.treshold"):
        control.up(wrong, folder, attached=True, services=False)
    with pytest.raises(control.StackFailure, match="No such file"):
        control.up(folder.parent / "none.yaml", folder, attached=True, services=False)


def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    with pytest.raises(control.StackFailure, match="cannot write to"):
        control.up(SCENARIO, folder / "data", attached=True, services=False)


def test_a_server_that_cannot_start_is_reported_with_the_end_of_its_log(folder: Path) -> None:
    broken = folder.parent / "bin"
    broken.mkdir()
    for name in _PROGRAMS:
        found = tools.look_for(name)
        assert found is not None
        (broken / name).symlink_to(found)
    (broken / "redis-server").unlink()
    (broken / "redis-server").write_text("#!/bin/sh\necho this server is broken >&2\nexit 3\n")
    (broken / "redis-server").chmod(0o755)
    program = f"import os; os.environ['PATH'] = {str(broken)!r}; "
    program += "import sys; from stack import entry; sys.exit(entry.main(sys.argv[1:]))"
    asked = ["--scenario", str(SCENARIO), "--data", str(folder), "--no-services"]
    done = subprocess.run(
        [sys.executable, "-c", program, *asked], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "redis ended while it was starting (exit code 3)" in done.stdout
    assert "this server is broken" in done.stdout
    assert _users_of(folder) == []
    shutil.rmtree(broken)
