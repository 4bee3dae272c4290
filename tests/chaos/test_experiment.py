"""The drill's messages, its abort condition and its verdicts with their exit codes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chaos import experiment, journal, steady_state
from chaos.abort import AbortCondition, Seen
from chaos.experiment import Word
from core.names import Outcome
from core.run import Event, Samples, samples_from_rows
from core.scenario import Scenario
from records import scenarios

DRILL = Path(__file__).parents[2] / "scenarios" / "drills" / "redis_slow.yaml"
KEPT = {"like.add.acknowledged": 100, "like.add.found": 100, "like.add.lost": 0}


@pytest.fixture(scope="module")
def drill() -> Scenario:
    return scenarios.read(DRILL)


def requests(
    slow: tuple[float, float] = (0, 0), seconds: float = 0.6, end: float = 30.0, likes: float = 0.02
) -> Samples:
    rows = []
    for at in np.arange(-10.0, end, 1 / 30):
        feed = seconds if slow[0] <= at < slow[1] else 0.03
        rows.append((0, 0, "feed.read", Outcome.OK.value, 200, at, at, feed))
        rows.append((0, 0, "like.add", Outcome.OK.value, 200, at, at, likes))
    return samples_from_rows(rows)


def events(*more: Event, acted: str = journal.ACTED) -> list[Event]:
    about = {"fault": 0, "target": "feed_redis", "kind": "latency"}
    return [
        Event(at_seconds=10.0, event=journal.BEGINS, values=about),
        Event(at_seconds=10.4, event=acted, values={**about, "says": "answer after 351.2 ms while it acts"}),
        Event(at_seconds=18.0, event=journal.ENDS, values=about),
        *more,
    ]


def test_a_drill_that_held(drill: Scenario) -> None:
    found = experiment.judge(drill, requests((10, 18.8)), events=events(), ledger=KEPT)
    assert (found.word, found.exit_code) == (Word.HELD, 0), found.sentence
    assert found.judgement.recovery_seconds == pytest.approx(0.8, abs=0.05)
    assert found.judgement.depth_seconds == pytest.approx(0.6)
    assert found.acted == ("feed_redis: answer after 351.2 ms while it acts",)
    assert "recovered in" in found.sentence


def test_a_drill_that_deviated(drill: Scenario) -> None:
    found = experiment.judge(drill, requests((10, 25)), events=events(), ledger=KEPT)
    assert (found.word, found.exit_code) == (Word.DEVIATED, 99)
    assert [each.name for each in found.judgement.missed] == ["feed.read p95, outside faults", "recovers"]
    lost = experiment.judge(drill, requests(), events=events(), ledger={**KEPT, "like.add.lost": 1})
    assert lost.word is Word.DEVIATED
    assert "like.add lost at 1" in lost.sentence


def test_a_drill_that_was_aborted(drill: Scenario) -> None:
    aborted = Event(at_seconds=14.0, event=journal.ABORTED, values={"reason": "feed.read errors is 40%"})
    found = experiment.judge(drill, requests((10, 14), end=14.0), events=events(aborted), ledger=KEPT)
    assert (found.word, found.exit_code) == (Word.ABORTED, 3)
    assert "feed.read errors is 40%" in found.sentence


@pytest.mark.parametrize(
    ("why", "samples", "journaled", "reasons"),
    [
        ("not seen to act", requests(), events(acted=journal.UNPROVEN), ()),
        ("never began", requests(), [], ()),
        ("not healthy before", requests((0, 10)), events(), ()),
        ("the generator lagged", requests(), events(), ("the generator lagged",)),
        ("too few samples", requests().where(np.arange(2400) % 40 < 2), events(), ()),
    ],
)
def test_a_drill_that_shows_nothing_is_void(
    drill: Scenario, why: str, samples: Samples, journaled: list[Event], reasons: tuple[str, ...]
) -> None:
    found = experiment.judge(drill, samples, events=journaled, ledger=KEPT, void_reasons=reasons)
    assert (found.word, found.exit_code) == (Word.VOID, 4), found.sentence
    assert any(why in reason for reason in found.void_reasons)


def test_nobody_having_looked_for_what_was_acknowledged_is_void(drill: Scenario) -> None:
    assert experiment.judge(drill, requests(), events=events(), ledger=None).word is Word.VOID


def test_the_steady_state_looks_only_at_what_ended_before_the_fault(drill: Scenario) -> None:
    assert steady_state.void_reasons(drill, requests((9.8, 20))) == ()
    assert all(verdict.held is not False for verdict in steady_state.before_faults(drill, requests((9.8, 20))))
    assert steady_state.before_faults(replace(drill, faults=()), requests()) == ()


def test_the_dry_run_says_what_will_be_done(drill: Scenario) -> None:
    found = experiment.plan(drill)
    assert found.hypothesis == drill.drill.hypothesis if drill.drill else False
    assert found.method == ("at 10s for 8s: feed_redis answers 300ms later ± 100ms",)
    assert found.abort[0] == "feed.read p95 not < 3s over the last 5s"
    assert found.rollback == ("the toxic on feed_redis is removed",)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("link: feed_redis, bandwidth: 1MB", "carries at most 1MB a second"),
        ("link: feed_redis, timeout: 1s", "is silent and closes after 1s"),
        ("link: feed_redis, reset: true", "resets every connection"),
        ("link: feed_redis, down: true", "refuses every connection"),
        ("process: feed, action: kill", "is killed"),
        ("process: feed, action: pause", "is paused"),
        ("process: feed, action: restart", "started again afterwards"),
    ],
)
def test_every_kind_of_fault_has_words(fault: str, says: str) -> None:
    found = experiment.plan(scenarios.parse(f"{{scenario: words, faults: [{{at: 1s, for: 2s, {fault}}}]}}"))
    assert says in found.method[0]
    assert found.rollback[0]


def seen(count: int, latency: float, outcome: Outcome = Outcome.OK, begin: float = 0.0) -> list[Seen]:
    return [("feed.read", outcome.value, begin + n / 20, latency) for n in range(count)]


def test_it_aborts_when_too_much_fails(drill: Scenario) -> None:
    condition = AbortCondition(drill)
    assert condition.see(seen(100, 0.05)) is None
    reason = condition.see(seen(60, 0.05, Outcome.LOST, begin=5.0))
    assert reason is not None
    assert reason.startswith("feed.read errors is ")
    assert "over the last 5s" in reason


def test_it_aborts_when_it_is_too_slow_and_only_then(drill: Scenario) -> None:
    condition = AbortCondition(drill)
    assert condition.see(seen(200, 2.5)) is None
    assert "feed.read p95 is 4s" in (condition.see(seen(60, 4.0, begin=10.0)) or "")


def test_a_few_bad_requests_and_the_warm_up_are_no_reason(drill: Scenario) -> None:
    condition = AbortCondition(drill)
    assert condition.see(seen(100, 4.5, Outcome.FAILED, begin=-20.0)) is None
    assert not condition.is_watching
    assert condition.see(seen(1, 0.1, Outcome.FAILED)) is None
    assert condition.is_watching


def test_what_is_older_than_the_window_is_forgotten(drill: Scenario) -> None:
    condition = AbortCondition(drill)
    assert condition.see(seen(20, 0.1, Outcome.FAILED)) is not None
    assert condition.see(seen(100, 0.1, begin=6.5)) is None


def test_it_reads_the_generators_lines_and_bears_those_without_requests(drill: Scenario) -> None:
    condition = AbortCondition(drill)
    assert condition.see_line({"phase": "drive", "done": 1, "total": 9}) is None
    assert condition.see_line({"recent": [list(each) for each in seen(60, 0.1, Outcome.TIMEOUT)]}) is not None


def test_without_a_drill_nothing_aborts(drill: Scenario) -> None:
    assert AbortCondition(replace(drill, drill=None)).see(seen(60, 4.0, Outcome.FAILED)) is None
