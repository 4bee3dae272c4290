"""Long runs: the same sample path window by window as in one piece, figures from counts, memory that does not grow."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from core import stats, traffic
from core.run import Written
from core.scenario import Scenario, explain
from lab.alone import operations, summarize
from planning.cost import quantities
from planning.simulations import counts
from planning.simulations import one as lab_simulate
from records import run
from sim import simulate as simulation
from sim.model import prepared as prepared_run
from sim.results.outcomes import MOMENTS
from sim.simulate import Result, simulate
from tests.model.small import scenario
from tests.model.synthetic import profile
from tests.model.test_engines import CASES

#: Limits by person, lookups, events that wait on a log, several nodes, several regions, a viral post.
WINDOWED = ("overload, admission and limits", "kill a consumer", "redis nodes and a hot counter", "everything at once")


def _long(monkeypatch: pytest.MonkeyPatch, *, window: int, rows: int = 1_000_000) -> None:
    """Runs are long from here on, and their windows small."""
    monkeypatch.setattr(prepared_run, "WHOLE_MAX", 30)
    monkeypatch.setattr(prepared_run, "WINDOW", window)
    monkeypatch.setattr(simulation, "WHOLE_MAX", rows)


def _told(result: Result) -> dict[str, Any]:
    rows = {name: getattr(result.samples, name).tolist() for name in ("request", "step", "outcome", "latency_seconds")}
    rest = (result.usage, result.stages, result.caches, result.ledger, result.jobs, result.journal)
    return {**rows, "rest": rest, **result.facts}


@pytest.mark.parametrize("name", WINDOWED)
def test_a_run_in_windows_is_the_run_in_one_piece(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = simulate(scenario(**CASES[name]), profile(), engine="compiled")
    _long(monkeypatch, window=20)
    assert _told(simulate(scenario(**CASES[name]), profile(), engine="compiled")) == _told(whole)


def test_the_reference_takes_windows_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = scenario(duration="3s", viral={"at": "1s", "author": {"followers": 50}, "factor": 4})
    whole = simulate(asked, profile(), engine="simpy")
    _long(monkeypatch, window=20)
    assert _told(simulate(asked, profile(), engine="simpy")) == _told(whole)


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize("arrivals", ["poisson", "steady", "diurnal"])
def test_windows_of_any_size_are_the_whole_schedule(
    size: int, arrivals: Literal["poisson", "steady", "diurnal"]
) -> None:
    asked = _arriving(arrivals)
    whole, windows = traffic.draw_schedule(asked), list(traffic.windows(asked, size=size))
    for name in ("at_seconds", "act", "person", "target"):
        assert np.concatenate([getattr(window, name) for window in windows]).tolist() == getattr(whole, name).tolist()
    assert [window.first for window in windows] == np.cumsum([0, *map(len, windows)])[:-1].tolist()


def _arriving(arrivals: Literal["poisson", "steady", "diurnal"]) -> Scenario:
    asked = scenario(
        viral={"at": "1s", "author": {"followers": 50}, "factor": 6, "rise": "1s", "fall": "2s"},
        regions={"east": {"people": "60%"}, "west": {"people": "40%", "utc_offset": "-6h"}},
    )
    return replace(asked, traffic=replace(asked.traffic, arrivals=arrivals))


def test_figures_of_a_long_run_come_from_all_requests_and_its_rows_are_every_kth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = scenario(duration="20s", rate="60/s")
    whole = simulate(asked, profile(), engine="compiled")
    _long(monkeypatch, window=200, rows=300)
    long = simulate(asked, profile(), engine="compiled")
    every = long.outcomes.every
    assert every == 5  # 21 s at 60/s are 1,260 requests
    assert long.samples.request.tolist() == [each for each in whole.samples.request.tolist() if each % every == 0]
    assert long.facts["rows_kept_ratio"] == 1 / every
    assert long.facts["answers_count"] == len(whole.samples)
    assert long.ledger == whole.ledger
    judged = whole.samples.judged()
    for name, served in long.outcomes.services().items():
        rows = judged.of(name)
        assert served.count == len(rows)
        assert (
            served.by_second.sum(axis=0).tolist()
            == np.bincount(np.minimum(rows.at_seconds.astype(int), 19), minlength=20).tolist()
        )
        median = served.quantile_seconds(0.5)
        assert median == pytest.approx(float(np.quantile(rows.latency_seconds, 0.5)), rel=0.004)


def test_a_long_run_is_written_with_its_counts_and_told_by_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = scenario(duration="20s", rate="60/s")
    whole = simulate(asked, profile(), engine="compiled").samples.judged()
    _long(monkeypatch, window=200, rows=300)
    long = simulate(asked, profile(), engine="compiled")
    written = Written(started="", finished="", wall_seconds=0.0)
    how: dict[str, Any] = {"calibration": "p", "speed": 1.0, "own_profile": False, "written": written}
    record = lab_simulate.write(tmp_path / "run", asked, explain(asked), long, **how)
    assert record.validity.sent_count == long.outcomes.count
    back = run.read(tmp_path / "run")
    assert back.rows_kept_ratio == 0.2
    services, counted = long.outcomes.services(), counts.read(tmp_path / "run", duration_seconds=20.0)
    assert counted is not None
    assert counted.keys() == services.keys()
    for name, service in services.items():
        assert counted[name].by_second.tolist() == service.by_second.tolist()
        assert counted[name].latency.counts.tolist() == service.latency.counts.tolist()
    row = next(line for line in summarize(back).splitlines() if line.startswith("feed.read"))
    assert row.split()[1] == f"{services['feed.read'].count:,}"
    assert "kept for 1 request in 5" in summarize(back)
    told = {line.name: line.per_second for line in operations(back)}
    for name, found in told.items():
        sure = stats.visits_rate(whole.of(name).request, seconds=20.0)
        assert found.high - found.low == pytest.approx(sure.high - sure.low, rel=0.25)
    used = quantities.of_run(back).per_second["feed.read"]
    assert used == pytest.approx(services["feed.read"].count / 20.0, rel=0.15)  # of a fifth of the rows


def test_means_by_moment_are_those_of_what_began_then_and_unknown_where_nobody_came() -> None:
    result = simulate(scenario(rate="1/s", duration="30s"), profile(), engine="simpy")
    moments = np.floor((result.samples.at_seconds + 1.0) * MOMENTS).astype(int)
    found = result.outcomes.means()
    assert len(found) == 31 * MOMENTS
    assert np.flatnonzero(np.isfinite(found)).tolist() == np.unique(moments).tolist()
    means = [result.samples.latency_seconds[moments == each].mean() for each in np.unique(moments)]
    assert found[np.unique(moments)].tolist() == pytest.approx(means)


#: Answers, and peak memory in kB, of a run of so many seconds at 1,000/s, in windows or in one piece.
_MEMORY = """
import sys
from pathlib import Path
from sim import simulate
from sim.model import prepared
from tests.model.small import scenario
from tests.model.synthetic import profile
prepared.WHOLE_MAX = simulate.WHOLE_MAX = int(sys.argv[2])
prepared.WINDOW = 5_000
asked = scenario(duration=sys.argv[1], rate="1000/s", mix={"image.read": "90%", "like.add": "10%"},
                 placement={"cores": {"stack": [0, 1]}})
result = simulate.simulate(asked, profile(), engine="compiled")
status = Path("/proc/self/status").read_text()  # getrusage would tell of the parent as well
print(result.outcomes.count, next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def _peak(duration: str, *, whole_max: int = 20_000) -> tuple[int, int]:
    command = [sys.executable, "-c", _MEMORY, duration, str(whole_max)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.split()
    return int(said[0]), int(said[1])


def test_memory_does_not_grow_with_the_length_of_a_run() -> None:
    short, long = _peak("20s"), _peak("120s")
    assert long[0] > 5 * short[0]
    assert long[1] < short[1] + 8_000
    whole = _peak("120s", whole_max=1_000_000)
    assert whole[0] == long[0]
    assert whole[1] > short[1] + 16_000
