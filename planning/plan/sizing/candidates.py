"""Candidates: every machine in the price book for a tier, the cheapest fleet, and why the others were rejected.

A store's nodes are chosen independently, at the highest allowed utilisation. The services' machines are chosen by
sizing the whole fleet on each: a faster core shortens every request, so it may be busier for the same limit. Where
counts are given, machines on which the limits hold are preferred to cheaper ones. If services have several terms of
payment, each term's pool is chosen in turn, twice, with the others as they are then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.names import Server
from core.scenario.intent import SERVICES
from planning.plan.brief import Brief, Case, GroupKind, PlanError
from planning.plan.demand.workload import Moment
from planning.plan.queueing.loads import GroupLoad
from planning.plan.sizing import fleets, shapes, size, tiers
from planning.plan.sizing.shapes import Shape
from planning.plan.sizing.size import RegionPlan, Shapes, Spares


@dataclass(frozen=True, slots=True, kw_only=True)
class Excuse:
    """Why a candidate was not taken."""

    tier: str
    price_id: str
    reason: str
    ratio: float | None = None  # cost with it over cost with what was taken, machines alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chosen machines, their numbers, and the rejected candidates."""

    shapes: Shapes
    regions: tuple[RegionPlan, ...]
    excuses: tuple[Excuse, ...]

    @property
    def dollars_month(self) -> float:
        return sum(region.dollars_month for region in self.regions)


def choose(brief: Brief) -> Choice:
    """The cheapest fleet; raises PlanError where no candidate holds the intent, PriceError where nothing is sold."""
    excuses: list[Excuse] = []
    stores = {}
    for group in brief.of_kind(GroupKind.STORE):
        stores[group], refused = _store(brief, group)
        excuses += refused
    offered = {}
    for term in brief.service_terms:
        offered[term], refused = _offered(brief, SERVICES, term)
        excuses += [replace(each, tier=_pool_name(brief, term)) for each in refused]
    # pool by pool, with the others on the fastest machines at first, so that a feasible limit holds
    services = {term: max(found, key=lambda shape: shape.speed) for term, found in offered.items()}
    for _ in range(min(2, len(offered))):
        more = []
        for term in offered:
            services[term], refused = _pool(brief, term, offered[term], Shapes(services=services, stores=stores))
            more += refused
    excuses += more
    chosen = Shapes(services=services, stores=stores)
    return Choice(shapes=chosen, regions=fleet(brief, chosen), excuses=tuple(excuses))


def _pool(brief: Brief, term: str, offered: tuple[Shape, ...], others: Shapes) -> tuple[Shape, list[Excuse]]:
    """The shape of one pool with which the whole fleet is cheapest, and excuses for the rest."""
    # regions differ only in size, so the largest one decides
    largest = max(brief.workload.shares, key=lambda name: brief.workload.factor(name, Moment.LOST))
    tier = _pool_name(brief, term)
    costs: dict[str, float] = {}
    missed: set[str] = set()
    excuses: list[Excuse] = []
    errors: list[PlanError] = []
    for shape in offered:
        chosen = Shapes(services={**others.services, term: shape}, stores=others.stores)
        try:
            sized = size.region(brief, largest, chosen)
            costs[shape.price_id] = sized.dollars_month
            if brief.intent.fleet and not size.holds(brief, sized):
                missed.add(shape.price_id)
        except PlanError as error:
            errors.append(error)
            excuses.append(Excuse(tier=tier, price_id=shape.price_id, reason=str(error)))
    if not costs:
        raise min(errors, key=lambda error: error.least_seconds)  # on the machines on which it is the least
    by_name = {shape.price_id: shape for shape in offered}
    # with given counts, a cheap machine may be too slow for a limit
    best = min(costs, key=lambda name: (name in missed, costs[name]))
    for name in sorted(costs, key=lambda name: costs[name]):
        if name != best:
            reason = _dearer(by_name[name], by_name[best], costs[name], costs[best])
            if name in missed and best not in missed:
                reason = "too slow: with the intent's fleet a limit is missed on it"
            excuses.append(Excuse(tier=tier, price_id=name, reason=reason, ratio=costs[name] / costs[best]))
    return by_name[best], excuses


def _pool_name(brief: Brief, term: str) -> str:
    """``services``, and if there are several pools, how this one is paid."""
    return SERVICES if len(brief.service_terms) == 1 else f"{SERVICES}, {term.replace('_', ' ')}"


def fleet(brief: Brief, chosen: Shapes, spares: Spares | None = None) -> tuple[RegionPlan, ...]:
    return tuple(size.region(brief, name, chosen, spares) for name in brief.workload.shares)


def _offered(brief: Brief, group: str, term: str) -> tuple[tuple[Shape, ...], list[Excuse]]:
    """Shapes that may be taken for a group at a term, and those that may not."""
    found, refused = shapes.shapes_of(brief.book, kind=group, term=term, calibrated=brief.demands.core)
    excuses = [Excuse(tier=group, price_id=each.price_id, reason=each.reason) for each in refused]
    wanted = brief.intent.shapes.get(group)
    if wanted is None:
        return found, excuses
    taken = tuple(shape for shape in found if shape.price_id == wanted)
    if not taken:
        known = ", ".join(shape.price_id for shape in found)
        raise PlanError(f"intent.shapes.{group}: the book sells no {wanted} for it; expected one of {known}")
    others = [shape for shape in found if shape.price_id != wanted]
    excuses += [Excuse(tier=group, price_id=each.price_id, reason=f"the intent wants {wanted}") for each in others]
    return taken, excuses


def _store(brief: Brief, group: str) -> tuple[Shape, list[Excuse]]:
    offered, excuses = _offered(brief, group, brief.terms[group])
    if group in brief.kept_off_spot:
        reason = f"an interruption would lose its data; paid {brief.terms[group].replace('_', ' ')} instead"
        excuses.insert(0, Excuse(tier=group, price_id="any spot machine", reason=reason))
    costs = {shape.price_id: _store_dollars(brief, group, shape) for shape in offered}
    best = min(offered, key=lambda shape: costs[shape.price_id])
    for shape in sorted(offered, key=lambda each: costs[each.price_id]):
        if shape is not best:
            reason = _dearer(shape, best, costs[shape.price_id], costs[best.price_id])
            excuses.append(
                Excuse(
                    tier=group,
                    price_id=shape.price_id,
                    reason=reason,
                    ratio=costs[shape.price_id] / costs[best.price_id],
                )
            )
    return best, excuses


def _store_dollars(brief: Brief, group: str, shape: Shape) -> float:
    """Dollars a month of a store's nodes in all regions, with copies, at the highest allowed utilisation."""
    total = 0.0
    spares = size.asked(brief)
    for name in brief.workload.shares:
        load_of = fleets.load(brief, brief.workload.rates(name, Moment.LOST), Case())
        volume = tiers.volume(brief, name, Moment.LOST)
        needs = size.store_needs(
            brief,
            name,
            group,
            load_of.get(group, GroupLoad()),
            busy=brief.intent.busy_ratio,
            shape=shape,
            volume=volume,
        )
        nodes = max(1, needs[0].count)
        if group == Server.KAFKA:
            total += (max(nodes, tiers.LOG_COPIES) + spares.machines) * shape.dollars_month
        elif group == Server.REDIS:
            total += nodes * (1 + spares.nodes) * shape.dollars_month
        else:
            copies = 1 + spares.replicas
            total += nodes * (-(-copies // 2) if shape.standby else copies) * shape.dollars_month
    return total


def _dearer(shape: Shape, best: Shape, cost: float, least: float) -> str:
    """Why the fleet costs more on it, as far as the shapes show."""
    work, best_work = shape.dollars_month / shape.work, best.dollars_month / best.work
    memory, best_memory = shape.dollars_month / shape.memory_bytes, best.dollars_month / best.memory_bytes
    if shape.vcpu >= 4 * best.vcpu:
        why = f"a machine has {shape.vcpu} vCPU, too large a step for so few"
    elif shape.managed and not best.managed:
        why = "managed, which is people's time that is not priced here"
    elif work > best_work * 1.02:
        why = f"a core's work costs {work / best_work:.2g} × as much ({shape.speed:.2g} of the calibrated core a vCPU)"
    elif memory > best_memory:
        why = f"a byte of memory costs {memory / best_memory:.2g} × as much"
    else:
        why = "its cores' work and memory cost no less for what binds here"
    ratio = cost / least if least else float("inf")
    return f"{ratio:.2f} × the cost: {why}" if ratio > 1.0 else f"no cheaper: {why}"
