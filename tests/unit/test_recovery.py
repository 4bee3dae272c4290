"""Recovery on seconds and samples with a known truth."""

from __future__ import annotations

import numpy as np
import pytest

from core.names import Outcome
from core.recovery import back_after, disturbed, recovery
from core.run import Samples, samples_from_rows
from core.scenario import Scenario, parse

BURST = """
scenario: known
traffic: {warm_up: 0s, duration: 40s, rate: 40/s, phases: [{at: 5s, for: 5s, factor: 3}]}
expect:
  feed.read: {p95: < 300ms, errors: < 1%}
"""


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ("....................", 0.0),
        ("xxx.................", 3.0),  # bad from the beginning on
        ("x...................", 1.0),
        (".........x.......x..", 0.0),  # single bad seconds are no verdict
        ("xxx.xx.xx...........", 9.0),
        ("..........xxxx......", 14.0),  # good for a while, then it tips and comes back
        ("..............xxxxxx", None),
        ("xxxxxxxxxxxxxxx..xxx", None),
        ("...............x..x.", 0.0),  # two of the last five
        ("xxxxxxxxxxxxxxxxxx..", None),  # three of the last five
        ("xxxxxxxxxxxxxxxxx...", 17.0),
        ("xxx", None),  # fewer than five
        ("x..", 1.0),
        ("", 0.0),
    ],
)
def test_the_time_to_come_back_is_the_end_of_the_last_stretch_that_is_down(
    seconds: str, expected: float | None
) -> None:
    assert back_after([each == "x" for each in seconds]) == expected


def test_recovery_begins_at_the_end_of_a_burst_and_at_the_beginning_of_a_fall() -> None:
    burst = parse(BURST)
    fall = parse(BURST.replace("factor: 3}", "factor: 3}, {at: 20s, for: 20s, factor: 0.5}"))
    assert disturbed(burst) == (5.0, 10.0)
    assert disturbed(fall) == (20.0, 20.0)


def answered(slow: range, *, outcome: Outcome = Outcome.OK, per_second: int = 20) -> Samples:
    """Twenty feed reads in each of forty seconds, of which those that begin in ``slow`` take a second and end so."""
    rows = []
    for number in range(40 * per_second):
        at = number / per_second
        bad = int(at) in slow
        ends = outcome if bad else Outcome.OK
        rows.append((number, 0, "feed.read", ends.value, 200, at, at, 1.0 if bad else 0.05))
    return samples_from_rows(rows)


def _recovery(scenario: Scenario, samples: Samples) -> tuple[float | None, float, float, float]:
    found = recovery(scenario, samples)
    assert found is not None
    return found.after_seconds, found.goodput_ratio, found.degraded_ratio, found.refused_ratio


def test_slow_and_failed_requests_after_a_burst_are_told() -> None:
    scenario = parse(BURST)
    assert _recovery(scenario, answered(range(5, 12))) == (2.0, 1.0, 0.0, 0.0)
    assert _recovery(scenario, answered(range(5, 40), outcome=Outcome.DEGRADED)) == (None, 0.0, 1.0, 0.0)
    after, goodput, _, refused = _recovery(scenario, answered(range(5, 15), outcome=Outcome.REFUSED))
    assert (after, goodput) == (5.0, 1.0)
    assert refused == pytest.approx(10 / 35)  # of all from the beginning of the burst on


def test_what_the_scenario_does_not_limit_is_not_looked_at() -> None:
    likes = answered(range(5, 40), outcome=Outcome.FAILED)
    both = samples_from_rows(
        [
            *zip(*(getattr(answered(range(0)), name) for name in _COLUMNS), strict=True),
            *((*row[:2], "like.add", *row[3:]) for row in zip(*(getattr(likes, n) for n in _COLUMNS), strict=True)),
        ]
    )
    assert _recovery(parse(BURST), both) == (0.0, 1.0, 0.0, 0.0)


_COLUMNS = ("request", "step", "operation", "outcome", "status", "at_seconds", "sent_seconds", "latency_seconds")


def test_without_a_phase_or_limits_there_is_no_recovery() -> None:
    samples = answered(range(0))
    assert recovery(parse(BURST.replace(", phases: [{at: 5s, for: 5s, factor: 3}]", "")), samples) is None
    assert recovery(parse(BURST.partition("expect")[0]), samples) is None
    assert np.array_equal(samples.judged().at_seconds, samples.at_seconds)
