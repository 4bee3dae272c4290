"""Verdicts on samples with a known truth, and on samples that must not be judged."""

import numpy as np
import pytest

from core import judge
from core.names import Outcome
from core.run import Samples, samples_from_rows
from core.scenario import parse

SCENARIO = """
scenario: known
traffic: {warm_up: 5s, duration: 60s, rate: 40/s, timeout: 5s}
faults:
  - {at: 40s, for: 10s, link: feed_redis, latency: 300ms}
expect:
  feed.read: {p95: < 300ms, errors: < 1%, outside: faults}
  like.add: {p99: < 200ms, lost: 0}
  recovers: within 5s
"""


def row(at: float, operation: str, latency: float, outcome: Outcome = Outcome.OK) -> tuple[object, ...]:
    status = {Outcome.OK: 200, Outcome.REFUSED: 503, Outcome.FAILED: 500}.get(outcome, 0)
    return (0, 0, operation, outcome.value, status, at, at, latency)


def steady(
    operation: str, per_second: int, latency: float, begin: float = -5.0, end: float = 60.0
) -> list[tuple[object, ...]]:
    times = np.arange(int(begin * per_second), int(end * per_second)) / per_second
    return [row(float(at), operation, latency) for at in times]


def samples(*parts: list[tuple[object, ...]]) -> Samples:
    return samples_from_rows([each for part in parts for each in part])  # type: ignore[misc]


def by_name(judgement: judge.Judgement) -> dict[str, judge.Verdict]:
    return {verdict.name: verdict for verdict in judgement.verdicts}


def test_a_run_that_meets_every_limit_holds_with_its_margins() -> None:
    found = judge.judge(
        parse(SCENARIO),
        samples(steady("feed.read", 20, 0.1), steady("like.add", 20, 0.05)),
        ledger={"like.add.acknowledged": 1200, "like.add.lost": 0},
    )
    assert found.held is True
    verdicts = by_name(found)
    assert list(verdicts) == [
        "feed.read p95, outside faults",
        "feed.read errors, outside faults",
        "like.add p99",
        "like.add lost",
        "recovers",
    ]
    assert verdicts["feed.read p95, outside faults"].margin == pytest.approx(0.2)
    assert verdicts["recovers"].value == 0.0
    assert found.lost_count == 0
    assert found.depth_seconds == pytest.approx(0.1)


def test_requests_that_overlap_a_fault_are_excluded_only_if_the_scenario_says_so() -> None:
    feed = steady("feed.read", 20, 0.1, end=40.0) + steady("feed.read", 20, 0.6, 40.0, 50.0)
    feed += steady("feed.read", 20, 0.1, 50.0)
    likes = steady("like.add", 20, 0.05, end=40.0) + steady("like.add", 20, 0.6, 40.0, 50.0)
    likes += steady("like.add", 20, 0.05, 50.0)
    found = judge.judge(parse(SCENARIO), samples(feed, likes), ledger={"like.add.acknowledged": 9, "like.add.lost": 0})
    verdicts = by_name(found)
    assert verdicts["feed.read p95, outside faults"].held is True
    assert verdicts["feed.read p95, outside faults"].count == pytest.approx(1000, abs=5)
    assert verdicts["like.add p99"].held is False
    assert verdicts["like.add p99"].margin == pytest.approx(-0.4)
    assert found.depths_seconds == {"feed.read": pytest.approx(0.6), "like.add": pytest.approx(0.6)}
    assert found.missed == (verdicts["like.add p99"],)


def test_a_request_under_way_when_the_fault_begins_counts_as_overlapping() -> None:
    inside = judge.in_windows(
        samples([row(39.0, "feed.read", 0.5), row(39.8, "feed.read", 0.5), row(50.5, "feed.read", 0.1)]), [(40.0, 50.0)]
    )
    assert inside.tolist() == [False, True, False]


def test_recovery_is_timed_to_the_last_bad_request_of_the_last_bad_second() -> None:
    feed = steady("feed.read", 20, 0.1, end=50.0) + steady("feed.read", 20, 0.9, 50.0, 53.0)
    feed += steady("feed.read", 20, 0.1, 53.0)
    found = judge.judge(parse(SCENARIO), samples(feed), ledger=None)
    assert found.recovery_seconds == pytest.approx(2.95)
    assert by_name(found)["recovers"].held is True


def test_a_relapse_counts_until_it_is_over() -> None:
    feed = steady("feed.read", 20, 0.1, end=57.0) + steady("feed.read", 20, 0.9, 57.0, 58.0)
    feed += steady("feed.read", 20, 0.1, 58.0)
    verdict = by_name(judge.judge(parse(SCENARIO), samples(feed), ledger=None))["recovers"]
    assert verdict.value == pytest.approx(7.95)
    assert verdict.held is False


def test_one_slow_request_is_not_a_relapse() -> None:
    feed = [*steady("feed.read", 20, 0.1), row(57.3, "feed.read", 2.0)]
    assert judge.judge(parse(SCENARIO), samples(feed), ledger=None).recovery_seconds == 0.0


def test_a_run_that_ends_badly_has_not_recovered() -> None:
    feed = steady("feed.read", 20, 0.1, end=50.0) + steady("feed.read", 20, 0.9, 50.0)
    found = judge.judge(parse(SCENARIO), samples(feed), ledger=None)
    assert found.recovery_seconds is None
    assert by_name(found)["recovers"].held is False
    assert "not recovered" in by_name(found)["recovers"].reason


def test_fast_errors_after_the_fault_are_not_a_recovery() -> None:
    feed = steady("feed.read", 20, 0.1, end=50.0)
    feed += [row(50 + n / 20, "feed.read", 0.001, Outcome.REFUSED) for n in range(40)]
    feed += steady("feed.read", 20, 0.1, 52.0)
    assert judge.judge(parse(SCENARIO), samples(feed), ledger=None).recovery_seconds == pytest.approx(1.95)


def test_failing_fast_is_not_being_fast() -> None:
    feed = [row(n / 20, "feed.read", 0.001, Outcome.FAILED if n % 10 == 0 else Outcome.OK) for n in range(800)]
    verdicts = by_name(judge.judge(parse(SCENARIO), samples(feed), ledger=None))
    assert verdicts["feed.read p95, outside faults"].value == 5.0  # the client's timeout
    assert verdicts["feed.read p95, outside faults"].held is False
    assert verdicts["feed.read errors, outside faults"].value == pytest.approx(0.1, abs=0.001)


def test_too_few_samples_are_not_judged() -> None:
    found = judge.judge(parse(SCENARIO), samples(steady("feed.read", 1, 0.1, 0.0, 30.0)), ledger=None)
    verdicts = by_name(found)
    assert verdicts["feed.read p95, outside faults"].held is None
    assert "too few" in verdicts["feed.read p95, outside faults"].reason
    assert verdicts["feed.read errors, outside faults"].held is None
    assert verdicts["like.add p99"].value is None
    assert verdicts["recovers"].reason == "no requests after the last fault"
    assert found.held is None


def test_few_samples_that_are_all_bad_are_a_miss_beyond_doubt() -> None:
    feed = [row(float(n), "feed.read", 1.0, Outcome.FAILED) for n in range(10)]
    verdicts = by_name(judge.judge(parse(SCENARIO), samples(feed), ledger=None))
    assert verdicts["feed.read p95, outside faults"].held is False
    assert verdicts["feed.read errors, outside faults"].held is False


def test_the_warm_up_is_not_judged() -> None:
    feed = steady("feed.read", 20, 9.0, end=0.0) + steady("feed.read", 20, 0.1, 0.0)
    assert by_name(judge.judge(parse(SCENARIO), samples(feed), ledger=None))["feed.read p95, outside faults"].held


def test_a_lost_like_is_a_miss_and_an_unchecked_ledger_has_no_verdict() -> None:
    good = samples(steady("feed.read", 20, 0.1), steady("like.add", 20, 0.05))
    lost = judge.judge(parse(SCENARIO), good, ledger={"like.add.acknowledged": 10, "like.add.lost": 1})
    assert by_name(lost)["like.add lost"].held is False
    assert lost.lost_count == 1
    assert by_name(judge.judge(parse(SCENARIO), good, ledger=None))["like.add lost"].held is None
    nothing = judge.judge(parse(SCENARIO), good, ledger={"like.add.acknowledged": 0, "like.add.lost": 0})
    assert by_name(nothing)["like.add lost"].held is None


def test_the_error_budget_is_burnt_by_faults_too() -> None:
    feed = steady("feed.read", 20, 0.1, 0.0, 40.0) + steady("feed.read", 20, 0.1, 41.0)
    feed += [row(40 + n / 20, "feed.read", 0.1, Outcome.LOST) for n in range(20)]
    found = judge.judge(parse(SCENARIO), samples(feed), ledger=None)
    assert found.budgets_burnt_ratio["feed.read"] == pytest.approx(20 / 1200 / 0.01)


def test_nothing_at_all_is_not_judged() -> None:
    found = judge.judge(parse(SCENARIO), samples(), ledger=None)
    assert found.held is None
    assert found.depth_seconds is None


@pytest.mark.parametrize(("bad", "count", "ratio", "expected"), [(3, 15, 0.05, True), (2, 15, 0.05, False)])
def test_beyond_chance_follows_the_poisson_tail(bad: int, count: int, ratio: float, expected: bool) -> None:
    assert judge.beyond_chance(bad, count, ratio) is expected


def test_the_tail_agrees_with_scipy_and_its_approximation_joins_it() -> None:
    from scipy import stats

    for mean in (0.3, 2.0, 30.0, 99.0):
        for bad in range(1, int(mean * 2) + 4):
            exact = stats.poisson.sf(bad - 1, mean)
            if abs(exact - 0.05) > 1e-9:
                assert judge.beyond_chance(bad, 1000, mean / 1000) == (exact <= 0.05)
    assert judge.beyond_chance(150, 10_000, 0.0121)
    assert not judge.beyond_chance(130, 10_000, 0.0121)
