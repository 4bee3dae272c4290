"""Target utilisations at which every latency percentile holds at the least cost: one number for each limit.

Capacity costs least where the free capacity of each tier is in proportion to the root of its load over its price (L.
Kleinrock's capacity assignment, *Queueing Systems* II, 1976, 5.7): 1/u = 1/busy + θ κ with κ = √(w / (c L)), where w is
the work that the constrained operation brings to a tier, c what a core's work costs there and L the tier's load. θ is
the smallest at which the percentile holds with all tiers that busy, and a tier is as busy as the strictest limit
allows. Because κ does not change when all demand grows alike, and a tier's target only falls with θ, more demand or a
stricter limit never needs fewer instances. With few instances, θ is the smallest at which whole numbers hold it
(`_of_whole`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from core.names import Server
from core.operations import steps_of
from planning.plan.brief import Brief, Case, PlanError
from planning.plan.queueing.distributions import Floats, Mixture, sum_of
from planning.plan.queueing.latency import LatencyModel
from planning.plan.queueing.loads import GroupLoad
from planning.plan.queueing.paths import Segment
from planning.plan.sizing import fleets
from planning.plan.sizing.fleets import GroupInstance

#: θ that are tried, and points within the cell in which the answer lies, and once more within theirs.
_GRID: Final = np.concatenate(([0.0], np.geomspace(1e-3, 1e3, 31)))
_CELL: Final = 33
#: Decimal exponents of θ between which many cases are bisected, and how often.
_LEAST: Final = -3.0
_MOST: Final = 3.0
_HALVINGS: Final = 10
#: Up to this many instances of what a limit's operation visits, whole numbers are examined.
_WHOLE_MAX: Final = 60
_EPSILON: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyLimit:
    """One percentile that must hold."""

    name: str  # operation or journey
    level: float
    seconds: float

    @property
    def text(self) -> str:
        """``feed.read p95``."""
        return f"{self.name} p{self.level * 100:g}"

    @property
    def field(self) -> str:
        """Where it stands in the scenario."""
        return f"intent.slo.{self.name}.p{self.level * 100:g}"


def limits(brief: Brief) -> tuple[LatencyLimit, ...]:
    return tuple(
        LatencyLimit(name=name, level=level, seconds=seconds)
        for name, slo in brief.intent.slo.items()
        for level, seconds in slo.limits().items()
    )


def latency(brief: Brief, whole: LatencyModel, name: str, case: Case) -> Mixture:
    """Distribution of an operation's or a journey's latency."""
    return sum_of(fleets.latencies(brief, whole, steps_of(name), case))


def holds(brief: Brief, whole: LatencyModel, wanted: tuple[LatencyLimit, ...], case: Case) -> Floats:
    """1 where every limit holds, 0 where one is missed, case by case."""
    good = np.ones(1)
    known: dict[str, Mixture] = {}
    for limit in wanted:
        mixture = known.setdefault(limit.name, latency(brief, whole, limit.name, case))
        good = good * (mixture.below(limit.seconds) >= limit.level)
    return good


@dataclass(frozen=True, slots=True, kw_only=True)
class TierOffer:
    """What a tier's capacity is made of and what it costs: a unit, and dollars a month for a calibrated core's work.

    ``least`` is the number of units that another resource needs anyway; ``fixed`` is a given number of units.
    """

    unit: GroupInstance
    dollars: float
    least: float = 0.0
    fixed: float | None = None
    step: int = 1  # units that are bought together


def busy(brief: Brief, load_of: Mapping[str, GroupLoad], offers: Mapping[str, TierOffer]) -> dict[str, float]:
    """Utilisation that each tier may have: the lowest that any limit allows; raises PlanError if no number of instances
    holds a limit."""
    found = dict.fromkeys(offers, brief.intent.busy_ratio)
    for family in families(brief, load_of, offers):
        for name, most in _of_limit(brief, load_of, offers, family).items():
            found[name] = min(found[name], most)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Fleets that differ in one number, θ: the larger it is, the less busy is every tier that a limit's operation
    visits."""

    limit: LatencyLimit
    weights: Mapping[str, float]  # κ
    ceiling: float

    def targets(self, theta: Floats) -> dict[str, Floats]:
        """Utilisation of every tier."""
        return {name: 1.0 / (1.0 / self.ceiling + theta * weight) for name, weight in self.weights.items()}


def families(brief: Brief, load_of: Mapping[str, GroupLoad], offers: Mapping[str, TierOffer]) -> tuple[Family, ...]:
    return tuple(
        Family(limit=limit, weights=_weights(brief, load_of, offers, limit), ceiling=brief.intent.busy_ratio)
        for limit in limits(brief)
    )


def many(
    brief: Brief,
    load_of: Mapping[str, GroupLoad],
    offers: Mapping[str, TierOffer],
    known: tuple[Family, ...],
    case: Case,
) -> dict[str, Floats]:
    """`busy` for many cases at once, by bisection over θ; not a number where no fleet of the family holds a limit."""
    found = {name: np.full(1, brief.intent.busy_ratio) for name in offers}
    for family in known:

        def good(theta: Floats, family: Family = family) -> Floats:
            whole = at(brief, load_of, offers, family.targets(theta), case)
            return np.asarray(holds(brief, whole, (family.limit,), case) > 0)

        size = np.broadcast_shapes(*(each.shape for each in (case.rate, case.cpu, case.misses, case.round_trip)))
        low, high = np.full(size, _LEAST), np.full(size, _MOST)
        idle, reached = good(np.zeros(size)), good(10.0**high)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            passed = good(10.0**middle)
            low, high = np.where(passed, low, middle), np.where(passed, middle, high)
        theta = np.where(idle, 0.0, np.where(reached, 10.0**high, np.nan))
        for name, most in family.targets(theta).items():
            found[name] = np.minimum(found[name], most)
    return found


def _of_limit(
    brief: Brief, load_of: Mapping[str, GroupLoad], offers: Mapping[str, TierOffer], family: Family
) -> dict[str, float]:
    limit = family.limit

    def good(theta: Floats) -> Floats:
        whole = at(brief, load_of, offers, family.targets(theta), Case())
        return np.asarray(np.broadcast_to(holds(brief, whole, (limit,), Case()), theta.shape))

    found = _least(good)
    given = any(offer.fixed is not None for offer in offers.values())
    if found is None or found:
        found = _of_whole(brief, load_of, offers, family, found)
    if found is None:
        if not given:
            least = _floor(brief, load_of, offers, family)
            raise PlanError(
                f"{limit.field}: no number of instances holds it; the least is {least * 1e3:.3g} ms, and "
                f"< {limit.seconds * 1e3:g} ms is asked",
                least_seconds=least,
            )
        found = 0.0  # given counts are judged, not searched
    return {name: float(each[0]) for name, each in family.targets(np.array([found])).items()}


def _floor(brief: Brief, load_of: Mapping[str, GroupLoad], offers: Mapping[str, TierOffer], family: Family) -> float:
    """The least seconds of a limit's percentile, by exact numbers of instances and by whole ones: more of a tier that a
    request asks all at once take longer, and few idle ones may be better than many."""
    limit, targets = family.limit, family.targets(_GRID)
    counts: dict[str, Floats | float] = {
        name: offer.fixed
        if offer.fixed is not None
        else offer.step * np.maximum(1.0, np.ceil(_asked(load_of, offer, name, targets[name]) / offer.step - _EPSILON))
        for name, offer in offers.items()
    }
    units = {name: offer.unit for name, offer in offers.items()}
    fleets_of = (
        at(brief, load_of, offers, targets, Case()),
        fleets.fleet(brief, load_of, counts, units, Case()),
    )
    best = (latency(brief, whole, limit.name, Case()).quantile(limit.level) for whole in fleets_of)
    return min(float(np.nanmin(each)) for each in best)


def _asked(load_of: Mapping[str, GroupLoad], offer: TierOffer, name: str, target: Floats) -> Floats:
    """Units of a tier that the load needs at a utilisation, or that another resource needs anyway."""
    return np.maximum(load_of.get(name, GroupLoad()).cores / (offer.unit.work * target), offer.least)


def _of_whole(
    brief: Brief, load_of: Mapping[str, GroupLoad], offers: Mapping[str, TierOffer], family: Family, most: float | None
) -> float | None:
    """The least θ at which the limit holds in whole numbers, for this load and every lighter one.

    Rounding up adds much capacity to a small tier, and idle capacity in one tier makes up for another. The limit must
    also hold at every lighter load; otherwise counts could fall as demand grows, because the next instance of one tier
    would let all others have fewer. At ``most`` the limit holds however counts are rounded; it is None if no exact
    numbers hold it.
    """
    upper = float(_GRID[-1]) if most is None else most
    surely = np.inf if most is None else most

    def good(theta: Floats) -> Floats:
        target = family.targets(theta)
        exact = {
            name: _asked(load_of, offer, name, target[name]) for name, offer in offers.items() if offer.fixed is None
        }
        steps = {name: np.ceil(each / offers[name].step - _EPSILON) for name, each in exact.items()}
        watched = [name for name in steps if family.weights[name]]
        total = sum((steps[name] for name in watched), np.zeros(len(theta)))
        few = np.flatnonzero(total <= _WHOLE_MAX)
        if not len(few):
            return np.asarray(theta >= surely, dtype=np.float64)
        # a tier is busiest just before it gets one more instance, so a limit is missed first at such loads
        at_theta, share = [], []
        for index in few:
            edges = {1.0}
            for name in watched:
                one = float(exact[name][index]) / offers[name].step
                edges |= {number / one for number in range(1, int(steps[name][index])) if number < one}
            at_theta += [index] * len(edges)
            share += sorted(edges)
        rows, lighter = np.array(at_theta), np.array(share)
        counts: dict[str, Floats | float] = {
            name: offers[name].step * np.maximum(1.0, np.ceil(each[rows] * lighter / offers[name].step - _EPSILON))
            for name, each in exact.items()
        }
        counts |= {name: offer.fixed for name, offer in offers.items() if offer.fixed is not None}
        units = {name: offer.unit for name, offer in offers.items()}
        lighter_of = {
            name: replace(
                load,
                arrivals=tuple(replace(each, per_second=each.per_second * lighter) for each in load.arrivals),
                threaded_cores=load.threaded_cores * lighter,
            )
            for name, load in load_of.items()
        }
        whole = fleets.fleet(brief, lighter_of, counts, units, Case())
        held = np.broadcast_to(holds(brief, whole, (family.limit,), Case()), rows.shape)
        passed = np.asarray(theta >= surely, dtype=np.float64)
        for index in few:
            passed[index] = max(passed[index], float(np.all(held[rows == index] > 0)))
        return passed

    found = _least(good, np.concatenate(([0.0], np.geomspace(upper / 1e3, upper, 31))))
    return most if found is None else found


def _least(good: Callable[[Floats], Floats], tried: Floats = _GRID) -> float | None:
    """The smallest θ at which everything holds: on the grid, then within its cell, then within a cell of that."""
    if good(tried[:1])[0] > 0:
        return 0.0  # the usual case
    for _ in range(3):
        passed = good(tried) > 0
        if not passed.any():
            return None
        first = int(np.argmax(passed))
        if first == 0:
            return float(tried[0])
        tried = np.linspace(tried[first - 1], tried[first], _CELL)
    return float(tried[-1])


def at(
    brief: Brief,
    load_of: Mapping[str, GroupLoad],
    offers: Mapping[str, TierOffer],
    target: Mapping[str, Floats],
    case: Case,
) -> LatencyModel:
    """The fleet whose tiers are as busy as they may be."""
    counts: dict[str, Floats | float] = {}
    for name, offer in offers.items():
        asked = load_of.get(name, GroupLoad()).cores * case.cpu / (offer.unit.work * target[name])
        counts[name] = offer.fixed if offer.fixed is not None else np.maximum(np.maximum(asked, offer.least), 1e-9)
    # one gateway more than the load needs: never fewer than the rounded number, and it does not jump
    gateways = counts[str(Server.GATEWAY)] + 1.0
    units = {name: offer.unit for name, offer in offers.items()}
    return fleets.fleet(brief, load_of, counts, units, case, gateways=gateways)


def _weights(
    brief: Brief, load_of: Mapping[str, GroupLoad], offers: Mapping[str, TierOffer], limit: LatencyLimit
) -> dict[str, float]:
    """κ of every tier, the largest 1; zero for tiers that the constrained operation does not visit."""
    work: dict[str, float] = {}
    for name in steps_of(limit.name):
        operation = brief.demands.operations[name]
        for chance, path in zip(operation.probabilities(brief.miss_ratio), operation.paths, strict=True):
            for group, seconds in _seconds(path.segment, brief.group_of).items():
                work[group] = work.get(group, 0.0) + chance * seconds
    found = {}
    for name, offer in offers.items():
        cores = float(load_of.get(name, GroupLoad()).cores[0])
        found[name] = float(np.sqrt(work.get(name, 0.0) / (offer.dollars * cores))) if cores else 0.0
    most = max(found.values(), default=0.0)
    return {name: each / most if most else 0.0 for name, each in found.items()}


def _seconds(whole: Segment, group_of: Mapping[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for segment in whole.every():
        for visit in segment.visits:
            group = group_of[visit.process]
            found[group] = found.get(group, 0.0) + visit.seconds
    return found
