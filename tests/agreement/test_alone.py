"""One run alone: every figure has an interval, which allows for the correlation of requests that queue."""

from __future__ import annotations

from dataclasses import replace

import click
import msgspec
import numpy as np
import pytest

from core import stats
from core.names import Origin, Outcome
from core.run import Run
from lab.alone import operations, summarize
from present.tables import WIDTH
from records import run
from tests.agreement import synthetic


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A synthetic simulated run."""
    folder = tmp_path_factory.mktemp("alone")
    synthetic.write_side(folder, Origin.SIMULATED)
    return run.read(folder / "simulated")


def test_every_operation_has_an_interval_and_what_was_never_seen_has_a_bound(side: Run) -> None:
    text = click.unstyle(summarize(side))
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    judged = next(line for line in text.splitlines() if "feed.read p95, outside faults" in line)
    assert judged.count("±") == 1
    for each in operations(side):
        assert each.name in lines
        carried = [found for found in each.quantiles if found is not None]
        figures = [*carried, each.per_second, *([each.errors_ratio] if each.errors_ratio.value else [])]
        assert lines[each.name].count("±") == len([found for found in figures if found.low < found.high])
        assert all(found.low <= found.value <= found.high for found in figures)
        assert ("<" in lines[each.name]) == (each.errors_ratio.value == 0)


def test_refused_requests_are_counted_by_operation(side: Run) -> None:
    assert "refused" not in click.unstyle(summarize(side))
    outcomes = side.samples.outcome.copy()
    likes = np.flatnonzero((side.samples.operation == "like.add") & (side.samples.at_seconds >= 0.0))
    outcomes[likes[:7]] = Outcome.REFUSED.value
    refused = replace(side, samples=replace(side.samples, outcome=outcomes))
    assert "ERRORS refused of the judged requests: like.add 7" in " ".join(click.unstyle(summarize(refused)).split())


def test_a_percentile_at_the_time_limit_has_no_interval_and_is_explained(side: Run) -> None:
    latencies = side.samples.latency_seconds.copy()
    outcomes = side.samples.outcome.copy()
    likes = np.flatnonzero((side.samples.operation == "like.add") & (side.samples.at_seconds >= 0.0))
    latencies[likes] = side.scenario.traffic.timeout_seconds
    outcomes[likes[: len(likes) // 2]] = Outcome.TIMEOUT.value
    late = replace(side, samples=replace(side.samples, latency_seconds=latencies, outcome=outcomes))
    text = click.unstyle(summarize(late))
    (line,) = [line for line in text.splitlines() if line.startswith("like.add ")]
    assert line.count(">5,000") == 2  # too few requests for a p99
    assert "is the client's time limit" in " ".join(text.split())
    assert "time limit" not in click.unstyle(summarize(side))


def test_what_saturates_is_named(side: Run) -> None:
    sentence = "no steady state, first saturated: host stack at ρ = 1.40 in the mean"
    record = msgspec.structs.replace(side.record, facts={**side.record.facts, "no_steady_state": sentence})
    full = replace(side, record=record)
    text = " ".join(click.unstyle(summarize(full)).split())
    assert "WARN no steady state: first saturated: host stack at ρ = 1.40 in the mean" in text
    assert "no steady state" not in click.unstyle(summarize(side))


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


def test_a_rates_interval_depends_on_the_number_of_visits_only() -> None:
    draw = np.random.default_rng(5)
    held = alone = 0
    for _ in range(300):
        minutes = draw.poisson([40, 40, 400, 40])  # a peak that comes once is no doubt about the mean
        visits = np.repeat(np.arange(minutes.sum()), draw.geometric(0.25, minutes.sum()))  # four requests each
        found = stats.visits_rate(visits, seconds=240.0)
        held += found.low <= 520 * 4 / 240 <= found.high
        alone += abs(found.value - 520 * 4 / 240) <= 1.96 * len(visits) ** 0.5 / 240
    assert held >= 275
    assert alone <= 200


def test_a_share_is_known_between_pieces_of_time_and_of_what_was_never_seen_there_is_a_bound() -> None:
    at = np.arange(1_000) / 10.0
    found = stats.blocked_share(np.arange(1_000) % 50 == 0, at, seconds=100.0)
    assert found.value == found.low == found.high == pytest.approx(0.02)  # each piece has as many
    found = stats.blocked_share(at < 5.0, at, seconds=100.0)
    assert found.value == pytest.approx(0.05)
    assert (found.low, found.high) == (0.0, pytest.approx(0.05 + 2.262 * 0.05, rel=0.01))  # all in one of ten pieces
    assert stats.blocked_share(at < 0, at, seconds=100.0) == stats.Estimate(value=0.0, low=0.0, high=0.003)
    assert stats.blocked_share(at >= 0, at, seconds=100.0) == stats.Estimate(value=1.0, low=0.997, high=1.0)
    assert np.isnan(stats.blocked_share([], [], seconds=1.0).value)
