"""What is measured: every operation and background job, with its rates and the length of its points.

Operations that decide a scenario's latency have three long points; two short points suffice for the others. A part of a
journey is measured alone: `loadtest.ahead` creates what it needs before the clock starts.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np

from core import operations, population
from core.names import Component, Outcome, Server
from core.profile import DEGRADED, PAGE, PIXELS
from core.scenario import Scenario

POINT_SECONDS: Final = 5.0
#: Suffixes of an operation's name: by authors with few followers, and by authors with many.
FEW, MANY = "/few", "/many"
#: Behind an operation's name: with a smaller page, or smaller photos.
SMALL: Final = "/small"
#: Behind an operation's name: the gateway refuses it for want of room.
REFUSED: Final = "/refused"
#: Authors of each of the two sizes of fan-out.
_AUTHORS: Final = 8
#: With a smaller ratio of the two sizes, the cost of a fan-out is lost in that of its post.
_SIZES_RATIO_MIN: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points of one operation, each at a steady rate."""

    operation: str
    rates_per_second: tuple[float, ...]
    seconds: float  # of one point, behind the warm-up
    warm_up_seconds: float = 2.0
    kind: str = ""  # behind the operation's name: DEGRADED, FEW, MANY, SMALL or REFUSED
    people: tuple[int, ...] = ()  # who acts; empty: everybody
    repeats: int = 1  # of each point, at different times

    @property
    def name(self) -> str:
        """Name of the operation and of what is special about these points."""
        return self.operation + self.kind

    @property
    def expected(self) -> Outcome:
        """The outcome expected of its requests."""
        return {DEGRADED: Outcome.DEGRADED, REFUSED: Outcome.REFUSED}.get(self.kind, Outcome.OK)


#: Three long points each.
_LONG: Final[dict[str, tuple[float, ...]]] = {
    operations.FEED_READ: (15.0, 60.0, 150.0),
    operations.LIKE_ADD: (15.0, 60.0, 150.0),
    operations.IMAGE_READ: (20.0, 100.0, 300.0),
    operations.STORY_TRAY: (15.0, 60.0, 150.0),
    operations.SEARCH_USERS: (15.0, 60.0, 150.0),
    operations.MEDIA_CREATE: (5.0, 20.0, 60.0),
    operations.MEDIA_COMPLETE: (2.0, 4.0, 6.0),  # each photo takes about 0.1 s of a core
}
#: Most requests are of these, and the CPU of one request differs by up to a third between two points minutes apart
#: (the fixed work does not), so what counts is the median of so many.
_REPEATS: Final = dict.fromkeys(
    (operations.FEED_READ, operations.LIKE_ADD, operations.IMAGE_READ, operations.STORY_TRAY), 3
)
#: What is measured once more with a smaller size, to tell how its cost grows with it, at rates that are measured with
#: the scenario's size too; the size, and how much smaller it is.
SIZED: Final[dict[str, tuple[str, float, tuple[float, ...]]]] = {
    operations.FEED_READ: (PAGE, 0.2, (60.0, 150.0)),
    operations.MEDIA_COMPLETE: (PIXELS, 0.25, (4.0,)),
    operations.OBJECT_PUT: (PIXELS, 0.25, (40.0,)),
}
_SIZED_REPEATS: Final = 2
#: Longer points: of few and large requests, more must come until idle use is small beside them; and what a fan-out
#: costs is the small difference of two costs of a post.
_RATIOS: Final = {operations.MEDIA_COMPLETE: 1.6, operations.POST_CREATE: 3.0}
_POST_RATES: Final = (10.0, 30.0)
#: Measured with the link from the feed to Redis cut, so that every read takes the fallback.
_DEGRADED_RATES: Final = (15.0, 60.0)
#: Two short points each. A login hashes a password, so it is slow; a photo that is deleted was processed before.
_SHORT: Final[dict[str, tuple[float, ...]]] = {
    operations.AUTH_SIGNUP: (3.0, 10.0),
    operations.AUTH_LOGIN: (3.0, 10.0),
    operations.USER_READ: (20.0, 80.0),
    operations.GRAPH_FOLLOW: (10.0, 40.0),
    operations.GRAPH_UNFOLLOW: (10.0, 40.0),
    operations.GRAPH_FOLLOWERS: (20.0, 80.0),
    operations.GRAPH_FOLLOWING: (20.0, 80.0),
    operations.MEDIA_READ: (20.0, 80.0),
    operations.MEDIA_DELETE: (6.0, 16.0),
    operations.OBJECT_PUT: (10.0, 40.0),
    operations.POST_READ: (20.0, 80.0),
    operations.POST_DELETE: (6.0, 16.0),
    operations.USER_POSTS: (20.0, 80.0),
    operations.LIKE_REMOVE: (15.0, 60.0),
    operations.COMMENT_ADD: (10.0, 40.0),
    operations.COMMENT_LIST: (20.0, 80.0),
    operations.STORY_CREATE: (5.0, 20.0),
    operations.STORY_DELETE: (6.0, 16.0),
    operations.STORY_SEEN: (20.0, 80.0),
    operations.SEARCH_HASHTAGS: (20.0, 80.0),
}
#: Length of a short point as a share of a long one; and its warm-up.
_SHORT_RATIO: Final = 0.4
_SHORT_WARM_UP_SECONDS: Final = 0.5

#: Who does an operation's deferred work, where that is a process other than its own.
LEAVES_WORK_TO: Final[dict[str, Component]] = {
    operations.LIKE_ADD: Component.DISCOVERY,
    operations.COMMENT_ADD: Component.DISCOVERY,
    operations.GRAPH_FOLLOW: Component.FANOUT,
    operations.GRAPH_UNFOLLOW: Component.FANOUT,
    operations.POST_CREATE: Component.FANOUT,
    operations.POST_DELETE: Component.FANOUT,
    operations.MEDIA_COMPLETE: Component.MEDIA,
    operations.MEDIA_DELETE: Component.MEDIA,
    operations.STORY_DELETE: Component.MEDIA,
}

#: Shares of a measurement in which a job follows at once, by process; the rest is the operation's own.
#: Requests to the object store: the HEAD of complete; the worker's GET and its PUTs. A transaction each in PostgreSQL.
SHARES: Final[dict[str, dict[str, dict[str, float]]]] = {
    operations.MEDIA_COMPLETE: {
        Component.MEDIA: {operations.MEDIA_PROCESS: 1.0},
        Component.FEED: {operations.MEDIA_PROCESS: 1.0},
        Server.CLAMD: {operations.MEDIA_PROCESS: 1.0},
        Server.REDIS: {operations.MEDIA_PROCESS: 1.0},
        Server.TOXIPROXY: {operations.MEDIA_PROCESS: 1.0},
        Server.OBJECTS: {operations.MEDIA_COMPLETE: 0.5, operations.MEDIA_PROCESS: 6.0},
        Server.POSTGRES: {operations.MEDIA_COMPLETE: 1.0, operations.MEDIA_PROCESS: 1.0},
        Server.KAFKA: {operations.MEDIA_COMPLETE: 1.0, operations.MEDIA_PROCESS: 1.0},
    },
    operations.MEDIA_DELETE: {
        Component.MEDIA: {operations.MEDIA_REMOVE: 1.0},
        Server.OBJECTS: {operations.MEDIA_REMOVE: 1.0},
        Server.SHIELD: {operations.MEDIA_REMOVE: 1.0},
        Server.EDGE: {operations.MEDIA_REMOVE: 1.0},
        Server.POSTGRES: {operations.MEDIA_DELETE: 1.0, operations.MEDIA_REMOVE: 1.0},
    },
}


def planned(scenario: Scenario, *, point_seconds: float = POINT_SECONDS) -> tuple[Series, ...]:
    """All series of a calibration. Raises ValueError if followers are spread too evenly over the scenario's people to
    measure the cost of a fan-out."""
    few, many = authors(scenario)
    found = [
        Series(
            operation=name,
            rates_per_second=rates,
            seconds=point_seconds * _RATIOS.get(name, 1.0),
            repeats=_REPEATS.get(name, 1),
        )
        for name, rates in _LONG.items()
    ]
    found += [
        Series(
            operation=operations.POST_CREATE,
            rates_per_second=_POST_RATES,
            seconds=point_seconds * _RATIOS[operations.POST_CREATE],
            kind=kind,
            people=people,
        )
        for kind, people in ((FEW, few), (MANY, many))
    ]
    found.append(
        Series(operation=operations.FEED_READ, rates_per_second=_DEGRADED_RATES, seconds=point_seconds, kind=DEGRADED)
    )
    found += [
        Series(
            operation=name,
            rates_per_second=rates,
            seconds=point_seconds * _RATIOS.get(name, 1.0),
            kind=SMALL,
            repeats=_SIZED_REPEATS,
        )
        for name, (_, _, rates) in SIZED.items()
    ]
    found += [
        Series(
            operation=name,
            rates_per_second=rates,
            seconds=point_seconds * _SHORT_RATIO,
            warm_up_seconds=_SHORT_WARM_UP_SECONDS,
        )
        for name, rates in _SHORT.items()
    ]
    return tuple(found)


def sized(scenario: Scenario, name: str) -> Scenario:
    """The scenario with the smaller size of `SIZED`; raises ValueError where the size cannot be smaller."""
    size, ratio, _ = SIZED[name]
    if size == PAGE:
        feed = scenario.system.feed
        smaller = dataclasses.replace(feed, page=max(1, round(feed.page * ratio)))
        found = dataclasses.replace(scenario, system=dataclasses.replace(scenario.system, feed=smaller))
    else:
        photo, side = scenario.population.photo, ratio**0.5
        less = dataclasses.replace(photo, width=round(photo.width * side), height=round(photo.height * side))
        found = dataclasses.replace(scenario, population=dataclasses.replace(scenario.population, photo=less))
    if size_of(found, size) > 0.5 * size_of(scenario, size):
        raise ValueError(f"calibration needs a scenario whose {size} can be made smaller, to measure what it costs")
    return found


def size_of(scenario: Scenario, size: str) -> float:
    """A size on which demands depend."""
    photo = scenario.population.photo
    return float(scenario.system.feed.page if size == PAGE else photo.width * photo.height)


def authors(scenario: Scenario) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Authors with the fewest followers, and those with the most whose posts are still pushed."""
    people = population.draw_population(scenario)
    followers = people.follower_counts[: people.posters]
    pushed = np.flatnonzero(
        followers < scenario.system.fanout.threshold * (1.0 - scenario.system.fanout.hysteresis_ratio)
    )
    count = min(_AUTHORS, len(pushed) // 2)
    few, many = tuple(pushed[len(pushed) - count :].tolist()), tuple(pushed[:count].tolist())
    if not count or timelines(scenario, many) < _SIZES_RATIO_MIN * max(1.0, timelines(scenario, few)):
        raise ValueError(
            "calibration needs a scenario in which some authors whose posts are pushed have at least twice as many "
            "followers as others, to measure what a fan-out costs"
        )
    return few, many


def timelines(scenario: Scenario, people: tuple[int, ...]) -> float:
    """Mean number of timelines written for a post of one of these authors."""
    return float(population.draw_population(scenario).follower_counts[list(people)].mean())
