"""One cell of a fleet, as a scenario and a profile that can be simulated like any other.

People, their data and the instances that serve them are divided by a hash of the person. Each cell therefore gets a
Poisson stream of requests with its part of the rate, and simulating it alone is exact for what stays inside it. What
crosses cells is not exact, because people follow people in any cell.

The follower curve is scaled so that the work stays the same. The k-th most followed person of a cell has as many
followers as the (k × N)-th of the fleet, so the share of celebrities among authors and the number of timelines per
post are those of the fleet. Nobody has more followers than the cell has people: everybody there follows the greatest
celebrities. The mean cost of pushes and pulls is that of the fleet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from core.operations import FANOUT_DELIVER
from core.profile import Profile
from core.scenario import Scenario
from core.scenario.demand import Demand
from core.scenario.model import PopulationSettings
from planning.plan.demand import followers
from sim.model.content import Content
from sim.model.flow import Per
from sim.model.prepared import check_people
from sim.model.pulls import FOLLOWED, KNOWN, Pulls

DELIVERED = FANOUT_DELIVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One of ``count`` cells."""

    scenario: Scenario
    profile: Profile
    count: int


def cell_of(scenario: Scenario, profile: Profile, *, size: int = 1) -> Cell:
    """A cell of a fleet, or one with ``size`` times the people of its cells; a scenario of one cell is itself.

    Raises `sim.model.prepared.ScaleError` if a cell has too many people to be simulated.
    """
    if scenario.system.cells == 1:
        return Cell(scenario=scenario, profile=profile, count=1)
    count = scenario.system.cells / size
    people = max(2, round(scenario.population.people / count))
    check_people(people, of=scenario.population.people * size, what="cell")
    part = people / scenario.population.people
    population = _population(scenario.population, people)
    load, highest = scenario.traffic, population.follows.maximum
    viral = load.viral
    if viral is not None:
        author = replace(viral.author, followers=min(viral.author.followers, highest))
        viral = replace(viral, author=author)
    cell = replace(
        scenario,
        scenario=f"{scenario.name[:59]}_cell",
        description=f"One of {count:,g} cells of {scenario.name}.",
        population=population,
        system=replace(scenario.system, cells=1),
        traffic=replace(load, rate_per_second=load.rate_per_second / count, viral=viral),
        demand=_demand(scenario.demand, part),
        intent=None,
        design=None,
        drill=None,
    )
    return Cell(scenario=cell, profile=_profile(profile, scenario, cell), count=max(1, round(count)))


def _demand(demand: Demand | None, part: float) -> Demand | None:
    """A cell's part of a day, for a demand that states CPU of its own."""
    if demand is None:
        return None
    users = None if demand.users is None else max(1, round(demand.users * part))
    return replace(
        demand,
        daily_users=max(1, round(demand.daily_users * part)),
        users=users,
        per_day={name: count * part for name, count in demand.per_day.items()},
        images=None if demand.images is None else max(1, round(demand.images * part)),
    )


def _population(whole: PopulationSettings, people: int) -> PopulationSettings:
    """People of a cell: every N-th of the fleet's ranking, with at most the cell's people as followers."""
    follows = whole.follows
    curve = followers.curve(follows, people=whole.people)
    highest = min(follows.maximum, people - 1)
    ranks = np.arange(1, people + 1) * (whole.people / people)
    middles = np.cumsum(curve.counts) - (curve.counts - 1.0) / 2.0
    # linear in logarithms, as the curve is between two bins
    there = np.exp(np.interp(np.log(ranks), np.log(middles), np.log(curve.followers))) if follows.mean > 0 else 0.0
    mean = float(np.minimum(there, highest).mean())
    return replace(whole, people=people, follows=replace(follows, mean=mean, maximum=highest))


def _profile(profile: Profile, fleet: Scenario, cell: Scenario) -> Profile:
    """The profile with batch sizes that give the cell's graph the mean cost of the fleet's."""
    curve = followers.curve(fleet.population.follows, people=fleet.population.people)
    content = Content(cell, viral_author=None)
    sizes = dict(profile.batch_sizes)
    pushed = curve.pushes_per_post(posters_ratio=fleet.population.posters_ratio, settings=fleet.system.fanout)
    if DELIVERED in sizes and pushed > 0:
        sizes[DELIVERED] *= content.mean_push_count() / pushed
    known, followed = curve.celebrities(fleet.system.fanout.threshold)
    sizes |= _calibrated(Pulls.from_profile(profile), content, known=known, followed=followed)
    return msgspec.structs.replace(profile, batch_sizes=sizes)


def _calibrated(pulls: Pulls, content: Content, *, known: float, followed: float) -> Mapping[str, float]:
    """Numbers of celebrities at calibration with which the cell has the fleet's factors, for store and service.

    A factor is (a + b × known + followed) over the same at calibration, so two factors are two linear equations.
    """
    (asks, each), (merges, one) = (Pulls.costs(per) for per in (Per.PULL, Per.MERGE))
    here_known, here = content.celebrities(), content.mean_pull_count()
    store, service = (
        (asking + cost * here_known + here) / pulls.factor(per, followed=followed, known=known) - asking
        for per, asking, cost in ((Per.PULL, asks, each), (Per.MERGE, merges, one))
    )
    calibrated = (store - service) / (each - one)
    return {KNOWN: calibrated, FOLLOWED: store - each * calibrated}
