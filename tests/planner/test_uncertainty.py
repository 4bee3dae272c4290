"""Uncertain inputs: drawn as stated, separate from the model's error, and never more certain than stated."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from core.scenario.intent import Range
from planning.plan.brief import PlanError
from planning.plan.certainty import uncertainty
from planning.plan.certainty.draws import DrawModel
from planning.plan.certainty.uncertainty import SobolIndex, Uncertainty, reliable
from planning.plan.sizing import availability, size, spending
from tests.planner import made

PER_DAY = {"feed.read": 86_400 * 5_000, "like.add": 86_400 * 5_000}


def of(ranges: dict[str, Any], *, error_ratio: float = 0.12, **changes: Any) -> Uncertainty:
    intent = {"slo": {"feed.read": {"p95": "< 20ms"}}, "ranges": ranges, **changes.pop("intent", {})}
    brief = made.briefed(per_day=PER_DAY, intent=intent, system={"shards": {"logical": 4_096}}, **changes)
    regions = made.fleet(brief)
    found = uncertainty.uncertainty_of(
        brief,
        regions,
        made.bought(brief),
        size.asked(brief),
        spending.over_horizon(brief, regions),
        error_ratio=error_ratio,
        samples=64,
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("shape", "at", "value"),
    [
        ("triangular", 0.0, 0.5),
        ("triangular", 1.0, 2.0),
        ("triangular", 1 / 3, 1.0),  # the mode is reached at (mid − low) / (high − low)
        ("uniform", 0.5, 1.25),
        ("lognormal", 0.05, 0.5),
        ("lognormal", 0.5, 1.0),
        ("lognormal", 0.95, 2.0),
    ],
)
def test_a_range_is_drawn_as_it_is_stated(shape: Any, at: float, value: float) -> None:
    found = uncertainty.inverse(Range(low=0.5, mid=1.0, high=2.0, shape=shape), np.array([at]))
    assert float(found[0]) == pytest.approx(value)


def test_a_triangles_mean_is_a_third_of_its_corners() -> None:
    uniform = (np.arange(100_000) + 0.5) / 100_000
    found = uncertainty.inverse(Range(low=0.5, mid=1.0, high=2.0), uniform)
    assert float(found.mean()) == pytest.approx(3.5 / 3, rel=1e-4)


def test_without_ranges_there_is_nothing_to_say() -> None:
    known = made.briefed()
    regions = made.fleet(known)
    spent = spending.over_horizon(known, regions)
    assert (
        uncertainty.uncertainty_of(known, regions, made.bought(known), size.asked(known), spent, error_ratio=0.12)
        is None
    )


def test_the_error_of_calibration_is_an_input_unless_the_intent_has_a_range_for_it() -> None:
    unsure = msgspec.structs.replace(
        made.profile(),
        demands=tuple(
            msgspec.structs.replace(each, error_ratio=0.3 if each.operation == "feed.read" else 0.01)
            for each in made.profile().demands
        ),
    )
    own = of({}, calibrated=unsure)
    assert own.calibrated == ("cpu", "cpu.feed.read")  # the latter is 95 % of the variance beside the whole
    bill = next(each for each in own.outputs if each.name == "bill")
    assert [bar.name for bar in bill.tornado] == ["cpu.feed.read", "cpu"]
    assert bill.quantiles[0.05] < bill.middle < bill.quantiles[0.95]
    assert own.short_ratio > 0.1  # a fleet for the mean is too small where reads cost more than that
    stated = of({"cpu.feed.read": [1, 1, 1], "cpu": [1, 1, 1]}, calibrated=unsure)
    assert stated.calibrated == ()
    assert stated.short_ratio < own.short_ratio


def test_with_ranges_of_no_width_the_plan_is_what_it_is() -> None:
    found = of({"demand": [1, 1, 1], "cpu": [1, 1, 1]})
    assert (found.met_ratio, found.short_ratio, found.unreachable_ratio) == (1.0, 0.0, 0.0)
    assert found.least_regret == pytest.approx(1.0, abs=0.05)
    bill = next(each for each in found.outputs if each.name == "bill")
    assert bill.quantiles[0.05] == bill.quantiles[0.95]
    assert not bill.sobol  # nothing moves it


def test_the_middle_of_all_inputs_is_the_plan() -> None:
    found = of({"demand": [0.5, 1, 2], "cpu": [0.5, 1, 2]})
    brief = made.briefed(
        per_day=PER_DAY,
        intent={"slo": {"feed.read": {"p95": "< 20ms"}}},
        system={"shards": {"logical": 4_096}},
    )
    regions = made.fleet(brief)
    spent = spending.over_horizon(brief, regions)
    bill = next(each for each in found.outputs if each.name == "bill")
    assert bill.middle == pytest.approx(spent.mean.total_dollars_month, rel=0.03)


def test_what_moves_the_bill_is_named() -> None:
    prices = next(each for each in of({"prices": [0.5, 1, 2], "peak": [0.99, 1, 1.01]}).outputs if each.name == "bill")
    assert prices.sobol[0].name == "prices"
    assert prices.sobol[0].total > 0.9
    assert prices.tornado[0].name == "prices"
    assert prices.tornado[0].high == pytest.approx(2 * prices.middle)


def test_indices_that_a_handful_of_saturated_draws_decide_are_left_out() -> None:
    def index(name: str, total: float, error: float) -> SobolIndex:
        return SobolIndex(name=name, first=0.0, total=total, total_error=error)

    assert reliable([index("cpu", 0.3, 0.05), index("demand", 0.8, 0.1)])[0].name == "demand"
    # what a plan of scenarios/plans/small_team.yaml once said of the p95 of its feed: four draws of 7,168 took 30 s
    assert reliable([index("demand", 1_503.8, 6_999.5), index("growth", 0.0, 0.0)]) == ()
    assert reliable([index("demand", 0.8, float("nan"))]) == ()


def test_dearer_work_makes_it_less_sure_and_more_often_short() -> None:
    sure, unsure = of({"cpu": [0.9, 1, 1.1]}), of({"cpu": [0.5, 1, 3]})
    assert unsure.met_ratio < sure.met_ratio
    assert unsure.short_ratio > 0.3
    assert unsure.least_regret > sure.least_regret


def test_least_regret_is_the_newsvendors_quantile_and_says_how_often_it_is_short() -> None:
    for regret, short in ((1, 0.5), (4, 0.2), (9, 0.1)):
        found = of({"demand": [0.5, 1, 3]}, intent={"regret": regret})
        assert found.regret == regret
        assert found.least_regret_short == pytest.approx(short, abs=0.02)


def test_the_models_error_is_told_apart_from_the_inputs() -> None:
    ranges = {"cpu": [0.5, 1, 3]}
    exact, rough = of(ranges, error_ratio=0.0), of(ranges, error_ratio=0.4)
    assert exact.met_model == (exact.met_ratio, exact.met_ratio)
    assert rough.met_ratio == exact.met_ratio
    assert rough.met_model[0] < rough.met_ratio <= rough.met_model[1]


def test_a_world_in_which_no_fleet_holds_is_counted() -> None:
    found = of({"cpu": [0.5, 1, 9]}, intent={"slo": {"feed.read": {"p95": "< 12ms"}}})
    assert 0.1 < found.unreachable_ratio < 0.9
    assert found.met_ratio + found.unreachable_ratio <= 1.0


def test_more_input_is_more_of_the_bill_and_the_same_seed_the_same_answer() -> None:
    one, other = of({"demand": [0.5, 1, 2]}), of({"demand": [0.5, 1, 2]})
    assert one == other
    bill = next(each for each in one.outputs if each.name == "bill")
    (bar,) = bill.tornado
    assert bar.low < bill.middle < bar.high


# Ranges of one thing


def moved(found: Uncertainty, output: str) -> dict[str, float]:
    """How far each input alone moves an output, over its middle."""
    (told,) = (each for each in found.outputs if each.name == output)
    return {bar.name: bar.swing / told.middle for bar in told.tornado}


def test_one_operations_cpu_is_a_range_of_its_own() -> None:
    found = of({"cpu.feed.read": [0.9, 1, 1.1], "cpu.like.add": [0.9, 1, 1.1]})
    late = moved(found, "feed.read p95")
    assert late["cpu.feed.read"] > 0.2
    # a like's work is in other processes, but for what both ask of the gateway and of Redis
    assert 0 < late["cpu.like.add"] < 0.2 * late["cpu.feed.read"]


def test_the_cpu_of_every_operation_is_the_cpu_of_everything() -> None:
    every, each = of({"cpu": [0.5, 1, 2]}), of({"cpu.feed.read": [0.5, 1, 2], "cpu.like.add": [0.5, 1, 2]})
    assert made.briefed(per_day=PER_DAY).demands.operations.keys() >= {"feed.read", "like.add"}
    for output in ("feed.read p95", "bill"):
        (whole,) = (one for one in every.outputs if one.name == output)
        (parts,) = (one for one in each.outputs if one.name == output)
        assert parts.middle == pytest.approx(whole.middle)
    # at the same factor on both, the same draw
    both = values_of({"cpu.feed.read": np.array([1.3]), "cpu.like.add": np.array([1.3])})
    all_of_it = values_of({"cpu": np.array([1.3])})
    assert both["feed.read p95"] == pytest.approx(all_of_it["feed.read p95"], rel=0.02)  # idle work is dearer too
    assert both["bill"] == pytest.approx(all_of_it["bill"], rel=0.01)


def values_of(drawn: dict[str, Any], **changes: Any) -> dict[str, float]:
    intent = {"slo": {"feed.read": {"p95": "< 20ms"}}, **changes.pop("intent", {})}
    brief = made.briefed(per_day=PER_DAY, intent=intent, system={"shards": {"logical": 4_096}}, **changes)
    regions = made.fleet(brief)
    spent = spending.over_horizon(brief, regions)
    model = DrawModel(brief, regions, made.bought(brief), size.asked(brief), spent, 0.12)
    return {name: float(values[0]) for name, values in model.evaluate(drawn).values.items()}


def test_one_caches_misses_are_a_range_of_their_own() -> None:
    changes: dict[str, Any] = {"demand": {"images_per_feed": 10, "sizes": {"image": "200kB"}}, "intent": {"hits": HITS}}
    usual, more, gone = (
        values_of({"misses.shield": np.array([factor])}, **changes)["bill"] for factor in (1.0, 2.0, 1e9)
    )
    assert usual < more
    # half of what the shield is asked misses, and no more than all of it can
    assert gone == pytest.approx(more)
    late = moved(of({"misses.timeline": [0.5, 1, 3], "misses.edge": [0.5, 1, 3]}, **changes), "feed.read p95")
    assert late["misses.timeline"] > 0
    assert late["misses.edge"] == 0


HITS = {"timeline": "90%", "post_card": "100%", "author_card": "100%", "edge": "80%", "shield": "50%"}


def test_prices_of_one_kind_are_a_range_of_their_own() -> None:
    usual = values_of({"prices.egress": np.array([1.0])})["bill"]
    dearer = values_of({"prices.egress": np.array([2.0])})["bill"]
    brief = made.briefed(per_day=PER_DAY, system={"shards": {"logical": 4_096}})
    lines = spending.over_horizon(brief, made.fleet(brief)).mean.items
    egress = sum(line.dollars_month for line in lines if line.price_id.startswith("egress"))
    assert dearer - usual == pytest.approx(egress, rel=0.03)
    with pytest.raises(PlanError, match=r"intent\.ranges\.prices\.egres\.: book 2026-11 has no price that begins so"):
        made.briefed(intent={"ranges": {"prices.egres.": [1, 1, 1]}})


def test_failures_have_ranges_and_then_downtime_has_quantiles() -> None:
    often = {"failures.region": [0.5, 1, 2], "failures.node": [0.5, 1, 2]}
    found = of(often, intent={"availability": "99.98%", "spare": 1})
    (down,) = (each for each in found.outputs if each.name == "downtime")
    assert down.unit == "minutes"
    assert down.quantiles[0.05] < down.middle < down.quantiles[0.95]
    slo = {"feed.read": {"p95": "< 20ms"}}
    brief = made.briefed(per_day=PER_DAY, system={"shards": {"logical": 4_096}}, intent={"spare": 1, "slo": slo})
    known = availability.availability_of(brief, made.fleet(brief))
    assert down.middle == pytest.approx(known.down_ratio * availability.MONTH_MINUTES)
    assert down.tornado[0].name == "failures.region"
    assert down.tornado[0].high > 1.3 * down.middle
    assert found.available_ratio is not None
    assert 0 < found.available_ratio < 1
    assert of({"demand": [1, 1, 2]}).available_ratio is None


@pytest.mark.parametrize(
    ("name", "output"),
    [("round_trip", "feed.read p95"), ("images", "bill"), ("bytes", "bill"), ("rows", "bill"), ("growth", "bill")],
)
def test_every_other_input_moves_what_it_should(name: str, output: str) -> None:
    changes: dict[str, Any] = {"demand": {"images_per_feed": 10}, "intent": {"growth": "40%"}}
    assert moved(of({name: [0.2, 1, 5]}, **changes), output)[name] > 0.01


def test_memory_that_is_short_makes_the_fleet_short() -> None:
    assert of({"memory": [0.9, 1, 1.1]}).short_ratio == 0.0
    assert of({"memory": [50, 100, 200]}).short_ratio == 1.0


def test_the_demand_of_one_act_is_a_range_of_its_own() -> None:
    found = of({"demand.feed.read": [0.5, 1, 1.05], "demand.like.add": [0.5, 1, 1.05]})
    late, bill = moved(found, "feed.read p95"), moved(found, "bill")
    assert late["demand.feed.read"] > 2 * late["demand.like.add"] > 0
    assert bill["demand.feed.read"] > 0.01
    assert bill["demand.like.add"] > 0.01


def test_the_demand_of_every_act_is_that_of_everything() -> None:
    ranges = {"demand.feed.read": [0.5, 1, 2], "demand.like.add": [0.5, 1, 2]}
    drawn = {name: np.array([1.1]) for name in ranges}
    parts = values_of(drawn, intent={"ranges": ranges, "hits": made.ALL_HIT})
    whole = values_of({"demand": np.array([1.1])}, intent={"hits": made.ALL_HIT})
    assert parts["feed.read p95"] == pytest.approx(whole["feed.read p95"])
    # rows of the people are there already, and grow with the demand of everything, which is of more people
    assert parts["bill"] == pytest.approx(whole["bill"], rel=0.02)
