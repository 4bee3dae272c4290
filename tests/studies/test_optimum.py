"""The choice: best by the product, within the limits, with an interval that holds what it should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from planning.studies.difference import compare
from planning.tune.optimum import (
    PRODUCT,
    Objective,
    TriedSetting,
    best_few,
    choose,
    mean_outcome,
    objectives_of,
    score,
    scores,
)
from planning.tune.search import Trial, TrialOutcome

OBJECTIVES = (Objective(figure="cost.dollars_month"), Objective(figure="feed.read.p99_seconds"))


def _candidate(threshold: int, cost: float, *, noise: float, excess: float = -0.1, count: int = 12) -> TriedSetting:
    random = np.random.default_rng(threshold)
    outcomes = [
        TrialOutcome(objectives=(cost, math.exp(noise * random.normal())), excesses={"limit": excess})
        for _ in range(count)
    ]
    return TriedSetting(settings=(("system.fanout.threshold", str(threshold)),), outcomes=tuple(outcomes))


def test_a_clear_optimum_is_the_only_value_of_its_interval() -> None:
    found = choose([_candidate(t, c, noise=0.01) for t, c in ((100, 2.0), (200, 1.0), (400, 2.0))], OBJECTIVES, seed=1)
    assert found.best == 1
    assert found.chosen_ratio == (0.0, 1.0, 0.0)
    assert (found.spans[0].best, found.spans[0].low, found.spans[0].high) == ("200", "200", "200")


def test_what_cannot_be_told_apart_is_all_in_the_interval() -> None:
    found = choose(
        [_candidate(t, c, noise=0.5) for t, c in ((50, 9.0), (100, 1.0), (200, 1.01), (400, 1.0), (900, 9.0))],
        OBJECTIVES,
        seed=1,
    )
    assert sum(found.chosen_ratio) == pytest.approx(1.0)
    assert found.chosen_ratio[0] == found.chosen_ratio[4] == 0.0
    assert 100 <= int(found.spans[0].low) <= int(found.spans[0].best) <= int(found.spans[0].high) <= 400
    assert found.spans[0].low != found.spans[0].high


def test_a_candidate_that_exceeds_a_limit_is_not_chosen_however_good() -> None:
    found = choose([_candidate(100, 1.0, noise=0.01, excess=0.2), _candidate(200, 5.0, noise=0.01)], OBJECTIVES, seed=1)
    assert found.best == 1
    assert found.chosen_ratio == (0.0, 1.0)


def test_where_none_holds_the_nearest_to_the_limit_is_chosen() -> None:
    found = choose(
        [_candidate(100, 1.0, noise=0.01, excess=0.9), _candidate(200, 5.0, noise=0.01, excess=0.1)], OBJECTIVES, seed=1
    )
    assert found.best == 1


def test_a_limit_that_a_replication_could_not_judge_is_judged_by_the_others() -> None:
    seen = mean_outcome(
        [TrialOutcome(objectives=(1.0,), excesses={"limit": 0.3}), TrialOutcome(objectives=(3.0,), excesses={})]
    )
    assert seen == TrialOutcome(objectives=(2.0,), excesses={"limit": 0.3})
    half = TriedSetting(settings=(("x", "1"),), outcomes=(TrialOutcome(objectives=(1.0, 1.0), excesses={}),) * 2)
    full = TriedSetting(
        settings=(("x", "2"),), outcomes=(TrialOutcome(objectives=(9.0, 9.0), excesses={"limit": -1}),) * 2
    )
    assert choose([half, full], OBJECTIVES, seed=1).best == 0


def test_weights_decide_what_the_product_counts() -> None:
    cheap, fast = (1.0, 4.0, 0.0), (3.0, 1.0, 0.0)
    balanced = objectives_of("feed.read")
    assert score(fast, balanced) < score(cheap, balanced)
    thrifty = objectives_of("feed.read", weights={"latency": 0.0})
    assert score(cheap, thrifty) < score(fast, thrifty)


def test_freshness_of_zero_does_not_decide_alone() -> None:
    objectives = objectives_of("feed.read")
    at_once_and_dear, late_by_nothing_and_cheap = (2.0, 1.0, 0.0), (1.0, 1.0, 0.01)
    assert score(late_by_nothing_and_cheap, objectives) < score(at_once_and_dear, objectives)


def test_a_second_look_is_given_to_the_best_and_to_the_ends_of_the_front() -> None:
    def trial(number: int, cost: float, seconds: float, excess: float = -1.0) -> Trial:
        outcome = TrialOutcome(objectives=(cost, seconds), excesses={"limit": excess})
        return Trial(number=number, settings=(("x", str(number)),), outcome=outcome)

    trials = [
        trial(0, 1.0, 100.0),
        trial(1, 100.0, 1.0),
        trial(2, 2.0, 2.0),
        trial(3, 2.1, 2.1),
        trial(4, 3.0, 3.0),
        trial(5, 0.1, 0.1, excess=1.0),
    ]
    few = [dict(settings)["x"] for settings in best_few(trials, OBJECTIVES, 4)]
    assert few[:2] == ["2", "3"]
    assert set(few) == {"0", "1", "2", "3"}
    only_wrong = [trial(7, 1.0, 1.0, excess=0.5), trial(8, 9.0, 9.0, excess=0.1)]
    assert [dict(settings)["x"] for settings in best_few(only_wrong, OBJECTIVES, 1)] == ["8"]


def test_of_settings_near_each_other_one_stands_for_all() -> None:
    trials = [
        Trial(
            number=number,
            settings=(("system.fanout.threshold", str(threshold)),),
            outcome=TrialOutcome(objectives=(cost, cost), excesses={}),
        )
        for number, (threshold, cost) in enumerate(
            [(100, 1.0), (101, 1.01), (103, 1.02), (99, 1.03), (1_000, 1.1), (5_000, 1.2), (10_000, 9.0)]
        )
    ]
    few = [int(dict(settings)["system.fanout.threshold"]) for settings in best_few(trials, OBJECTIVES, 5)]
    assert few[:3] == [100, 1_000, 5_000]


def test_the_product_is_compared_as_a_factor() -> None:
    ours = scores(_candidate(100, 1.0, noise=0.1), OBJECTIVES)
    dearer = scores(_candidate(100, 1.2, noise=0.1), OBJECTIVES)
    found = {each.figure: each for each in compare(ours, dearer)}
    assert math.exp(found[PRODUCT].difference.value) == pytest.approx(1.2)
    assert found["feed.read.p99_seconds"].same
