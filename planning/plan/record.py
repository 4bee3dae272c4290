"""A plan as plain data, for programs; units last in every name."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from planning.cost.bill import Bill
from planning.plan import words
from planning.plan.answer import Plan
from planning.plan.certainty.outlook import Outlook
from planning.plan.demand.workload import Moment
from planning.plan.sizing.size import RegionPlan


def record(plan: Plan) -> dict[str, Any]:
    """The plan for JSON; infinite values are null."""
    brief = plan.brief
    whole = {
        "scenario": brief.scenario.name,
        "sentence": words.headline(plan),
        "held": plan.held,
        "bottleneck": words.bottleneck(plan),
        "machines": plan.machines,
        "profile": brief.profile.id,
        "prices": plan.bill.prices,
        "terms": {name: tier.shape.term for name, tier in plan.regions[0].tiers.items()},
        "spares": asdict(plan.spares),
        "shapes": {"services": {term: shape.price_id for term, shape in plan.shapes.services.items()}}
        | {name: shape.price_id for name, shape in plan.shapes.stores.items()},
        "regions": [_region(plan, region) for region in plan.regions],
        "outlook": _outlook(plan.outlook),
        "availability": {
            "asked_ratio": plan.availability.asked_ratio,
            "expected_ratio": plan.availability.ratio,
            "budget_minutes_month": plan.availability.budget_minutes_month,
            "burn": plan.availability.burn,
            "causes": [asdict(cause) for cause in plan.availability.causes],
        },
        "cost": {
            "months": plan.spending.months,
            "mean": _bill(plan.spending.mean),
            "first": _bill(plan.spending.first),
            "last": _bill(plan.spending.last),
            "by_age_of_prices": asdict(plan.aged),
            "paid_otherwise": [asdict(each) for each in plan.paid],
        },
        "margins": [asdict(margin) for margin in plan.margins],
        "uncertainty": asdict(plan.uncertainty) if plan.uncertainty is not None else None,
        "present": None
        if plan.present is None
        else {
            "counts": dict(plan.present.counts),
            "sentence": words.todays_fleet(plan),
            "held": plan.present.plan is not None and plan.present.plan.held,
        },
        "excuses": [asdict(excuse) for excuse in plan.excuses],
        "notes": list(plan.notes),
    }
    plain: dict[str, Any] = _plain(whole)
    return plain


def _region(plan: Plan, region: RegionPlan) -> dict[str, Any]:
    edge, shield = plan.caches.edge[region.name], plan.caches.shield[region.name]
    return {
        "region": region.name,
        "pools": [
            {
                "term": pool.term,
                "groups": list(pool.groups),
                "price_id": pool.shape.price_id,
                "machines": pool.machines,
                "working": pool.working,
            }
            for pool in region.pools
        ],
        "partitions": region.partitions,
        "tiers": [
            {
                "tier": tier.name,
                "instances": tier.instances,
                "working": tier.working,
                "copies": tier.copies,
                "machines": tier.machines,
                "price_id": tier.shape.price_id,
                "term": tier.shape.term,
                "busy_max_ratio": tier.busy_ratio,
                "given": tier.given,
                "needs": [
                    {"resource": need.resource, "count": need.count, "exact": need.exact, "says": need.says}
                    for need in tier.needs
                ],
            }
            for tier in region.tiers.values()
        ],
        "cdn": {
            "edge": asdict(edge),
            "shield": asdict(shield),
            "origin_bytes_per_second": plan.caches.origin_bytes_per_second[region.name],
        },
    }


def _outlook(outlook: Outlook) -> dict[str, Any]:
    return {
        "region": outlook.region,
        "knee": outlook.knee,
        "bottleneck": outlook.bottleneck.name,
        "percentiles": [
            {
                "operation": each.limit.name,
                "level": each.limit.level,
                "limit_seconds": each.limit.seconds,
                "held": each.held,
                "seconds": {words.MOMENTS[moment]: each.seconds[moment] for moment in Moment},
                "burn": {words.MOMENTS[moment]: each.burn(moment) for moment in Moment},
            }
            for each in outlook.percentiles
        ],
        "tiers": [
            {
                "tier": each.name,
                "binds": each.binds,
                "utilisation": {words.MOMENTS[moment]: each.utilisation[moment] for moment in Moment},
                "knee_utilisation": each.knee_utilisation,
                "headroom": {words.MOMENTS[moment]: each.headroom[moment] for moment in Moment},
            }
            for each in outlook.tiers
        ],
    }


def _bill(bill: Bill) -> dict[str, Any]:
    return {
        "dollars_month": bill.total_dollars_month,
        "dollars_per_million_requests": bill.dollars_per_million_requests,
        "dollars_per_user_month": bill.dollars_per_user_month,
        "by_component": bill.by_component(),
        "items": [asdict(item) for item in bill.items],
        "assumptions": list(bill.assumptions),
    }


def _plain(value: Any) -> Any:
    """Convert values and keys to those that JSON has."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
