"""The brief: everything about a plan that does not depend on the number of instances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np

from core.names import Cache, Server
from core.profile import Profile
from core.scenario import Scenario
from core.scenario.demand import Demand
from core.scenario.intent import DEFAULT, SERVICES, Intent
from planning.cost.bill import BY_VOLUME, NOT_PRODUCT
from planning.cost.prices import PriceBook
from planning.cost.quantities import BilledSizes
from planning.plan.demand import contents, workload
from planning.plan.demand.contents import Contents
from planning.plan.demand.workload import Workload
from planning.plan.queueing import demands, latency
from planning.plan.queueing.demands import FollowGraph, WorkloadDemands
from planning.plan.queueing.distributions import Floats
from planning.plan.queueing.latency import Wires
from planning.plan.queueing.paths import AWAY
from sim.model.cpu import NoDemandError


class PlanError(ValueError):
    """No plan is possible; the message names the field or what saturates first. ``least_seconds`` is the least latency
    of a limit that is missed with every number of instances, on the machines that were tried."""

    def __init__(self, message: str, *, least_seconds: float = math.inf):
        super().__init__(message)
        self.least_seconds = least_seconds


class GroupKind(StrEnum):
    """How a group of processes is bought."""

    SERVICE = "service"  # processes of one core each, on a pool of machines
    STORE = "store"  # nodes of its own
    VOLUME = "volume"  # sold by bytes and requests
    APART = "apart"  # serves tests and operators, not users


ON_DEMAND: Final = "on_demand"
SPOT: Final = "spot"
#: Hit ratios where the intent has none: the edge as low as its alert allows, a shield somewhat better than the second
#: tier of a large photo cache (Huang et al., *An analysis of Facebook photo caching*, SOSP 2013:
#: 32 % of what the edge missed), cards that are nearly always there.
HITS: Final[Mapping[str, float]] = {
    Cache.EDGE: 0.85,
    Cache.SHIELD: 0.5,
    Cache.POST_CARD: 0.99,
    Cache.AUTHOR_CARD: 0.995,
}
_STORES: Final = (Server.REDIS, Server.POSTGRES, Server.KAFKA)
#: Servers whose threads share their machine's cores; all others have one loop.
SHARED: Final = (Server.POSTGRES, Server.KAFKA, Server.CLAMD, *BY_VOLUME, *NOT_PRODUCT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """The inputs of a plan."""

    scenario: Scenario
    demand: Demand
    intent: Intent
    profile: Profile
    book: PriceBook
    workload: Workload
    demands: WorkloadDemands
    contents: Contents
    sizes: BilledSizes
    wires: Wires
    group_of: Mapping[str, str]
    kinds: Mapping[str, GroupKind]
    terms: Mapping[str, str]  # how the machines of each group are paid
    miss_ratio: Mapping[str, float]

    def of_kind(self, kind: GroupKind) -> tuple[str, ...]:
        """Groups of one kind, in a fixed order."""
        return tuple(name for name, each in self.kinds.items() if each is kind)

    @property
    def service_terms(self) -> tuple[str, ...]:
        """Terms of the services' machines, each of them a pool."""
        return tuple(dict.fromkeys(self.terms[name] for name in self.of_kind(GroupKind.SERVICE)))

    @property
    def kept_off_spot(self) -> tuple[str, ...]:
        """Stores for which spot machines were requested and refused."""
        asked = self.intent.term_of
        return tuple(name for name in self.of_kind(GroupKind.STORE) if asked(name, service=False) == SPOT)


def _ones() -> Floats:
    return np.ones(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Factors on the known quantities of a brief, with one entry for each case that is evaluated."""

    rate: Floats = field(default_factory=_ones)
    cpu: Floats = field(default_factory=_ones)
    misses: Floats = field(default_factory=_ones)
    follows: Floats = field(default_factory=_ones)
    images: Floats = field(default_factory=_ones)
    round_trip: Floats = field(default_factory=_ones)
    rate_of: Mapping[str, Floats] = field(default_factory=dict)  # by operation, beyond that of everything
    cpu_of: Mapping[str, Floats] = field(default_factory=dict)  # likewise
    misses_of: Mapping[str, Floats] = field(default_factory=dict)  # by cache, likewise


def brief(scenario: Scenario, profile: Profile, book: PriceBook) -> Brief:
    """Prepare a scenario for planning; raises PlanError naming the field that makes it impossible."""
    demand = scenario.demand
    if demand is None:
        raise PlanError(
            "demand: a plan needs the whole service's; expected a section such as "
            "demand: {daily_users: 300_000, per_day: {feed.read: 3_000_000}}"
        )
    intent = scenario.intent or Intent()
    work = workload.workload_of(scenario, demand, intent)
    names = tuple(name for name, rate in work.per_second.items() if rate > 0.0)
    graph = FollowGraph(
        pushes_per_post=work.pushes_per_post,
        celebrities=work.celebrities,
        celebrities_followed=work.celebrities_followed,
    )
    try:
        costs = demands.demands_of(scenario, profile, names=names, graph=graph)
    except NoDemandError as error:
        raise PlanError(f"demand.per_day: {error}") from error
    kinds = _kinds(scenario)
    for field_name, groups in (("fleet", intent.fleet), ("present", intent.present)):
        for name in groups:
            if kinds.get(name) not in (GroupKind.SERVICE, GroupKind.STORE):
                known = ", ".join(each for each, kind in kinds.items() if kind in (GroupKind.SERVICE, GroupKind.STORE))
                raise PlanError(f"intent.{field_name}.{name}: expected one of {known}")
    for name in intent.shapes:
        if name != "services" and kinds.get(name) is not GroupKind.STORE:
            raise PlanError(f"intent.shapes.{name}: expected services or one of {', '.join(_STORES)}")
    for name in intent.term:
        if name not in (DEFAULT, SERVICES) and kinds.get(name) not in (GroupKind.SERVICE, GroupKind.STORE):
            raise PlanError(f"intent.term.{name}: expected {DEFAULT}, {SERVICES} or a group that is on machines")
    for name in intent.ranges:
        start = name.partition(".")[2]
        if name.startswith("prices.") and not any(price.id.startswith(start) for price in book.prices):
            raise PlanError(f"intent.ranges.{name}: book {book.book} has no price that begins so")
    misses = {str(cache): 1.0 - hit for cache, hit in HITS.items()}
    misses[str(Cache.TIMELINE)] = work.timeline_miss_ratio
    misses |= {name: 1.0 - hit for name, hit in intent.hits_ratio.items()}
    misses[AWAY] = work.away_ratio
    return Brief(
        scenario=scenario,
        demand=demand,
        intent=intent,
        profile=profile,
        book=book,
        workload=work,
        demands=costs,
        contents=contents.contents_of(scenario, demand, work),
        sizes=contents.sizes_of(scenario, demand),
        wires=latency.planned(profile, round_trip_seconds=intent.round_trip_seconds, away_seconds=work.away_seconds),
        group_of=_groups(scenario),
        kinds=kinds,
        terms={name: _term(intent, name, kind) for name, kind in kinds.items()},
        miss_ratio=misses,
    )


def _term(intent: Intent, group: str, kind: GroupKind) -> str:
    """The term of a group's machines. A store is never on spot, because an interruption would lose its data."""
    term = intent.term_of(group, service=kind is GroupKind.SERVICE)
    if kind is not GroupKind.STORE or term != SPOT:
        return term
    others = intent.term.get(DEFAULT, ON_DEMAND)
    return ON_DEMAND if others == SPOT else others


def _groups(scenario: Scenario) -> dict[str, str]:
    placed = {
        str(component): name for name, members in scenario.system.placement.processes.items() for component in members
    }
    return {**placed, **{str(server): str(server) for server in Server}}


def _kinds(scenario: Scenario) -> dict[str, GroupKind]:
    found = {str(Server.GATEWAY): GroupKind.SERVICE}
    found |= dict.fromkeys(scenario.system.placement.processes, GroupKind.SERVICE)
    found[str(Server.CLAMD)] = GroupKind.SERVICE
    found |= {str(server): GroupKind.STORE for server in _STORES}
    found |= {str(server): GroupKind.VOLUME for server in BY_VOLUME}
    found |= {str(server): GroupKind.APART for server in NOT_PRODUCT}
    return found
