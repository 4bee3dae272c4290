"""Knees and headroom: a planted bottleneck is named, and at the knee the limit is just reached."""

from __future__ import annotations

from typing import Any

import pytest

from planning.plan import answer as plan
from planning.plan.answer import Plan
from planning.plan.brief import Case
from planning.plan.certainty.outlook import Outlook
from planning.plan.demand.workload import Moment
from planning.plan.sizing import fleets, size, targets
from tests.planner import made

#: Instances of every group that are far more than enough.
AMPLE = {"gateway": 40, "feed": 40, "api": 40, "workers": 40, "clamd": 10, "postgres": 16, "redis": 400, "kafka": 10}
PER_DAY = {"feed.read": 86_400 * 1_000, "like.add": 86_400 * 1_000, "media.upload": 86_400 * 2}


def planned(**changes: Any) -> Plan:
    return plan.make(made.scenario(**changes), made.profile(), made.book(), sure=False, more=False)


def given(*, few: dict[str, int], slo: dict[str, Any] | None = None) -> Plan:
    return planned(
        per_day=PER_DAY,
        intent={
            "fleet": {**AMPLE, **few},
            "shapes": dict.fromkeys(("services", "redis", "postgres", "kafka"), "vm.c7g.xlarge"),
            "horizon": "1d",
            **({"slo": slo} if slo else {}),
        },
    )


@pytest.mark.parametrize(
    ("few", "first"),
    [
        ({"feed": 3}, "feed"),  # 3 cores of work on 3 × 1.5
        ({"api": 2}, "api"),
        ({"gateway": 1}, "gateway"),
        ({"workers": 1}, "workers"),
        ({"redis": 1}, "redis"),
    ],
)
def test_a_bottleneck_that_is_planted_is_named(few: dict[str, int], first: str) -> None:
    found = given(few=few)
    assert found.outlook.bottleneck.name == first
    rest = [each.headroom[Moment.LOST] for each in found.outlook.tiers]
    assert rest == sorted(rest)


def test_utilisation_is_load_over_capacity() -> None:
    found = given(few={"feed": 4})
    feed = next(each for each in found.outlook.tiers if each.name == "feed")
    assert feed.utilisation[Moment.LOST] == pytest.approx(1_000 * 0.003 / 4 / 1.5, rel=0.01)


def test_now_and_peak_are_less_busy_than_the_worst_hour() -> None:
    found = planned(
        per_day=PER_DAY,
        demand={"peak_factor": 2},
        system={"regions": {"us": {"people": "50%"}, "eu": {"people": "50%"}}},
        intent={"growth": "50%", "lose_regions": 1, "spare": 1},
    )
    busy = [tier for tier in found.outlook.tiers if tier.utilisation[Moment.LOST]]
    assert len(busy) > 1
    for tier in busy:
        now, peak, worst = (tier.utilisation[moment] for moment in Moment)
        assert now < peak < worst, tier.name


def test_at_its_knee_a_tier_just_holds_the_limit() -> None:
    found = given(few={"feed": 3}, slo={"feed.read": {"p95": "< 20ms"}})
    known, region = found.brief, found.regions[0]
    tier, feed = region.tiers["feed"], next(each for each in found.outlook.tiers if each.name == "feed")
    load = region.load_of["feed"]
    counts = {name: size.left(each, Moment.LOST) for name, each in region.tiers.items()}
    whole = fleets.fleet(known, region.load_of, counts, region.units, Case())
    for busy, holds in ((feed.knee_utilisation * 0.99, 1.0), (min(0.999, feed.knee_utilisation * 1.02), 0.0)):
        group = fleets.group(
            known,
            "feed",
            load,
            count=load.cores / tier.unit.work / busy,
            unit=tier.unit,
            case=Case(),
            gateways=float(region.tiers["gateway"].working),
        )
        assert targets.holds(known, whole.with_group("feed", group), targets.limits(known), Case())[0] == holds


def percentile_at(found: Plan, factor: float) -> float:
    known, region = found.brief, found.regions[0]
    counts = {name: size.left(each, Moment.LOST) for name, each in region.tiers.items()}
    rates = {name: rate * factor for name, rate in known.workload.rates("us", Moment.LOST).items()}
    whole = fleets.fleet(known, fleets.load(known, rates, Case()), counts, region.units, Case())
    (limit,) = targets.limits(known)
    return float(targets.latency(known, whole, limit.name, Case()).quantile(limit.level)[0])


def test_at_the_knee_of_the_whole_the_limit_is_reached() -> None:
    found = given(few={"feed": 3}, slo={"feed.read": {"p95": "< 20ms"}})
    assert percentile_at(found, found.outlook.knee * 0.995) < 0.020
    assert percentile_at(found, found.outlook.knee * 1.02) > 0.020


def test_what_is_missed_is_said_and_not_hidden() -> None:
    found = given(few={"feed": 3}, slo={"feed.read": {"p95": "< 5.3ms"}})
    (missed,) = found.outlook.percentiles
    assert not missed.held
    assert not found.held
    assert missed.burn(Moment.LOST) > 1.0
    assert found.outlook.knee < 1.0


def test_budget_spent_is_the_share_beyond_the_limit() -> None:
    found = given(few={"feed": 3}, slo={"feed.read": {"p95": "< 20ms"}})
    (each,) = found.outlook.percentiles
    at_limit = each.beyond_ratio[Moment.LOST]
    assert each.burn(Moment.LOST) == pytest.approx(at_limit / 0.05)
    assert 0.0 < at_limit < 0.05


def test_the_curve_rises_and_passes_the_limit_at_the_knee() -> None:
    found: Outlook = given(few={"feed": 3}, slo={"feed.read": {"p95": "< 20ms"}}).outlook
    (curve,) = found.curves
    assert list(curve.seconds) == sorted(curve.seconds)
    under = [load for load, seconds in zip(curve.load, curve.seconds, strict=True) if seconds < 0.020]
    assert max(under) == pytest.approx(found.knee, abs=0.03)


def test_gateways_that_share_instances_are_later_than_those_with_instances_of_their_own() -> None:
    late = []
    for together in (1, 2, 4, 1_000):
        found = planned(
            per_day={"feed.read": 86_400 * 20_000},
            intent={"slo": {"feed.read": {"p95": "< 60ms"}}, "gateways_together": together, "horizon": "1d"},
        )
        (each,) = found.outlook.percentiles
        late.append(each.seconds[Moment.LOST])
        assert any(("its own share" if together == 1 else "share instances") in note for note in found.notes)
    assert late == sorted(late)
    assert late[-1] > 1.2 * late[0]


def test_a_curve_never_falls_where_hardly_anybody_waits() -> None:
    found = planned(per_day={"feed.read": 86_400 * 20_000}, intent={"slo": {"feed.read": {"p95": "< 60ms"}}})
    (curve,) = found.outlook.curves
    assert list(curve.seconds) == sorted(curve.seconds)
