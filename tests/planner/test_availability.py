"""Availability by hand: binomial machines, replicas, regions, budgets, and what one more nine takes."""

from __future__ import annotations

import math
from typing import Any

import pytest

from planning.plan import answer as plan
from planning.plan.sizing import availability
from planning.plan.sizing.availability import Availability
from planning.plan.sizing.margins import Margin
from tests.planner import made

REGIONS = {name: {"people": "25%"} for name in ("us", "eu", "in", "jp")}


def of(**changes: Any) -> Availability:
    known = made.briefed(**changes)
    return availability.availability_of(known, made.fleet(known))


def cause(found: Availability, name: str) -> float:
    return next(each.ratio for each in found.causes if each.name == name)


def test_short_is_the_share_of_the_needed_that_is_missing() -> None:
    # of three of which two are needed: two down (3 p² q) leave one of two, three down (p³) leave none
    p = 0.1
    by_hand = (3 * p**2 * (1 - p) * 1 + p**3 * 2) / 2
    assert availability.short_ratio(machines=3, working=2, down_ratio=p) == pytest.approx(by_hand)
    assert availability.short_ratio(machines=2, working=2, down_ratio=p) == pytest.approx(p)
    assert availability.short_ratio(machines=5, working=4, down_ratio=0.0) == 0.0


def test_a_fleet_of_thousands_is_counted_too() -> None:
    # without spares the mean share that is down is down, however many there are
    assert availability.short_ratio(machines=20_000, working=20_000, down_ratio=1e-3) == pytest.approx(1e-3)
    found = [availability.short_ratio(machines=20_000 + k, working=20_000, down_ratio=1e-3) for k in (0, 10, 20, 40)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 1e-6


def test_every_copy_of_a_shard_must_be_down() -> None:
    down = 3_600 / (365 * 86_400 + 3_600)
    for spare in (0, 1, 2):
        found = of(intent={"spare": spare})
        assert cause(found, availability.SHARD) == pytest.approx(down ** (1 + spare))


def test_a_region_without_another_is_as_available_as_it_is() -> None:
    found = of(intent={"failures": {"region": {"every": "99h", "repair": "1h"}}, "availability": "99%"})
    assert cause(found, "a region") == pytest.approx(0.01)
    assert not found.held


def test_with_another_region_its_people_wait_until_they_are_sent_there() -> None:
    found = of(
        system={"regions": REGIONS}, intent={"lose_regions": 1, "failures": {"region": {"every": "1y", "repair": "1h"}}}
    )
    year = 365 * 86_400
    assert cause(found, "a region until its people are sent elsewhere") == pytest.approx(30 / year)
    down = 3_600 / (year + 3_600)
    two = 6 * down**2 * (1 - down) ** 2
    assert cause(found, "more than 1 region") == pytest.approx(two / 3, rel=1e-3)


def test_the_budget_of_four_nines_is_four_minutes_a_month() -> None:
    found = of(system={"regions": REGIONS}, intent={"lose_regions": 1, "spare": 1, "availability": "99.99%"})
    assert found.budget_minutes_month == pytest.approx(4.38)
    assert found.burn == pytest.approx(found.down_ratio / 1e-4)
    assert found.held


def test_spares_are_added_until_the_machines_part_of_it_holds() -> None:
    shaky = {"node": {"every": "10d", "repair": "12h"}}
    found = plan.make(
        made.scenario(
            per_day={"feed.read": 86_400 * 20_000},
            system={"regions": REGIONS},
            intent={"spare": 1, "lose_regions": 1, "availability": "99.9%", "failures": shaky},
        ),
        made.profile(),
        made.book(),
        sure=False,
        more=False,
    )
    assert found.availability.held
    assert found.spares.machines > 1 or found.spares.replicas > 1
    assert any("to spare where the intent asks for 1" in note for note in found.notes)


def margin(name: str, **changes: Any) -> Margin:
    found = plan.make(made.scenario(**changes), made.profile(), made.book(), sure=False)
    return next(each for each in found.margins if each.name.startswith(name))


def test_one_more_nine_that_one_region_cannot_give_has_no_price() -> None:
    found = margin("one more nine", intent={"spare": 1, "availability": "99.9%"})
    assert found.name == "one more nine, 99.99 %"
    assert found.dollars_month is None
    assert "a region" in found.says


def test_one_more_nine_by_a_region_that_may_be_lost_has_a_price() -> None:
    found = margin("one more nine", system={"regions": REGIONS}, intent={"spare": 1, "availability": "99.9%"})
    assert found.dollars_month is not None
    assert found.dollars_month > 0.0
    assert found.says == "with 1 region to lose"


def test_one_more_nine_that_is_there_already_costs_nothing() -> None:
    found = margin(
        "one more nine", system={"regions": REGIONS}, intent={"spare": 1, "lose_regions": 1, "availability": "99%"}
    )
    assert found.dollars_month == 0.0


def test_ten_per_cent_more_demand_and_ten_milliseconds_less_cost_something() -> None:
    per_day = {"feed.read": 86_400.0 * 20_000}
    slo = {"feed.read": {"p95": "< 17ms"}}
    found = plan.make(made.scenario(per_day=per_day, intent={"slo": slo}), made.profile(), made.book(), sure=False)
    more = {each.name: each.dollars_month for each in found.margins}
    demand, limits = more["+10% demand"], more["10 ms off every limit"]
    assert demand is not None
    assert limits is not None
    assert demand == pytest.approx(0.1 * found.bill.total_dollars_month, rel=0.1)
    assert 0.0 < limits < math.inf


def test_a_cause_says_which_machines_and_where() -> None:
    regions = {"us": {"people": "70%", "rtt": {"eu": "80ms"}}, "eu": {"people": "30%"}}
    found = of(system={"regions": regions}, intent={"spare": 1})
    says = {each.name: each.says for each in found.causes}
    assert says[availability.MACHINES].endswith(" down at once")
    assert " machines of gateway, " in says[availability.MACHINES]
    assert " in us " in says[availability.MACHINES]  # which has the larger part
    assert says[availability.SHARD] == "all 2 copies of a postgres shard in us down at once"
