"""The demand on the whole service, as a planner knows it before there is a system.

A run's ``traffic`` is a sample on one machine; this is all users, per day, in the terms of a published design. CPU
figures that a design states may be given here too, and take precedence over the calibrated demand.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field
from pydantic.dataclasses import dataclass

from core.names import Component, Server
from core.operations import BACKGROUND, FEED_READ, JOURNEYS, OPERATIONS
from core.scenario.fields import CONFIG, Count
from core.scenario.units import Bytes, Ratio, Seconds

if TYPE_CHECKING:
    from core.scenario.model import Scenario

#: Separates operation and process in a key of `Demand.cpu_seconds`.
AT: Final = "@"

Number = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Sizes:
    """Mean sizes in bytes; those that are left out follow from the scenario's photo and page."""

    image_bytes: Bytes | None = None  # as a reader loads it
    original_bytes: Bytes | None = None  # a photo as it is uploaded
    variants_bytes: Bytes | None = None  # all renditions of one photo or video together
    video_bytes: Bytes = 20_000_000  # a video as it is uploaded
    feed_bytes: Bytes | None = None  # one answer to feed.read
    answer_bytes: Bytes | None = None  # one other answer


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Core:
    """The processor core that CPU seconds were measured on: its work per second is proportional to ghz × ipc."""

    ghz: Annotated[float, Field(gt=0, le=10)]
    ipc: Annotated[float, Field(gt=0, le=10)] = 1.0  # instructions per cycle, relative to an Intel core of 2017 (m5)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Demand:
    """The users and their actions on an average day at present."""

    daily_users: Count
    users: Count | None = None  # registered; the daily users by default
    per_day: dict[str, Number]  # acts of the whole service in a day, by operation or journey
    peak_factor: Annotated[float, Field(ge=1, le=100)] = 3.0  # busiest hour over the day's mean
    images_per_feed: Number | None = None  # loaded from the CDN per feed.read; one per post of the page by default
    videos_ratio: Annotated[Ratio, Field(ge=0, le=1)] = 0.0  # of uploads
    images: Count | None = None  # distinct images that readers load; a month's uploads by default
    popularity: Annotated[float, Field(ge=0, le=2)] = 0.9  # loads of the k-th image are proportional to k^-popularity
    sizes: Sizes = Sizes()
    cpu_seconds: dict[str, Seconds] = field(default_factory=dict)  # by operation, or operation@process
    waits_for: tuple[str, ...] = ()  # those of ``cpu`` at another process for which a feed read waits before it answers
    core: Core | None = None  # on which those CPU seconds were measured; the calibrated machine's by default

    @property
    def people(self) -> int:
        """Registered people."""
        return self.users or self.daily_users


def acts() -> tuple[str, ...]:
    """The acts that `Demand.per_day` may name."""
    return tuple(name for name in OPERATIONS if name != "object.put") + tuple(JOURNEYS)


def impossible(scenario: Scenario) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Fields of the section that are valid alone but not together, with what was expected."""
    demand = scenario.demand
    if demand is None:
        return
    for name in demand.per_day:
        if name not in acts():
            yield ("demand", "per_day", name), f"expected an operation{near(name, acts())}"
    if not any(demand.per_day.values()):
        yield ("demand", "per_day"), "expected acts, such as {feed.read: 10_000_000}"
    if demand.users is not None and demand.users < demand.daily_users:
        yield ("demand", "users"), f"expected at least the {demand.daily_users} who come in a day"
    jobs = (*OPERATIONS, *BACKGROUND)
    processes = tuple(str(each) for each in (*Component, *Server))
    for name, seconds in demand.cpu_seconds.items():
        job, at, process = name.partition(AT)
        if job not in jobs:
            yield ("demand", "cpu", name), f"expected an operation{near(job, jobs)}"
        elif at and process not in processes:
            yield ("demand", "cpu", name), f"expected a component or server behind {AT}{near(process, processes)}"
        elif not seconds and not at:
            yield ("demand", "cpu", name), "expected more than 0: no operation is free"
    for number, name in enumerate(demand.waits_for):
        job, _, process = name.partition(AT)
        twice = name in demand.waits_for[:number]
        if twice or job != FEED_READ or process in ("", Component.FEED) or name not in demand.cpu_seconds:
            yield (
                ("demand", "waits_for", number),
                f"expected a line of demand.cpu of {FEED_READ} at another component, once, as {FEED_READ}@discovery",
            )


def near(name: str, known: tuple[str, ...]) -> str:
    """A hint at known names: the closest one, or all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f", one of {', '.join(known)}"
