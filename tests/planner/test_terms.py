"""Terms by tier: pools of their own, what spot costs in reliability, the bill paid otherwise. Spot rates made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cli.plan import command
from core.diurnal import kappa
from core.profile import encode
from core.scenario import ScenarioError
from planning.cost.prices import Price, PriceBook
from planning.plan import answer as plan
from planning.plan.answer import Plan
from planning.plan.brief import PlanError, brief
from planning.plan.sizing import autoscaling, availability, candidates
from tests.planner import made

ON_C7G = {"shapes": dict.fromkeys(("services", "redis", "postgres", "kafka"), "vm.c7g.xlarge")}
SPOT = {"per_hour": 0.01, "notice": "2m", "repair": "10m"}


def with_spot(*names: str, ratio: float = 0.3) -> PriceBook:
    """The shipped book and spot prices of these machines, at so much of what they cost on demand."""
    known = made.book()

    def cheaper(name: str) -> Price:
        base = {each: getattr(known.price(name), each) for each in Price.__struct_fields__}
        rate = base["rate"] * ratio
        return Price(**{**base, "id": f"{name}@spot", "term": "spot", "rate": rate, "source": "made up"})

    return PriceBook(book="made", built=known.built, prices=(*known.prices, *map(cheaper, names)))


def planned(
    term: Any, *, more: bool = False, book: PriceBook | None = None, peak_factor: float = 1.0, **intent: Any
) -> Plan:
    scenario = made.scenario(
        demand={"peak_factor": peak_factor},
        per_day={"feed.read": 86_400 * 5_000, "like.add": 86_400 * 1_000},
        intent={"term": term, "spare": 1, "availability": "99%", **intent},
    )
    return plan.make(scenario, made.profile(), book or with_spot("vm.c7g.xlarge"), sure=False, more=more)


def test_machines_that_follow_the_load_are_always_enough_and_cost_less() -> None:
    for factor, lag in ((3.0, 300.0), (3.0, 3_600.0), (1.5, 600.0), (1.0, 600.0)):
        day = np.arange(0.0, 86_400.0, 60.0)
        load = np.exp((kappa(factor) if factor > 1.0 else 0.0) * (np.cos(2 * np.pi * day / 86_400.0) - 1.0))
        there = autoscaling.needed_ratio(factor, lag)
        assert (there >= load - 1e-9).all()
        assert there.max() == pytest.approx(1.0)
        assert load.mean() <= there.mean() <= 1.0
    assert autoscaling.needed_ratio(3.0, 300.0).mean() == pytest.approx(1 / 3, rel=0.1)
    assert autoscaling.needed_ratio(3.0, 7_200.0).mean() > 1.3 * autoscaling.needed_ratio(3.0, 300.0).mean()


def test_autoscaling_is_a_line_of_its_own_and_spares_what_is_reserved() -> None:
    follows = {"more": True, "peak_factor": 3.0, "autoscale_lag": "5m"}
    usual = {each.term: each for each in planned("on_demand", **follows).paid}
    assert usual["autoscaled"].dollars_month is not None
    assert usual["on_demand"].dollars_month is not None
    assert usual["autoscaled"].dollars_month < usual["on_demand"].dollars_month
    assert usual["autoscaled"].says.startswith("5 min behind the load: on average ")
    reserved = {each.term: each for each in planned("reserved_3y", **follows).paid}
    assert reserved["autoscaled"].dollars_month == reserved["reserved_3y"].dollars_month
    assert "autoscaled" not in {each.term for each in planned("on_demand", more=True).paid}
    with pytest.raises(ScenarioError, match=r"intent\.autoscale_lag.*of up to 6h"):
        planned("on_demand", autoscale_lag="7h")


def test_a_tier_at_another_term_has_a_pool_and_a_price_of_its_own() -> None:
    found = planned({"default": "reserved_3y", "feed": "spot"})
    (region,) = found.regions
    pools = {pool.term: pool for pool in region.pools}
    assert pools["spot"].groups == ("feed",)
    assert "gateway" in pools["reserved_3y"].groups
    paid = {item.component: item.price_id for item in found.bill.items if "vm." in item.price_id}
    assert paid["feed"] == "vm.c7g.xlarge@spot"
    assert all(name.endswith("@reserved_3y") for component, name in paid.items() if component != "feed")
    assert found.machines == sum(pool.machines for pool in region.pools) + sum(
        tier.machines for tier in region.tiers.values()
    )
    hours = sum(item.quantity for item in found.bill.items if item.component == "feed")
    assert hours == pytest.approx(pools["spot"].machines * 730)


def test_every_pool_keeps_what_it_needs_with_its_spares_down() -> None:
    found = planned({"services": "on_demand", "feed": "spot", "api": "reserved_3y"}, **ON_C7G)
    (region,) = found.regions
    assert len(region.pools) == 3
    for pool in region.pools:
        assert sum(region.tiers[name].instances for name in pool.groups) <= pool.machines * pool.shape.vcpu
        for name in pool.groups:
            tier = region.tiers[name]
            assert tier.instances - -(-tier.instances // pool.machines) >= tier.working, name


@pytest.mark.parametrize(
    ("term", "others"),
    [
        ("spot", "on_demand"),
        ({"default": "reserved_3y", "redis": "spot"}, "reserved_3y"),
        ({"redis": "spot"}, "on_demand"),
    ],
)
def test_stores_are_never_on_spot_and_have_an_excuse(term: Any, others: str) -> None:
    found = planned(term)
    refused = [excuse for excuse in found.excuses if excuse.price_id == "any spot machine"]
    assert {excuse.tier for excuse in refused} == ({"redis", "postgres", "kafka"} if term == "spot" else {"redis"})
    assert all("an interruption would lose" in excuse.reason for excuse in refused)
    assert {tier.shape.term for name, tier in found.regions[0].tiers.items() if name in found.shapes.stores} == {others}
    assert any("redis" in note and "not on spot" in note for note in found.notes)


def test_interruptions_enter_the_availability_and_the_spares() -> None:
    rare = planned("spot", availability="99.9999%", failures={"spot": {**SPOT, "per_hour": 0}, **RELIABLE})
    often = planned("spot", availability="99.9999%", failures={"spot": {**SPOT, "per_hour": 0.05}, **RELIABLE})
    assert rare.spares.spot == 1
    assert often.spares.spot > 1
    assert often.spares.machines == 1  # brokers are not on spot
    assert often.availability.held
    assert often.regions[0].pools[0].machines > rare.regions[0].pools[0].machines
    assert any("spot machines" in note for note in often.notes)


#: Nothing else fails to speak of.
RELIABLE = {"node": {"every": "1000y", "repair": "1s"}, "region": {"every": "10000y", "repair": "1s"}}


def test_spot_machines_are_down_as_often_as_the_intent_says() -> None:
    known = made.briefed(intent={"failures": {"spot": SPOT, **RELIABLE}, "spare": 0, "term": "spot"})
    known = replace(known, book=with_spot("vm.c7g.xlarge"))
    region = candidates.fleet(known, made.bought(known))
    causes = {cause.name: cause.ratio for cause in availability.availability_of(known, region).causes}
    lost = 0.01 / 3600 * 600  # without a spare, the share that is gone is not served
    assert causes[availability.SPOT_MACHINES] == pytest.approx(lost / (1 + lost), rel=1e-3)
    assert "reclaimed spot machines" not in causes  # two minutes are enough to get no more requests


def test_a_notice_that_is_too_short_fails_what_was_under_way() -> None:
    known = made.briefed(intent={"failures": {"spot": {**SPOT, "notice": "2s"}, **RELIABLE}, "term": "spot"})
    known = replace(known, book=with_spot("vm.c7g.xlarge"))
    found = availability.availability_of(known, candidates.fleet(known, made.bought(known)))
    causes = {cause.name: cause.ratio for cause in found.causes}
    assert causes["reclaimed spot machines"] == pytest.approx(0.01 / 3600 * 3)


def test_each_pool_is_on_the_machine_that_is_cheapest_at_its_term() -> None:
    # spot is sold for two machines only, and the larger of them at next to nothing
    book = with_spot("vm.m7g.xlarge", ratio=0.9)
    cheap = with_spot("vm.c7g.xlarge", ratio=0.1).at_term("vm.c7g.xlarge", "spot")
    both = PriceBook(book="made", built=book.built, prices=(*book.prices, cheap))
    found = planned({"feed": "spot"}, book=both)
    assert found.shapes.services["spot"].price_id == "vm.c7g.xlarge"
    refused = {excuse.price_id: excuse.reason for excuse in found.excuses if excuse.tier == "services, spot"}
    assert "× the cost" in refused["vm.m7g.xlarge"]
    assert "no spot price" in refused["vm.r7g.xlarge"]


def test_the_bill_is_told_at_every_term_that_the_book_sells() -> None:
    found = planned("on_demand", more=True)
    paid = {each.term: each for each in found.paid}
    assert list(paid) == ["on_demand", "reserved_1y", "reserved_3y", "spot"]
    assert paid["on_demand"].planned
    assert paid["on_demand"].dollars_month == found.bill.total_dollars_month
    assert paid["reserved_1y"].dollars_month is None
    assert "no reserved_1y price" in paid["reserved_1y"].says
    for term in ("reserved_3y", "spot"):
        again = planned(term)
        assert paid[term].dollars_month == pytest.approx(again.bill.total_dollars_month)
        assert paid[term].dollars_month < found.bill.total_dollars_month
    assert paid["reserved_3y"].owed_months == 36
    assert paid["spot"].owed_months == 0


def test_a_plan_of_several_terms_is_the_first_of_those_compared() -> None:
    found = planned({"default": "reserved_3y", "feed": "spot"}, more=True)
    assert [each.term for each in found.paid][:2] == ["reserved_3y, feed spot", "on_demand"]
    assert len(found.paid) == 5
    (region,) = found.regions
    reserved = region.dollars_month - sum(
        pool.machines * pool.shape.dollars_month for pool in region.pools if pool.term == "spot"
    )
    assert found.paid[0].owed_dollars == pytest.approx(36 * reserved)  # spot is owed for no month but this one


def test_a_term_of_no_group_and_no_such_term_are_refused() -> None:
    with pytest.raises(PlanError, match=r"intent\.term\.fed: expected default, services or a group"):
        planned({"fed": "spot"})
    with pytest.raises(ScenarioError):
        made.scenario(intent={"term": "reserved_5y"})


def test_a_book_without_spot_prices_is_told_for_a_plan_on_spot() -> None:
    with pytest.raises(ValueError, match=r"no spot price of a machine for services"):
        planned("spot", book=made.book())


def test_a_book_beside_the_scenario_is_used_from_anywhere(tmp_path: Path) -> None:
    text = made.text(intent={"term": {"feed": "spot"}}) + "prices: mine.yaml\n"
    (tmp_path / "made.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "made.json").write_bytes(encode(made.profile()))
    (tmp_path / "mine.yaml").write_text(
        "book: mine\nbuilt: 2026-12-01\nextends: 2026-11\nprices:\n"
        '  - {id: vm.c7g.xlarge@spot, rate: 0.01, as_of: 2026-12-01, source: "made up"}\n',
        encoding="utf-8",
    )
    arguments = [str(tmp_path / "made.yaml"), "--profile", str(tmp_path / "made.json"), "--quick"]
    printed = CliRunner().invoke(command, arguments, standalone_mode=False).stdout
    assert "prices mine   feed spot" in printed
    assert "feed (spot) on " in " ".join(printed.split())
    assert "no reserved_1y price" in " ".join(printed.split())
    assert [line for line in printed.splitlines() if len(line) > 80] == []


def test_prices_of_ones_own_are_those_of_the_brief() -> None:
    known = brief(made.scenario(intent={"term": "spot"}), made.profile(), with_spot("vm.c7g.xlarge"))
    assert known.service_terms == ("spot",)
    assert known.kept_off_spot == ("redis", "postgres", "kafka")
