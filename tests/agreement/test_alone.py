"""One run alone: every figure with how sure it is, which allows for requests that wait for each other."""

from __future__ import annotations

import click
import numpy as np
import pytest

from core import run, stats
from core.names import Origin
from lab.alone import operations, summarize
from lab.tables import WIDTH
from tests.agreement import synthetic


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> run.Run:
    """A synthetic simulated run."""
    folder = tmp_path_factory.mktemp("alone")
    synthetic.write_side(folder, Origin.SIMULATED)
    return run.read(folder / "simulated")


def test_every_operation_stands_there_with_an_interval_and_what_was_never_seen_below_a_bound(side: run.Run) -> None:
    text = click.unstyle(summarize(side))
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert "feed.read p95, outside faults" in text
    for each in operations(side):
        assert each.name in lines
        carried = [found for found in each.quantiles if found is not None]
        assert lines[each.name].count("±") == len([found for found in carried if found.low < found.high])
        assert all(found.low <= found.value <= found.high for found in carried)
        assert ("<" in lines[each.name]) == (each.errors_ratio == 0)


def _waiting(seed: int, *, busy: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Times in an M/M/1 (service 1 s in the mean) and when they began: each waits for those before it."""
    draw = np.random.default_rng(seed)
    arrivals = np.cumsum(draw.exponential(1.0 / busy, count))
    work = draw.exponential(1.0, count)
    ends = np.empty(count)
    free = 0.0
    for number in range(count):
        free = max(free, arrivals[number]) + work[number]
        ends[number] = free
    return ends - arrivals, arrivals


def test_intervals_hold_the_truth_where_those_of_independent_samples_do_not() -> None:
    truth = -np.log(0.05) / (1.0 - 0.8)  # p95 of an exponential with rate µ − λ
    blocked = independent = 0
    for seed in range(100):
        times, at = _waiting(seed, busy=0.8, count=8_000)
        inside = stats.blocked_quantile(times, at, 0.95, seconds=float(at[-1]))
        blocked += inside.low <= truth <= inside.high
        naive = stats.quantile_interval(times, 0.95)
        independent += naive.low <= truth <= naive.high
    assert blocked >= 85
    assert independent <= 60


def test_what_happens_in_one_piece_of_time_alone_has_no_interval() -> None:
    found = stats.blocked_quantile([1.0, 2.0, 3.0], [0.1, 0.2, 0.3], 0.5, seconds=100.0)
    assert found.value == 2.0
    assert found.low == -np.inf
    assert found.high == np.inf
