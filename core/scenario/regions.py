"""Regions in a scenario: their people, the round trips between them, and what happens when one is lost."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from core.scenario.fields import CONFIG
from core.scenario.units import Ratio, Seconds, SignedSeconds


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Region:
    """A region with its share of the people; it has a full set of processes on hosts of its own."""

    people_ratio: Annotated[Ratio, Field(gt=0, le=1)] = 1.0
    utc_offset_seconds: Annotated[SignedSeconds, Field(ge=-43_200, le=50_400)] = 0.0
    rtt: dict[str, Seconds] = field(default_factory=dict)  # round trips to other regions; stated by either of the two


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Geo:
    """How people are routed to regions, by `core.policies.geo`, and the default round trip between regions."""

    rtt_seconds: Seconds = 0.08
    health_check_seconds: Seconds = 10.0  # until the loss or the return of a region is noticed


def rtt_seconds(regions: dict[str, Region], geo: Geo) -> tuple[tuple[float, ...], ...]:
    """Round trips between all regions, in the scenario's order."""

    def between(one: str, other: str) -> float:
        if one == other:
            return 0.0
        return regions[one].rtt.get(other, regions[other].rtt.get(one, geo.rtt_seconds))

    return tuple(tuple(between(one, other) for other in regions) for one in regions)
