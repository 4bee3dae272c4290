"""The sections of a scenario that a plan is made from are read strictly, and print as they were read."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.scenario import ScenarioError, explain, parse
from records.scenarios import read
from tests.planner import made

PLANS = sorted((Path(__file__).parents[2] / "scenarios" / "plans").rglob("*.yaml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: str(path.stem))
def test_what_is_printed_of_a_plan_reads_back_to_the_same(path: Path) -> None:
    scenario = read(path)
    assert scenario.demand is not None
    printed = explain(scenario)
    assert explain(parse(printed)) == printed


def test_numbers_are_as_they_are_said() -> None:
    found = parse(
        made.text(
            demand={"cpu": {"feed.read": "50ms"}, "sizes": {"video": "100MB"}},
            intent={"slo": {"feed.read": {"p95": "< 150ms"}}, "growth": "20%", "ranges": {"demand": [0.8, 1, 1.5]}},
        )
    )
    assert found.demand is not None
    assert found.intent is not None
    assert found.demand.cpu_seconds == {"feed.read": 0.05}
    assert found.demand.sizes.video_bytes == 100_000_000
    assert found.intent.slo["feed.read"].limits() == {0.95: 0.15}
    assert found.intent.growth_ratio == pytest.approx(0.2)
    assert (found.intent.ranges["demand"].low, found.intent.ranges["demand"].high) == (0.8, 1.5)


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"per_day": {"feed.red": 1}}, "demand.per_day.feed.red", "did you mean feed.read?"),
        ({"per_day": {}}, "demand.per_day", "expected acts"),
        ({"demand": {"users": 5}}, "demand.users", "expected at least the 100000"),
        ({"demand": {"cpu": {"feed.read@fed": "1ms"}}}, "demand.cpu.feed.read@fed", "did you mean feed?"),
        ({"demand": {"cpu": {"feed.read": "0ms"}}}, "demand.cpu.feed.read", "expected more than 0"),
        ({"demand": {"peak_factor": 0.5}}, "demand.peak_factor", "at least 1"),
        ({"intent": {"slo": {"post.read": {"p95": "< 1s"}}}}, "intent.slo.post.read", "demand.per_day has"),
        ({"intent": {"slo": {"feed.read": {"p95": "< 1%"}}}}, "intent.slo.feed.read.p95", "expected a time"),
        ({"intent": {"lose_regions": 1}}, "intent.lose_regions", "expected fewer than the 1"),
        ({"intent": {"ranges": {"demand": [1, 2]}}}, "intent.ranges.demand", "three numbers"),
        ({"intent": {"ranges": {"demand": [3, 2, 1]}}}, "intent.ranges.demand", "ascending"),
        ({"intent": {"ranges": {"demand": [0, 1, 2]}}}, "intent.ranges.demand", "above zero"),
        ({"intent": {"ranges": {"demnd": [1, 1, 1]}}}, "intent.ranges.demnd", "did you mean demand?"),
        ({"intent": {"ranges": {"cpu.feed.red": [1, 1, 1]}}}, "intent.ranges.cpu.feed.red", "did you mean feed.read?"),
        (
            {"intent": {"ranges": {"demand.story.tray": [1, 1, 1]}}},
            "intent.ranges.demand.story.tray",
            "one of feed.read",
        ),
        ({"intent": {"ranges": {"misses.edg": [1, 1, 1]}}}, "intent.ranges.misses.edg", "did you mean edge?"),
        ({"intent": {"ranges": {"failures.nod": [1, 1, 1]}}}, "intent.ranges.failures.nod", "did you mean node?"),
        ({"intent": {"ranges": {"peak.feed": [1, 1, 1]}}}, "intent.ranges.peak.feed", "expected an input"),
        (
            {"intent": {"failures": {"spot": {"per_hour": 2}}}},
            "intent.failures.spot.per_hour",
            "at most 1",
        ),
        ({"intent": {"hits": {"edg": "50%"}}}, "intent.hits.edg", "did you mean edge?"),
        ({"intent": {"viewers": {"eu": "eu+il"}}}, "intent.viewers.eu", "expected a region"),
        ({"intent": {"availability": "100%"}}, "intent.availability", "below 100%"),
        ({"demand": {"peak_factr": 2}}, "demand.peak_factr", "did you mean peak_factor?"),
        ({"intent": {"regrets": 2}}, "intent.regrets", "did you mean regret?"),
        ({"intent": {"spare": -1}}, "intent.spare", "at least 0"),
        ({"intent": {"horizon": "0s"}}, "intent.horizon", "above 0s"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(changes: dict[str, object], field: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as error:
        made.scenario(**changes)
    told = {problem.field: problem.expected for problem in error.value.problems}
    assert field in told
    assert expected in told[field]


def test_an_intent_without_a_demand_is_refused() -> None:
    with pytest.raises(ScenarioError, match="expected a demand section beside it"):
        parse("scenario: x\nintent: {spare: 1}\n")
