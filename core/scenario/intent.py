"""The requirements of a plan: latency, availability, spares, regions that may be lost, growth, and uncertainty of
inputs.

`windtunnel plan` turns demand and intent into counts. Nothing here is about one machine or one run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field, fields
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.dataclasses import dataclass

from core.names import Cache
from core.operations import BACKGROUND, JOURNEYS, OPERATIONS, steps_of
from core.scenario.demand import near
from core.scenario.fields import CONFIG, Count
from core.scenario.units import Below, Ratio, Seconds

if TYPE_CHECKING:
    from core.scenario.model import Scenario

Term = Literal["on_demand", "reserved_1y", "reserved_3y", "spot"]
#: Groups that a term or a shape applies to by default: all machines, or the services' machines.
DEFAULT: Final = "default"
SERVICES: Final = "services"

#: Inputs whose uncertainty a scenario may state, each as a factor; some accept the name of one item after a dot:
#: ``cpu.feed.read``, ``misses.edge``, ``failures.node``, ``prices.cdn`` (a prefix).
UNCERTAIN: Final = (
    "demand",  # acts per day, or those of one kind
    "peak",  # busiest hour over the mean
    "growth",  # per year
    "cpu",  # CPU seconds of everything, or of one operation
    "follows",  # per person
    "misses",  # share of look-ups that miss their cache, or one of them
    "bytes",  # of every object and answer
    "images",  # of a feed that are fetched
    "memory",  # that Redis holds
    "rows",  # bytes of PostgreSQL
    "round_trip",  # between machines of one region
    "failures",  # how often something fails
    "prices",  # of the book
)
#: The inputs that accept the name of an item.
_OF_ONE: Final = ("demand", "cpu", "misses", "failures", "prices")


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Percentiles:
    """Upper limits of one operation's latency, measured at the gateway."""

    p50: Below | None = None
    p95: Below | None = None
    p99: Below | None = None

    def limits(self) -> dict[float, float]:
        """Seconds by quantile level."""
        limits = {0.5: self.p50, 0.95: self.p95, 0.99: self.p99}
        return {level: below.value for level, below in limits.items() if below is not None}


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Failing:
    """Mean time between failures, and time until repair or replacement."""

    every_seconds: Annotated[Seconds, Field(gt=0)]
    repair_seconds: Annotated[Seconds, Field(gt=0)]

    @property
    def down_ratio(self) -> float:
        """Share of time in which it is down: repair / (every + repair)."""
        return self.repair_seconds / (self.every_seconds + self.repair_seconds)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Interrupted:
    """How often a spot machine is interrupted, with what notice, and how long its replacement takes.

    Fewer than 5 % per month (nops.io/blog/aws-spot-facts, figures of its customers at AWS) are 7 in 100,000 per hour;
    AWS gives two minutes of notice (its user guide, Spot Instance interruption notices); five minutes until another one
    has started are an assumption.
    """

    per_hour: Annotated[float, Field(ge=0, le=1)] = 7e-5  # of every instance
    notice_seconds: Annotated[Seconds, Field(ge=0)] = 120.0
    repair_seconds: Annotated[Seconds, Field(ge=0)] = 300.0

    @property
    def per_second(self) -> float:
        """Interruptions of one instance."""
        return self.per_hour / 3600.0

    @property
    def down_ratio(self) -> float:
        """Share of time that the machine is missing."""
        lost = self.per_second * self.repair_seconds
        return lost / (1.0 + lost)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Failures:
    """Failure rates. Large fleets report about one failure per machine and year (J. Dean, 2009: a thousand failures of
    machines in the first year of a cluster of 1,800); a region's 57 minutes per year are near the 99.99 % that
    providers promise."""

    node: Failing = Failing(every_seconds=365 * 86_400.0, repair_seconds=3_600.0)
    region: Failing = Failing(every_seconds=2 * 365 * 86_400.0, repair_seconds=2 * 3_600.0)
    spot: Interrupted = Interrupted()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Range:
    """An uncertain factor. ``low`` and ``high`` bound it; for a lognormal shape they are its 5 % and 95 % quantiles."""

    low: Annotated[float, Field(ge=0)]
    mid: Annotated[float, Field(ge=0)]
    high: Annotated[float, Field(ge=0)]
    shape: Literal["triangular", "uniform", "lognormal"] = "triangular"


def _within(fits: Callable[[float], bool], bounds: str) -> AfterValidator:
    """Bounds in the unit of the field."""

    def check(value: float) -> float:
        if not fits(value):
            raise ValueError(f"expected one {bounds}")
        return value

    return AfterValidator(check)


_SHARE: Final = _within(lambda each: 0 < each < 1, "above 0% and below 100%")


def _of_list(value: Any) -> Any:
    if isinstance(value, list | tuple):
        if len(value) != 3:
            raise ValueError("expected three numbers, [low, mid, high]")
        return dict(zip(("low", "mid", "high"), value, strict=True))
    return value


def _of_term(value: Any) -> Any:
    return {DEFAULT: value} if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Intent:
    """What must hold in the busiest hour at the end of the horizon, with ``lose_regions`` gone and ``spare`` or
    ``lose_zones`` down, whichever is more."""

    slo: dict[str, Percentiles] = field(default_factory=dict)  # by operation or journey
    availability_ratio: Annotated[Ratio, _SHARE] = 99.9 / 100  # the same value as 99.9% in a file
    spare: Annotated[int, Field(ge=0, le=10)] = 1  # N + k: instances of every kind that may fail
    replicas: Annotated[int, Field(ge=0, le=5)] | None = None  # of every PostgreSQL primary, where more than `spare`
    lose_regions: Annotated[int, Field(ge=0, le=10)] = 0
    growth_ratio: Annotated[Ratio, _within(lambda each: 0 <= each <= 10, "from 0% to 1000%")] = 0.0  # a year
    horizon_seconds: Annotated[
        Seconds, _within(lambda each: 0 < each <= 10 * 365 * 86_400.0, "above 0s, of up to 10y")
    ] = 365 * 86_400.0
    busy_ratio: Annotated[Ratio, _SHARE] = 0.8  # upper limit of an instance's utilisation, whatever the latency
    round_trip_seconds: Seconds = 0.0005  # between machines of one region, median
    gateways_together: Annotated[int, Field(ge=1)] = 1  # gateways that send to the same instances; 1: each has its own
    zones: Annotated[int, Field(ge=1, le=10)] = 3  # of a region, among which instances are spread evenly
    lose_zones: Annotated[int, Field(ge=0, le=9)] = 0  # zones of each region that may be lost together
    hits_ratio: dict[str, Ratio] = field(default_factory=dict)  # by cache: the hit ratio that its size is chosen for
    failures: Failures = Failures()
    fleet: dict[str, Count] = field(default_factory=dict)  # fixed numbers of instances by group, in each region
    present: dict[str, Count] = field(default_factory=dict)  # the instances of today, likewise: compared with the plan
    shapes: dict[str, str] = field(default_factory=dict)  # by group or pool: the price to use
    #: Payment terms by group; ``default`` is for all others, ``services`` for the other services.
    term: Annotated[dict[str, Term], BeforeValidator(_of_term)] = field(default_factory=dict)
    #: Time from a change of the load until services' machines have followed it; without it they are never fewer.
    autoscale_lag_seconds: (
        Annotated[Seconds, _within(lambda each: 0 < each <= 6 * 3600.0, "above 0s, of up to 6h")] | None
    ) = None
    viewers: dict[str, str] = field(default_factory=dict)  # by region: the CDN's price geography, such as eu+il
    ranges: dict[str, Annotated[Range, BeforeValidator(_of_list)]] = field(default_factory=dict)
    regret: Annotated[float, Field(ge=1, le=1000)] = 4.0  # cost of missing capacity over that of idle capacity

    @property
    def years(self) -> float:
        """The horizon in years."""
        return self.horizon_seconds / (365 * 86_400.0)

    def term_of(self, group: str, *, service: bool) -> Term:
        """The payment term of the machines of a group."""
        terms = (self.term.get(group), self.term.get(SERVICES) if service else None, self.term.get(DEFAULT))
        return next((each for each in terms if each), "on_demand")


def impossible(scenario: Scenario) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Fields of the section that are valid alone but not together, with what was expected."""
    intent, demand = scenario.intent, scenario.demand
    if intent is None:
        return
    if demand is None:
        yield ("intent",), "expected a demand section beside it"
        return
    known = (*OPERATIONS, *JOURNEYS)
    asked = {step for act, count in demand.per_day.items() if count and act in known for step in steps_of(act)}
    if "feed.read" in asked:
        asked.add("image.read")
    for name, limits in intent.slo.items():
        if name not in known:
            yield ("intent", "slo", name), f"expected an operation{near(name, known)}"
            continue
        if not asked.issuperset(steps_of(name)):
            yield ("intent", "slo", name), "expected an operation that demand.per_day has"
        for level in ("p50", "p95", "p99"):
            limit = getattr(limits, level)
            if limit is not None and limit.unit != "seconds":
                yield ("intent", "slo", name, level), "expected a time, such as < 150ms"
    regions = tuple(scenario.system.regions)
    if intent.lose_regions >= len(regions):
        yield ("intent", "lose_regions"), f"expected fewer than the {len(regions)} of system.regions"
    if intent.lose_zones >= intent.zones:
        yield ("intent", "lose_zones"), f"expected fewer than the {intent.zones} of intent.zones"
    for name in intent.viewers:
        if name not in regions:
            yield ("intent", "viewers", name), f"expected a region{near(name, regions)}"
    for name in intent.hits_ratio:
        caches = tuple(str(cache) for cache in Cache)
        if name not in caches:
            yield ("intent", "hits", name), f"expected a cache{near(name, caches)}"
    for name, each in intent.ranges.items():
        wrong = _unknown(name, tuple(demand.per_day))
        if wrong:
            yield ("intent", "ranges", name), wrong
        elif not each.low <= each.mid <= each.high:
            yield ("intent", "ranges", name), "expected low, mid and high in ascending order"
        elif not each.low > 0:
            yield ("intent", "ranges", name), "expected factors above zero: 1 is the stated value"


def _unknown(name: str, acts: tuple[str, ...]) -> str:
    """The expectation for an unknown uncertain input; names of prices are checked by the planner, against the price
    book."""
    kind, dot, one = name.partition(".")
    if kind not in UNCERTAIN or (dot and kind not in _OF_ONE):
        return f"expected an input{near(name, UNCERTAIN)}"
    things = {
        "demand": acts,
        "cpu": (*OPERATIONS, *BACKGROUND),
        "misses": tuple(str(cache) for cache in Cache),
        "failures": tuple(each.name for each in fields(Failures)),
    }.get(kind)
    if not dot or things is None or one in things:
        return ""
    return f"expected {kind}, or one of its items{near(one, things)}"
