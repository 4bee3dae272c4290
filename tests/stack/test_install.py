"""The installer finds what is installed without a network, and rejects files whose digest is not the committed one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stack import install
from stack.deployment import FOLDER
from stack.failure import StackFailure
from stack.install import debian, maven, tools


def test_a_second_installation_finds_nothing_to_do_and_needs_no_network() -> None:
    assert not install.ensure(("run",))
    # the same with every tool that could reach a network out of reach
    done = subprocess.run(
        [sys.executable, "-m", "stack.install"],
        env={**os.environ, "PATH": "/nonexistent:" + os.environ["PATH"], "http_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_looking_runs_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(subprocess, "run", started.append)
    monkeypatch.setattr(subprocess, "Popen", started.append)
    assert install.missing(("run", "test")) == install.missing(("test", "run"))
    assert started == []


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDTUNNEL_CACHE", str(tmp_path))
    needed = install.missing(("run",))
    assert needed.programs == ("toxiproxy", "versitygw")
    assert needed.jars
    with pytest.raises(StackFailure, match="no group is called tset"):
        install.missing(("tset",))


def test_without_root_the_error_has_the_exact_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(StackFailure) as failure:
        debian.install(["varnish", "haproxy"])
    assert "apt-get install -y --no-install-recommends haproxy varnish" in str(failure.value)


def test_the_jars_in_use_are_the_committed_ones_and_an_altered_one_is_refused(tmp_path: Path) -> None:
    maven.verify(tools.jars())
    for jar in tools.jars().glob("*.jar"):
        (tmp_path / jar.name).symlink_to(jar)
    maven.verify(tmp_path)
    altered = next(tmp_path.glob("kafka-clients*.jar"))
    content = bytearray(altered.read_bytes())
    content[-1] ^= 1
    altered.unlink()
    altered.write_bytes(content)
    with pytest.raises(StackFailure, match=altered.name):
        maven.verify(tmp_path)
    altered.unlink()
    with pytest.raises(StackFailure, match=altered.name):
        maven.verify(tmp_path)


def test_built_programs_have_the_pinned_versions() -> None:
    said = subprocess.run([tools.find("toxiproxy"), "-version"], capture_output=True, text=True, check=True, timeout=20)
    assert tools.BUILT["toxiproxy"] in said.stdout + said.stderr
    for program in ("toxiproxy", "versitygw"):
        assert "h1:" in (FOLDER / "go" / program / "go.sum").read_text()
