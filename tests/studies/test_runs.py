"""Running studies: same bytes everywhere, results are kept, a dead worker is named and leaves nothing behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import distributed
import psutil
import pytest

from core.errors import UserError
from core.scenario import parse
from planning.simulations import runners
from planning.simulations.cluster import Cluster
from planning.simulations.results import RESULTS_FILE, Results
from planning.simulations.runners import Inline, Runner, StudyPool
from planning.simulations.task import Setup, setup, tasks
from planning.studies import grid
from planning.studies.grid import Axis
from planning.sweep import study as sweeps
from planning.sweep.record import write
from tests.model import synthetic
from tests.studies.conftest import BUSY, ROOT, TINY, here, simulator, windtunnel
from tests.waiting import until

AXES = (grid.axis("traffic.rate=20/s,40/s"), grid.axis("system.shards.physical=1,2"))
FILES = ("sweep.csv", "sweep.parquet", "sweep.json")
#: Long enough that some of it is left to do when it is stopped.
LONGER = TINY.replace("duration: 2s", "duration: 6s")
RATES = "traffic.rate=20/s..40/s:4"
#: Long enough that it is at work when it is killed.
LONG = TINY.replace("duration: 2s", "duration: 600s")
SECONDS_MAX = 60.0


class Counting:
    """Counts what is run."""

    def __init__(self, inner: Runner):
        self._inner, self.count = inner, 0

    def run(self, wanted: Sequence[object], shared: Setup) -> Iterator[object]:
        self.count += len(wanted)
        return self._inner.run(wanted, shared)  # type: ignore[arg-type]

    def __enter__(self) -> Counting:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._inner.__exit__(*error)  # type: ignore[arg-type]


def _sweep(
    runner: Runner, folder: Path, shared: Setup, *, axes: tuple[Axis, ...] = AXES, text: str = TINY, force: bool = False
) -> dict[str, bytes]:
    with simulator(folder, runner, shared, force=force) as simulates:
        found = sweeps.make(parse(text), grid.points(text, axes), axes, replications=2, simulator=simulates)
    write(found, folder)
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory, shared: Setup) -> dict[str, bytes]:
    """What the sweep gives in this process."""
    return _sweep(Inline(), tmp_path_factory.mktemp("inline"), shared)


def test_a_pool_gives_the_bytes_that_this_process_gives(
    in_process: dict[str, bytes], tmp_path: Path, shared: Setup
) -> None:
    assert _sweep(StudyPool(2), tmp_path, shared) == in_process
    assert not multiprocessing.active_children()
    rows = (tmp_path / "sweep.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 4 * 2
    assert rows[0].startswith('"traffic.rate","system.shards.physical","replication"')


def test_a_dask_cluster_gives_the_same_and_one_that_is_not_there_is_told(
    in_process: dict[str, bytes], tmp_path: Path, shared: Setup
) -> None:
    from distributed import LocalCluster

    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        assert _sweep(Cluster(address), tmp_path, shared) == in_process
    with pytest.raises(UserError, match=f"no Dask cluster with workers answers at {address}"):
        _sweep(Cluster(address, connect_seconds=0.5), tmp_path / "gone", shared)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, dict[str, subprocess.Popen[bytes]]]]:
    """A Dask scheduler with a worker, each a process of its own; their address."""
    file, started = tmp_path / "scheduler.json", dict[str, subprocess.Popen[bytes]]()
    words = {
        "scheduler": ["--port", "0", "--no-dashboard", "--host", "127.0.0.1"],
        "worker": ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"],
    }
    try:
        for name, options in words.items():
            module = f"distributed.cli.dask_{name}"
            command = [sys.executable, "-m", module, "--scheduler-file", str(file), *options]
            started[name] = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(file.exists, "the scheduler says where it is", within_seconds=SECONDS_MAX)
        until(lambda: "address" in file.read_text(encoding="utf-8"), "all of it", within_seconds=SECONDS_MAX)
        yield json.loads(file.read_text(encoding="utf-8"))["address"], started
    finally:
        for process in started.values():
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("dies", "said"),
    [("scheduler", "the scheduler at .* does not answer any more"), ("worker", "all workers of .* are gone")],
)
def test_a_cluster_of_which_a_part_dies_is_a_sentence(
    cluster: tuple[str, dict[str, subprocess.Popen[bytes]]],
    tmp_path: Path,
    shared: Setup,
    monkeypatch: pytest.MonkeyPatch,
    dies: str,
    said: str,
) -> None:
    monkeypatch.setattr("planning.simulations.cluster._ALONE_SECONDS", 5.0)
    address, started = cluster
    busy = psutil.Process(started["worker"].pid)
    with distributed.Client(address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
        client.wait_for_workers(1, timeout=SECONDS_MAX)  # type: ignore[no-untyped-call]
    idle = busy.cpu_times().user  # it has started, and does nothing more until it gets work

    def kill() -> None:
        until(lambda: busy.cpu_times().user > idle + 1.0, "the worker simulates", within_seconds=SECONDS_MAX)
        started[dies].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(UserError, match=f"{said}.*; finished simulations are kept") as caught:
            _sweep(
                Cluster(address, connect_seconds=20.0), tmp_path / "out", setup(synthetic.profile(), "simpy"), text=LONG
            )
    finally:
        killer.join()
    assert caught.value.exit_code == 3


def test_a_second_call_does_only_what_is_missing_and_force_starts_again(
    in_process: dict[str, bytes], tmp_path: Path, shared: Setup
) -> None:
    first, again, wider, forced = (Counting(Inline()) for _ in range(4))
    assert _sweep(first, tmp_path, shared) == in_process
    assert _sweep(again, tmp_path, shared) == in_process
    _sweep(wider, tmp_path, shared, axes=(AXES[0], grid.axis("system.shards.physical=1,2,4")))
    _sweep(forced, tmp_path, shared, axes=(grid.axis("traffic.rate=20/s"),), force=True)
    assert (first.count, again.count, wider.count, forced.count) == (8, 0, 4, 2)


def test_what_a_result_depends_on_makes_it_another(tmp_path: Path, shared: Setup) -> None:
    base = parse(TINY)
    other_profile = setup(synthetic.profile(variation=0.1))
    other_setting = grid.point(TINY, (("traffic.rate", "20/s"),)).scenario
    keys = [
        tasks(base, "a", range(1), shared)[0].key,
        tasks(base, "a", range(1, 2), shared)[0].key,
        tasks(base, "a", range(1), other_profile)[0].key,
        tasks(base, "a", range(1), setup(synthetic.profile(), "simpy"))[0].key,
        tasks(other_setting, "a", range(1), shared)[0].key,
    ]
    assert len(set(keys)) == len(keys)
    assert tasks(parse("# another comment\n" + TINY), "b", range(1), shared)[0].key == keys[0]


def test_the_seed_may_be_a_setting(tmp_path: Path, shared: Setup) -> None:
    _sweep(Inline(), tmp_path, shared, axes=(grid.axis("seed=5,6"),))
    names = [record["name"] for record in map(json.loads, (tmp_path / RESULTS_FILE).read_text().splitlines())]
    assert len(names) == len(set(names)) == 4


def test_a_line_that_a_kill_cut_off_is_done_again(in_process: dict[str, bytes], tmp_path: Path, shared: Setup) -> None:
    _sweep(Inline(), tmp_path, shared)
    path = tmp_path / RESULTS_FILE
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 40])
    again = Counting(Inline())
    assert _sweep(again, tmp_path, shared) == in_process
    assert again.count == 1
    assert path.read_bytes() == data


def test_two_studies_do_not_write_one_file_and_what_is_no_result_is_told(tmp_path: Path) -> None:
    with Results(tmp_path), pytest.raises(UserError, match="another study"), Results(tmp_path):
        pass
    (tmp_path / RESULTS_FILE).write_text('{"key": 1}\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"results\.jsonl:1.*--force"), Results(tmp_path):
        pass


@pytest.mark.parametrize(("held", "kind"), [("tune", "sweep"), ("sweep", "tune"), ("tune", "diff"), ("diff", "sweep")])
def test_a_folder_of_another_study_is_refused_with_what_it_holds(held: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / f"{held}.json").write_text("{}", encoding="utf-8")
    for force in (False, True):
        with pytest.raises(UserError, match=rf"holds a {held} \({held}\.json\), and this is a {kind}; .*--out"):
            Results(tmp_path, kind=kind, force=force)
    assert [path.name for path in tmp_path.iterdir()] == [f"{held}.json"]
    with Results(tmp_path, kind=held):
        pass


@pytest.mark.parametrize("kind", ["sweep", "diff", "tune"])
def test_the_help_shows_two_examples_as_they_are_written(kind: str) -> None:
    examples = here(kind, "--help").partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert sum(line.strip().startswith(f"windtunnel {kind} ") for line in examples) == 2
    assert all(len(line) <= 80 for line in examples)


def test_each_command_refuses_the_folder_of_another(tiny: Path, profile: Path, tmp_path: Path) -> None:
    commands = {
        "sweep": ["sweep", str(tiny), "--set", "traffic.rate=20/s"],
        "diff": ["diff", str(tiny), str(tiny)],
        "tune": ["tune", str(tiny)],
    }
    for kind, words in commands.items():
        folder = tmp_path / kind
        folder.mkdir()
        held = "diff" if kind != "diff" else "tune"
        (folder / f"{held}.json").write_text("{}", encoding="utf-8")
        done = windtunnel(*words, "--profile", profile, "--out", folder)
        assert done.returncode == 2
        assert f"holds a {held}" in done.stderr
        assert len(list(folder.iterdir())) == 1


def test_a_client_that_does_not_connect_is_closed_without_a_word(tiny: Path, profile: Path, tmp_path: Path) -> None:
    words = ["sweep", tiny, "--set", "traffic.rate=20/s", "--profile", profile, "--out", tmp_path / "out"]
    done = windtunnel(*words, "--scheduler", "nonsense")
    assert done.returncode == 2
    assert "no Dask cluster" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_worker_that_dies_names_its_setting_and_the_rest_is_kept(tmp_path: Path, shared: Setup) -> None:
    killed: list[int] = []

    def kill() -> None:
        until(lambda: bool(multiprocessing.active_children()), "a worker")
        for child in multiprocessing.active_children():
            killed.append(child.pid or 0)
            child.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(UserError, match=r"traffic\.rate=30/s \(replication [01]\): the worker .* died") as told:
        _sweep(StudyPool(1), tmp_path, shared, text=LONG, axes=(grid.axis("traffic.rate=30/s"),))
    killer.join()
    assert told.value.exit_code == 3
    assert killed
    assert not multiprocessing.active_children()


def test_a_worker_that_is_frozen_is_not_waited_for(
    tmp_path: Path, shared: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "_ASK_SECONDS", 0.1)
    monkeypatch.setattr(runners, "_FROZEN_SECONDS", 1.0)
    stopped: list[int] = []

    def stop() -> None:
        until(lambda: bool(multiprocessing.active_children()), "a worker")
        for child in multiprocessing.active_children():
            stopped.append(child.pid or 0)
            os.kill(child.pid or 0, signal.SIGSTOP)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(
        UserError, match=r"traffic\.rate=30/s \(replication [01]\): the worker .* no processor time"
    ) as told:
        _sweep(StudyPool(1), tmp_path, shared, text=LONG, axes=(grid.axis("traffic.rate=30/s"),))
    stopper.join()
    assert told.value.exit_code == 3
    assert stopped
    assert not multiprocessing.active_children()


def test_a_scenario_that_cannot_be_simulated_is_told_with_its_setting(tmp_path: Path, shared: Setup) -> None:
    text = TINY + "prices: 1999-01\n"
    with pytest.raises(UserError, match=r"traffic\.rate=30/s \(replication 0\): there is no price book"):
        _sweep(Inline(), tmp_path, shared, text=text, axes=(grid.axis("traffic.rate=30/s"),))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The results of the longer sweep in one run."""
    folder = tmp_path_factory.mktemp("whole")
    return _sweep(Inline(), folder, setup(synthetic.profile(), "simpy"), text=LONGER, axes=(grid.axis(RATES),))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)], ids=["killed", "ctrl-c"])
def test_a_sweep_that_is_stopped_leaves_no_process_and_goes_on(
    number: signal.Signals, code: int, tiny: Path, profile: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    tiny.write_text(LONGER, encoding="utf-8")
    out = tmp_path / "out"
    words = [sys.executable, "-m", "cli", "sweep", str(tiny), "--set", RATES, "--replications", "2"]
    words += ["--profile", str(profile), "--out", str(out), "--workers", "2", "--engine", "simpy"]
    child = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: _lines(out) >= 2 or child.poll() is not None, "two results")
        mine = psutil.Process(child.pid).children(recursive=True)
        os.kill(child.pid, number)
        said = child.communicate(timeout=SECONDS_MAX)
    finally:
        child.kill()
    assert child.returncode == code, said
    assert len(mine) >= 2
    assert not psutil.wait_procs(mine, timeout=10)[1]
    assert "Traceback" not in said[1]

    kept = _lines(out)
    assert 2 <= kept < 8
    rest = Counting(Inline())
    finished = _sweep(rest, out, setup(synthetic.profile(), "simpy"), text=LONGER, axes=(grid.axis(RATES),))
    assert rest.count == 8 - kept
    assert finished == whole


def test_a_wrong_field_ends_the_command_with_what_was_expected(tiny: Path, tmp_path: Path) -> None:
    wrong = windtunnel("sweep", tiny, "--set", "system.fanout.treshold=1,2", "--out", tmp_path / "no")
    assert wrong.returncode == 2
    assert "system.fanout.treshold" in wrong.stderr
    assert "did you mean threshold?" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_the_command_shows_a_table_a_page_and_a_record(tiny: Path, profile: Path, tmp_path: Path) -> None:
    tiny.write_text(BUSY, encoding="utf-8")
    words = ["sweep", str(tiny), "--set", "system.fanout.threshold=5,15", "--replications", "2", "--workers", "1"]
    words += ["--engine", "simpy", "--profile", str(profile), "--out", str(tmp_path / "out")]
    said = here(*words)
    assert "2 settings; feed.read p95 from" in said
    assert all(len(line) <= 80 for line in said.splitlines() if str(tmp_path) not in line)
    page = (tmp_path / "out" / "sweep.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2 * page.count("<figure>")
    told = json.loads(here(*words, "--json"))
    assert [point["settings"] for point in told["points"]] == [
        {"system.fanout.threshold": "5"},
        {"system.fanout.threshold": "15"},
    ]
    expected = r"--show feed.reed.p95_seconds: no simulation has this figure; expected one such as feed\.read\."
    with pytest.raises(UserError, match=expected):
        here(*words, "--show", "feed.reed.p95_seconds")


def _lines(folder: Path) -> int:
    path = folder / RESULTS_FILE
    return path.read_bytes().count(b"\n") if path.exists() else 0
