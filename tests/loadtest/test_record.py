"""The record: what makes a run void, histograms that can be read back, and merged records of several processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from core.names import Outcome
from core.run import SAMPLES, Samples, samples_from_rows
from loadtest import record
from loadtest.acts import outcome_of
from records import run


def samples(lags: list[float], *, first: int = 0, step_seconds: float = 0.1, outcome: str = "ok") -> Samples:
    rows = [
        (first + n, 0, "feed.read", outcome, 200, n * step_seconds, n * step_seconds + lag, 0.010 * (n + 1))
        for n, lag in enumerate(lags)
    ]
    return samples_from_rows(rows)


def load_of(columns: Samples, **values: Any) -> record.Load:
    count = len(columns)
    counts = {"t0_unix_ns": 10**18, "scheduled_count": count, "sent_count": count, "refused_count": 0} | values
    return record.load_of(columns, **counts)


def test_a_run_that_kept_time_is_valid() -> None:
    load = load_of(samples([0.0002] * 200))
    assert (load.void, load.reasons, load.late_count) == (False, (), 0)
    assert load.lag_p99_seconds == pytest.approx(0.0002)


def test_a_generator_that_lagged_voids_its_run() -> None:
    load = load_of(samples([0.0002] * 190 + [0.020] * 10))
    assert load.void
    assert load.reasons == (
        "the generator lagged: p99 20.0 ms, limit 5 ms; its core was taken away in second 19 (10 late, by up to 20 ms)",
    )
    assert load.late_count == 10


def test_a_void_run_names_the_worst_seconds_in_order() -> None:
    late = {2: [0.030] * 3, 5: [0.008], 7: [0.050] * 4, 8: [0.009] * 2}
    lags = [lag for second in range(10) for lag in (late.get(second, []) + [0.0002] * 10)[:10]]
    assert (
        load_of(samples(lags))
        .reasons[0]
        .endswith(
            "its core was taken away in second 2 (3 late, by up to 30 ms), second 7 (4 late, by up to 50 ms), "
            "second 8 (2 late, by up to 9 ms) and 1 more"
        )
    )


def test_lag_in_the_warm_up_and_of_later_steps_voids_nothing() -> None:
    rows = [(0, 0, "feed.read", "ok", 200, -1.0, -0.5, 0.6), (1, 0, "media.create", "ok", 201, 1.0, 1.0, 0.1),
            (1, 1, "object.put", "ok", 200, 1.1, 1.9, 0.9)]  # fmt: skip
    assert not load_of(samples_from_rows(rows), scheduled_count=2, sent_count=2).void


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"sent_count": 9}, "sent 9 of 10 scheduled requests"),
        ({"refused_count": 1}, "the generator refused 1 requests because too many were in flight"),
        ({"stopped": "SIGTERM"}, "the traffic was stopped: SIGTERM"),
        ({"viral_expected": True}, "the viral post could not be written"),
    ],
)
def test_traffic_that_was_not_sent_as_scheduled_makes_the_run_void(values: dict[str, Any], reason: str) -> None:
    load = load_of(samples([0.0] * 10), **values)
    assert load.void
    assert reason in load.reasons


def test_a_run_in_which_nothing_was_sent_is_void_and_can_be_written(tmp_path: Path) -> None:
    empty = samples_from_rows([])
    load = load_of(empty, scheduled_count=5)
    record.write(tmp_path, samples=empty, load=load, claims=[])
    assert record.read_load(tmp_path).reasons == ("sent 0 of 5 scheduled requests",)
    assert len(run.read_samples(tmp_path / run.SAMPLES_FILE)) == 0


def test_histograms_hold_the_latencies_of_what_was_answered() -> None:
    answered, lost = samples([0.0] * 100), samples([0.0] * 7, outcome="lost")
    both = Samples(**{name: np.concatenate([getattr(answered, name), getattr(lost, name)]) for name in SAMPLES.names})
    claims = record.histograms(both)["feed.read"]
    assert (claims["count"], claims["unanswered"]) == (100, 7)
    decoded = HdrHistogram.decode(str(claims["encoded"]))
    assert decoded.get_total_count() == 100
    assert decoded.get_value_at_percentile(50) == pytest.approx(0.5e6, rel=0.002)  # 10 ms … 1 s, in steps of 10 ms


def test_the_records_of_several_processes_become_one(tmp_path: Path) -> None:
    for worker, columns in enumerate((samples([0.0] * 10), samples([0.0] * 10, first=10, step_seconds=0.15))):
        claims: list[dict[str, str | int | float]] = [{"operation": "like.add", "person": worker, "at_seconds": 1.0}]
        record.write(tmp_path / f"worker-{worker}", samples=columns, load=load_of(columns), claims=claims)
    parts = [tmp_path / "worker-0", tmp_path / "worker-1"]
    load = record.merge(tmp_path, parts)
    merged = run.read_samples(tmp_path / run.SAMPLES_FILE)
    assert (load.scheduled_count, load.sent_count, load.void) == (20, 20, False)
    assert sorted(merged.request.tolist()) == list(range(20))
    assert (np.diff(merged.at_seconds) >= 0).all()
    assert len((tmp_path / record.ACKNOWLEDGED_FILE).read_text().splitlines()) == 2
    assert record.merge(tmp_path, parts, missing=1).void


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Outcome.OK),
        (304, {}, Outcome.OK),
        (200, {"X-Feed-Degraded": "timeline"}, Outcome.DEGRADED),
        (429, {}, Outcome.REFUSED),
        (503, {}, Outcome.REFUSED),
        (500, {}, Outcome.FAILED),
        (404, {"X-Feed-Degraded": "timeline"}, Outcome.FAILED),
    ],
)
def test_each_answer_has_its_word(status: int, headers: dict[str, str], outcome: Outcome) -> None:
    assert outcome_of(status, headers) is outcome
