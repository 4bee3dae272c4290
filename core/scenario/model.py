"""The fields of a scenario, as frozen values: people, system, traffic, faults, expectations.

Attribute names carry their unit; in the file the unit is part of the value, so ``ttl_seconds`` is written ``ttl: 24h``.
Everything but the name has a default: `windtunnel explain FILE` prints all values.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from core.scenario.demand import Demand
from core.scenario.design import Design
from core.scenario.fault import LinkFault, ProcessFault
from core.scenario.faults import Fault
from core.scenario.fields import CONFIG, Count, Instances
from core.scenario.intent import Intent
from core.scenario.limits import DEFAULTS, Limits
from core.scenario.placement import Placement
from core.scenario.regions import Geo, Region
from core.scenario.retired import DEADLINES, renamed, without
from core.scenario.shards import ShardSettings
from core.scenario.units import Below, Bytes, PerSecond, Ratio, Seconds, Within


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Follows:
    """The distribution of followers: the k-th most followed person has followers in proportion to k^-exponent."""

    distribution: Literal["zipf"] = "zipf"
    exponent: Annotated[float, Field(ge=0, le=3)] = 1.15
    mean: Annotated[float, Field(ge=0)] = 20.0
    maximum: Count = 600


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class PhotoSettings:
    """Size in pixels of an original photo."""

    width: Annotated[int, Field(ge=64, le=8192)] = 1600
    height: Annotated[int, Field(ge=64, le=8192)] = 1200


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class PopulationSettings:
    """The people, a deterministic function of their number: neither side stores them."""

    people: Annotated[int, Field(ge=2)] = 1_000
    follows: Follows = Follows()
    posters_ratio: Annotated[Ratio, Field(gt=0, le=1)] = 0.2  # share of people who post, the most followed first
    posts_per_poster: Annotated[int, Field(ge=1, le=1_000_000)] = 4
    stories_per_poster: Annotated[int, Field(ge=0)] = 1
    photo: PhotoSettings = PhotoSettings()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Gateway:
    """The gateway's instances, its limits by operation, and the origins whose pages may use the API.

    ``origins`` (CORS) are such as ``https://app.example``, or ``*`` for all. The load sends none, so they change
    nothing in a run.
    """

    instances: Instances = 1
    origins: tuple[Annotated[str, Field(pattern=r"^(\*|https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)$")], ...] = ()
    limits: Limits = field(default_factory=lambda: dict(DEFAULTS))


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Mix:
    """Shares of a page by source; timeline and celebrity posts share the followed slots."""

    followed_ratio: Ratio = 0.6
    recommended_ratio: Ratio = 0.3
    ads_ratio: Ratio = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Deadlines:
    """How long the feed waits for each source, and for hydration from Redis, before it continues without it.

    Recommendations and ads are read from memory: nothing waits for them.
    """

    timeline_seconds: Seconds = 0.08
    celebrities_seconds: Seconds = 0.08
    hydrate_seconds: Seconds = 0.1

    @model_validator(mode="before")
    @classmethod
    def _without_retired(cls, data: Any) -> Any:
        """The same without `retired.DEADLINES`."""
        return without(data, DEADLINES)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Feed:
    """The feed's page, mix and deadlines."""

    instances: Instances = 1
    page: Annotated[int, Field(ge=1, le=100)] = 50
    mix: Mix = Mix()
    deadlines: Deadlines = Deadlines()
    card_ttl_seconds: Seconds = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class BreakerSettings:
    """When a dependency's breaker opens, and how long it stays open before one request may probe."""

    failures: Count = 5  # in a row
    open_seconds: Seconds = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class RetrySettings:
    """How often a call to the object store is tried: capped exponential back-off with full jitter, within a budget.

    No other call is retried: a client's request fails, and events on the log are never given up.
    """

    attempts: Annotated[int, Field(ge=1, le=100)] = 2
    backoff_seconds: Seconds = 0.02
    backoff_cap_seconds: Seconds = 1.0
    budget_ratio: Annotated[Ratio, Field(ge=0, le=1)] = 0.1  # retries per first try


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Fanout:
    """Authors with fewer followers than the threshold are pushed to timelines; the rest are pulled by readers."""

    threshold: Count = 10_000
    hysteresis_ratio: Annotated[Ratio, Field(ge=0, lt=1)] = 0.1
    depth: Count = 1_000  # posts kept in a timeline
    ttl_seconds: Seconds = 86_400.0
    batch: Count = 500  # timelines written in one pipeline


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class RedisServer:
    """Redis: one server, or the nodes of a cluster, over which keys are spread by their hash.

    On a cluster a counter that is written more often than ``hot`` is split over up to ``hot_keys`` keys.
    """

    memory_bytes: Bytes = 256 * 2**20  # of each node
    nodes: Annotated[int, Field(ge=1, le=1_000)] = 1
    hot_per_second: Annotated[PerSecond, Field(gt=0)] = 100.0
    hot_keys: Annotated[int, Field(ge=1, le=100)] = 100
    connections: Annotated[int, Field(ge=1, le=1_000)] = 32  # of each component's process to each node, at most


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class KafkaLog:
    """Partitions of each topic."""

    partitions: Annotated[int, Field(ge=1, le=100_000)] = 4


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class CdnTier:
    """Size of one cache tier."""

    size_bytes: Bytes = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Cdn:
    """The CDN's tiers in front of the object store."""

    edge: CdnTier = CdnTier()
    shield: CdnTier = CdnTier(size_bytes=256 * 2**20)
    ttl_seconds: Seconds = 365 * 86_400.0
    warm: bool = False  # full, as after a long run, instead of empty, as after a start


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class MediaSettings:
    """The media worker."""

    workers: Annotated[int, Field(ge=1, le=1_000)] = 1  # concurrent photos, in addition to one that is slow to decode


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class System:
    """The system under test: what the stack starts and what the model simulates.

    With more than one cell the other fields describe one cell, while people and traffic are those of all cells
    together: people, their data and their servers are split by a hash of the person, so that each cell has its share.
    """

    cells: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    regions: dict[str, Region] = field(default_factory=lambda: {"local": Region()})
    geo: Geo = Geo()
    placement: Placement = Placement()
    admission: bool = True  # each service limits the requests that it works on by how long they wait
    gateway: Gateway = Gateway()
    feed: Feed = Feed()
    breaker: BreakerSettings = BreakerSettings()
    retry: RetrySettings = RetrySettings()
    fanout: Fanout = Fanout()
    shards: ShardSettings = ShardSettings()
    redis: RedisServer = RedisServer()
    kafka: KafkaLog = KafkaLog()
    cdn: Cdn = Cdn()
    media: MediaSettings = MediaSettings()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ViralAuthor:
    """The author of a viral post: the person whose number of followers is nearest to this."""

    followers: Annotated[int, Field(ge=0)] = 100


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Viral:
    """A post goes viral: its author posts at ``at``, then extra traffic on that post rises and falls linearly."""

    at_seconds: Seconds
    author: ViralAuthor = ViralAuthor()
    factor: Annotated[float, Field(gt=1)] = 10.0  # peak rate over the base rate
    rise_seconds: Seconds = 3.0
    fall_seconds: Seconds = 20.0
    mix_ratio: dict[str, Ratio] = field(default_factory=lambda: {"feed.read": 0.7, "like.add": 0.2, "image.read": 0.1})


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class LoadPhase:
    """A time with another rate, ``factor`` × the usual one: a burst above 1, a fall below. The mix stays the same."""

    at_seconds: Seconds
    for_seconds: Annotated[Seconds, Field(gt=0)]
    factor: Annotated[float, Field(ge=0, le=1_000)]

    @property
    def end_seconds(self) -> float:
        """When the rate is the usual one again."""
        return self.at_seconds + self.for_seconds


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Diurnal:
    """A day, compressed to the length of the traffic: a sinusoid whose busiest moment has ``factor`` × the mean."""

    factor: Annotated[float, Field(gt=1, le=20)] = 2.0
    busiest_seconds: Annotated[Seconds, Field(lt=86_400)] = 20 * 3_600.0  # local time of each region


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Traffic:
    """Open-model arrivals. Times count from the end of the warm-up (t0)."""

    warm_up_seconds: Seconds = 10.0
    duration_seconds: Annotated[Seconds, Field(gt=0)] = 60.0
    arrivals: Literal["poisson", "steady", "diurnal"] = "poisson"
    diurnal: Diurnal = Diurnal()  # used with ``arrivals: diurnal``
    rate_per_second: Annotated[PerSecond, Field(gt=0)] = 40.0
    mix_ratio: dict[str, Ratio] = field(
        default_factory=lambda: {
            "feed.read": 0.6,
            "like.add": 0.15,
            "image.read": 0.13,
            "story.tray": 0.06,
            "search.users": 0.04,
            "media.upload": 0.02,
        }
    )
    viral: Viral | None = None
    phases: tuple[LoadPhase, ...] = ()
    timeout_seconds: Annotated[Seconds, Field(gt=0)] = 5.0  # a client gives up after this


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Expectation:
    """The limits of one operation; judged on both sides in the same way."""

    p50: Below | None = None
    p95: Below | None = None
    p99: Below | None = None
    errors_ratio: Below | None = Field(default=None, alias="errors")
    lost: Annotated[int, Field(ge=0)] | None = None  # number of acknowledged writes that are not found later
    outside: Literal["faults"] | None = None  # excludes the time in which a fault acts


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Drill:
    """A chaos drill: hypothesis and abort condition; method, rollback and verdict follow from faults and
    expectations."""

    hypothesis: str
    abort: dict[str, Expectation] = field(default_factory=dict)  # over the last `abort_window`: beyond this, roll back
    abort_window_seconds: Seconds = 5.0


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Scenario:
    """One scenario, the only input of both sides."""

    scenario: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")]
    description: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    population: PopulationSettings = PopulationSettings()
    system: System = System()
    traffic: Traffic = Traffic()
    demand: Demand | None = None  # demand on the whole service, for a plan
    intent: Intent | None = None  # requirements of a plan
    design: Design | None = None  # a published design with its stated figures, for an audit
    faults: tuple[Fault, ...] = ()
    drill: Drill | None = None
    expect: dict[str, Expectation | Within] = field(default_factory=dict)
    prices: str = "2026-11"

    @model_validator(mode="before")
    @classmethod
    def _with_new_names(cls, data: Any) -> Any:
        """The same with the new names of `retired.RENAMED`."""
        return renamed(data)

    @property
    def name(self) -> str:
        """The name of the scenario, as its field ``scenario`` gives it."""
        return self.scenario

    @property
    def expectations(self) -> dict[str, Expectation]:
        """Expectations by operation."""
        return {name: value for name, value in self.expect.items() if isinstance(value, Expectation)}

    @property
    def broken_links(self) -> tuple[str, ...]:
        """Links that faults act on, in order, without repeats."""
        return tuple(dict.fromkeys(fault.link for fault in self.faults if isinstance(fault, LinkFault)))

    @property
    def broken_processes(self) -> frozenset[str]:
        """Processes that a fault acts on."""
        return frozenset(fault.process for fault in self.faults if isinstance(fault, ProcessFault))

    @property
    def recovers_within_seconds(self) -> float | None:
        """Time after the last fault within which all expectations must hold again; None without such a limit."""
        value: Any = self.expect.get("recovers")
        return value.seconds if isinstance(value, Within) else None
