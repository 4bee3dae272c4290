"""A small made-up service with round figures, so that what a plan must be can be worked out by hand.

Its core has 2.6 GHz, so a vCPU of a c7g (2.6 GHz, 1.5 instructions a cycle) does 1.5 × the work of the calibrated core.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

from core.profile import CpuDemand, Delay, LinkDelay, Profile, Stalls
from core.scenario import Scenario, parse
from planning.cost import prices
from planning.cost.prices import PriceBook
from planning.plan.brief import Brief, brief
from planning.plan.sizing import candidates, shapes
from planning.plan.sizing.shapes import Shape
from planning.plan.sizing.size import RegionPlan, Shapes

#: Operation → process → CPU milliseconds.
MILLISECONDS = {
    "feed.read": {"gateway": 0.3, "feed": 3.0, "redis": 0.3},
    "feed.read/degraded": {"gateway": 0.3, "feed": 5.0, "postgres": 2.0},
    "like.add": {"gateway": 0.3, "engagement": 1.5, "postgres": 0.6, "redis": 0.06, "kafka": 0.15},
    "story.tray": {"gateway": 0.3, "stories": 1.5, "redis": 0.15},
    "search.users": {"gateway": 0.3, "search": 1.5},
    "image.read": {"edge": 0.1},
    "media.create": {"gateway": 0.3, "upload": 1.5, "postgres": 0.6},
    "object.put": {"objects": 1.0},
    "media.complete": {"gateway": 0.3, "upload": 1.5, "postgres": 0.6, "objects": 0.3},
    "media.process": {"media": 150.0, "objects": 3.0, "postgres": 0.6, "clamd": 30.0},
    "post.create": {"gateway": 0.3, "posts": 1.5, "postgres": 0.9, "kafka": 0.3},
    "fanout.deliver": {"fanout": 3.0},
}
QUIET = Stalls(per_second=(), upto_seconds=(), mean_seconds=(), lost_ratio=0.0)


def profile(*, variation: float = 0.5) -> Profile:
    """Its calibration."""
    return Profile(
        id="made",
        measured="2026-11-21T00:00:00Z",
        commit="made",
        machine={"processor": "made core @ 2.60GHz"},
        scenario="made",
        demands=tuple(
            CpuDemand(
                operation=operation,
                process=process,
                rates_per_second=(10.0, 100.0),
                cpu_seconds=(milliseconds / 0.8e3, milliseconds / 1e3),
                variation=variation,
            )
            for operation, costs in MILLISECONDS.items()
            for process, milliseconds in costs.items()
        ),
        wires=(LinkDelay(link="loopback", median_seconds=0.00005, p99_seconds=0.0002),),
        delays=(Delay(station="postgres.commit", median_seconds=0.0005, p99_seconds=0.002),),
        stalls=QUIET,
        batch_sizes={"fanout.deliver": 50.0},
    )


def text(
    *,
    per_day: dict[str, float] | None = None,
    demand: dict[str, Any] | None = None,
    intent: dict[str, Any] | None = None,
    system: dict[str, Any] | None = None,
    population: dict[str, Any] | None = None,
) -> str:
    """Its scenario. A million reads of the feed a second at the peak factor of 1 would be 86.4 billion a day."""
    return yaml.safe_dump(
        {
            "scenario": "made",
            "population": {"people": 100_000, "follows": {"mean": 20, "maximum": 5_000}, **(population or {})},
            "system": {"regions": {"us": {"people": "100%"}}, **(system or {})},
            "demand": {
                "daily_users": 100_000,
                "per_day": {"feed.read": 8_640_000, "like.add": 8_640_000} if per_day is None else per_day,
                "peak_factor": 1,
                "images_per_feed": 0,
                **(demand or {}),
            },
            "intent": {"spare": 0, "hits": ALL_HIT, **(intent or {})},
        }
    )


#: So that no path but the plain one is taken.
ALL_HIT = {"timeline": "100%", "post_card": "100%", "author_card": "100%"}


def scenario(**changes: Any) -> Scenario:
    """The scenario read."""
    return parse(text(**changes))


@lru_cache(maxsize=1)
def book() -> PriceBook:
    """The book that the scenarios name."""
    return prices.read("2026-11")


def briefed(*, calibrated: Profile | None = None, **changes: Any) -> Brief:
    """Its brief, with its own calibration or another."""
    return brief(scenario(**changes), calibrated or profile(), book())


def bought(known: Brief, services: str = "vm.c7g.xlarge", store: str = "vm.c7g.xlarge") -> Shapes:
    """These machines for everything, unlike `candidates.choose` without looking at all others."""

    def sold(term: str, name: str) -> Shape:
        offered, _ = shapes.shapes_of(known.book, kind="services", term=term, calibrated=known.demands.core)
        return next(each for each in offered if each.price_id == name)

    return Shapes(
        services={term: sold(term, services) for term in known.service_terms},
        stores={group: sold(known.terms[group], store) for group in ("redis", "postgres", "kafka")},
    )


def fleet(known: Brief) -> tuple[RegionPlan, ...]:
    """The counts of every region on `bought` machines."""
    return candidates.fleet(known, bought(known))
