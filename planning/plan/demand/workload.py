"""The workload: from a day's operations of the whole service to requests a second, by operation, region and moment.

Three moments matter: *now*, the mean of a present day; *peak*, the busiest hour at the end of the horizon; *lost*, that
hour with as many regions lost as the intent allows, chosen to send the most people here. `core.policies.geo` decides
who serves whom then, as in the model. All regions are assumed to be busiest at once, which overestimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

from core.operations import (
    BACKGROUND,
    FANOUT_DELIVER,
    FEED_READ,
    IMAGE_READ,
    MEDIA_COMPLETE,
    MEDIA_DELETE,
    MEDIA_PROCESS,
    MEDIA_REMOVE,
    OPERATIONS,
    POST_CREATE,
    POST_DELETE,
    STORY_DELETE,
    steps_of,
)
from core.policies.geo import serving
from core.scenario import Scenario
from core.scenario.demand import Demand
from core.scenario.intent import Intent
from core.scenario.regions import rtt_seconds
from planning.plan.demand import followers

DAY_SECONDS: Final = 86_400.0


class Moment(StrEnum):
    """A moment at which a fleet is evaluated."""

    NOW = "now"
    PEAK = "peak"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Rates of the whole service and their distribution over regions and time."""

    per_second: Mapping[str, float]  # mean of a present day, by operation and background job
    shares: Mapping[str, float]  # of the people, by region
    worst_shares: Mapping[str, float]  # of the people whom a region serves, with those lost that cost it most
    away_ratio: float  # of operations on other people's posts, the share whose author lives in another region
    away_seconds: float  # mean round trip to there
    peak_factor: float
    growth_factor: float  # of the end of the horizon over the present
    lose_regions: int
    pushes_per_post: float
    celebrities: float  # people whose posts are pulled
    celebrities_followed: float  # by one reader on average
    people: int
    daily_users: int
    timeline_miss_ratio: float  # of feed reads: a person's first after the timeline's time to live

    def factor(self, region: str, moment: Moment) -> float:
        """Rate in ``region`` at ``moment`` over the service's present mean."""
        share = self.shares[region]
        if moment is Moment.NOW:
            return share
        busy = share * self.peak_factor * self.growth_factor
        return busy if moment is Moment.PEAK else busy * self.spill(region)

    def spill(self, region: str) -> float:
        """Rate in ``region`` with the worst regions lost, over its own."""
        return self.worst_shares[region] / self.shares[region]

    def rates(self, region: str, moment: Moment) -> dict[str, float]:
        """Requests a second by operation and background job."""
        factor = self.factor(region, moment)
        return {name: rate * factor for name, rate in self.per_second.items()}

    @property
    def requests_per_second(self) -> float:
        """Mean rate of client requests at present."""
        return sum(rate for name, rate in self.per_second.items() if name in OPERATIONS)


def workload_of(scenario: Scenario, demand: Demand, intent: Intent) -> Workload:
    """The workload of a scenario's demand and intent."""
    curve = followers.curve(scenario.population.follows, people=max(2, demand.people))
    shares = {name: region.people_ratio for name, region in scenario.system.regions.items()}
    away, trip = _away(scenario, tuple(shares.values()))
    known, followed = curve.celebrities(scenario.system.fanout.threshold)
    rates = _per_second(demand, images_per_feed=_images_per_feed(scenario, demand))
    return Workload(
        per_second=rates,
        shares=shares,
        worst_shares=_worst(scenario, shares, lose=intent.lose_regions),
        away_ratio=away,
        away_seconds=trip,
        peak_factor=demand.peak_factor,
        growth_factor=(1.0 + intent.growth_ratio) ** intent.years,
        lose_regions=intent.lose_regions,
        pushes_per_post=curve.pushes_per_post(
            posters_ratio=scenario.population.posters_ratio, settings=scenario.system.fanout
        ),
        celebrities=known,
        celebrities_followed=followed,
        people=demand.people,
        daily_users=demand.daily_users,
        timeline_miss_ratio=_timeline_misses(demand, ttl_seconds=scenario.system.fanout.ttl_seconds),
    )


def _worst(scenario: Scenario, shares: Mapping[str, float], *, lose: int) -> dict[str, float]:
    """The largest share of the people that each region serves while it is up and ``lose`` others are not."""
    trips = rtt_seconds(scenario.system.regions, scenario.system.geo)
    found = dict(shares)
    names, indices = tuple(shares), range(len(shares))
    for lost in combinations(indices, lose):
        up = sum(1 << index for index in indices if index not in lost)
        served = dict.fromkeys(indices, 0.0)
        for home in indices:
            served[serving(home, up, trips[home])] += shares[names[home]]
        for index in indices:
            if index not in lost:
                found[names[index]] = max(found[names[index]], served[index])
    return found


def _away(scenario: Scenario, shares: tuple[float, ...]) -> tuple[float, float]:
    """(share of pairs of people who live in two regions, mean round trip between those)."""
    trips = rtt_seconds(scenario.system.regions, scenario.system.geo)
    pairs = [
        (mine * theirs, trips[here][there])
        for here, mine in enumerate(shares)
        for there, theirs in enumerate(shares)
        if here != there
    ]
    ratio = sum(weight for weight, _ in pairs)
    return ratio, sum(weight * seconds for weight, seconds in pairs) / ratio if ratio else 0.0


def _images_per_feed(scenario: Scenario, demand: Demand) -> float:
    return float(scenario.system.feed.page) if demand.images_per_feed is None else demand.images_per_feed


def _per_second(demand: Demand, *, images_per_feed: float) -> dict[str, float]:
    rates = dict.fromkeys((*OPERATIONS, *BACKGROUND), 0.0)
    for act, count in demand.per_day.items():
        for step in steps_of(act):
            rates[step] += count / DAY_SECONDS
    rates[IMAGE_READ] += rates[FEED_READ] * images_per_feed
    rates[MEDIA_PROCESS] = rates[MEDIA_COMPLETE]
    rates[MEDIA_REMOVE] = rates[MEDIA_DELETE] + rates[POST_DELETE] + rates[STORY_DELETE]
    rates[FANOUT_DELIVER] = rates[POST_CREATE]
    return rates


def _timeline_misses(demand: Demand, *, ttl_seconds: float) -> float:
    """Share of feed reads that find no timeline: one expires its time to live after it was filled, read or not."""
    reads = demand.per_day.get(FEED_READ, 0.0)
    fills = demand.daily_users * max(1.0, DAY_SECONDS / max(ttl_seconds, 1.0))
    return min(1.0, fills / reads) if reads else 0.0
