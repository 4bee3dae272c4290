"""What is measured: every operation and background job, at which rates and for how long.

Operations that decide a scenario's latency have three rates and long points; two short points suffice for the others.
A part of a journey is measured alone: `loadtest.ahead` creates what it needs before the clock starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from core import population
from core.names import Component, Outcome, Server
from core.operations import (
    AUTH_LOGIN,
    AUTH_SIGNUP,
    COMMENT_ADD,
    COMMENT_LIST,
    FANOUT_DELIVER,
    FEED_READ,
    GRAPH_FOLLOW,
    GRAPH_FOLLOWERS,
    GRAPH_FOLLOWING,
    GRAPH_UNFOLLOW,
    IMAGE_READ,
    LIKE_ADD,
    LIKE_REMOVE,
    MEDIA_COMPLETE,
    MEDIA_CREATE,
    MEDIA_DELETE,
    MEDIA_PROCESS,
    MEDIA_READ,
    MEDIA_REMOVE,
    OBJECT_PUT,
    POST_CREATE,
    POST_DELETE,
    POST_READ,
    SEARCH_HASHTAGS,
    SEARCH_USERS,
    STORY_CREATE,
    STORY_DELETE,
    STORY_SEEN,
    STORY_TRAY,
    USER_POSTS,
    USER_READ,
)
from core.profile import DEGRADED
from core.scenario import Scenario

POINT_SECONDS: Final = 5.0
#: Suffixes of an operation's name: by authors with few followers, and by authors with many.
FEW, MANY = "/few", "/many"
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
    kind: str = ""  # behind the operation's name: DEGRADED, FEW or MANY
    people: tuple[int, ...] = ()  # who acts; empty: everybody

    @property
    def name(self) -> str:
        """Name of the operation and of what is special about these points."""
        return self.operation + self.kind

    @property
    def expected(self) -> Outcome:
        """The outcome expected of its requests."""
        return Outcome.DEGRADED if self.kind == DEGRADED else Outcome.OK


#: Three long points each.
_LONG: Final[dict[str, tuple[float, ...]]] = {
    FEED_READ: (15.0, 60.0, 150.0),
    LIKE_ADD: (15.0, 60.0, 150.0),
    IMAGE_READ: (20.0, 100.0, 300.0),
    STORY_TRAY: (15.0, 60.0, 150.0),
    SEARCH_USERS: (15.0, 60.0, 150.0),
    MEDIA_CREATE: (5.0, 20.0, 60.0),
    MEDIA_COMPLETE: (1.0, 2.0, 4.0),
}
_POST_RATES: Final = (5.0, 30.0)
#: Measured with the link from the feed to Redis cut, so that every read takes the fallback.
_DEGRADED_RATES: Final = (15.0, 60.0)
#: Two short points each. A login hashes a password, so it is slow; a photo that is deleted was processed before.
_SHORT: Final[dict[str, tuple[float, ...]]] = {
    AUTH_SIGNUP: (3.0, 10.0),
    AUTH_LOGIN: (3.0, 10.0),
    USER_READ: (20.0, 80.0),
    GRAPH_FOLLOW: (10.0, 40.0),
    GRAPH_UNFOLLOW: (10.0, 40.0),
    GRAPH_FOLLOWERS: (20.0, 80.0),
    GRAPH_FOLLOWING: (20.0, 80.0),
    MEDIA_READ: (20.0, 80.0),
    MEDIA_DELETE: (3.0, 8.0),
    OBJECT_PUT: (10.0, 40.0),
    POST_READ: (20.0, 80.0),
    POST_DELETE: (3.0, 8.0),
    USER_POSTS: (20.0, 80.0),
    LIKE_REMOVE: (15.0, 60.0),
    COMMENT_ADD: (10.0, 40.0),
    COMMENT_LIST: (20.0, 80.0),
    STORY_CREATE: (5.0, 20.0),
    STORY_DELETE: (3.0, 8.0),
    STORY_SEEN: (20.0, 80.0),
    SEARCH_HASHTAGS: (20.0, 80.0),
}
#: Length of a short point as a share of a long one; and its warm-up.
_SHORT_RATIO: Final = 0.4
_SHORT_WARM_UP_SECONDS: Final = 0.5

#: Who does an operation's deferred work, where that is a process other than its own.
LEAVES_WORK_TO: Final[dict[str, Component]] = {
    LIKE_ADD: Component.DISCOVERY,
    COMMENT_ADD: Component.DISCOVERY,
    GRAPH_FOLLOW: Component.FANOUT,
    GRAPH_UNFOLLOW: Component.FANOUT,
    POST_CREATE: Component.FANOUT,
    POST_DELETE: Component.FANOUT,
    MEDIA_COMPLETE: Component.MEDIA,
    MEDIA_DELETE: Component.MEDIA,
    STORY_DELETE: Component.MEDIA,
}

#: Shares of a measurement in which a job follows at once, by process; the rest is the operation's own.
#: Requests to the object store: the HEAD of complete; the worker's GET and its PUTs. A transaction each in PostgreSQL.
SHARES: Final[dict[str, dict[str, dict[str, float]]]] = {
    MEDIA_COMPLETE: {
        Component.MEDIA: {MEDIA_PROCESS: 1.0},
        Component.FEED: {MEDIA_PROCESS: 1.0},
        Server.CLAMD: {MEDIA_PROCESS: 1.0},
        Server.REDIS: {MEDIA_PROCESS: 1.0},
        Server.TOXIPROXY: {MEDIA_PROCESS: 1.0},
        Server.OBJECTS: {MEDIA_COMPLETE: 0.5, MEDIA_PROCESS: 6.0},
        Server.POSTGRES: {MEDIA_COMPLETE: 1.0, MEDIA_PROCESS: 1.0},
        Server.KAFKA: {MEDIA_COMPLETE: 1.0, MEDIA_PROCESS: 1.0},
    },
    MEDIA_DELETE: {
        Component.MEDIA: {MEDIA_REMOVE: 1.0},
        Server.OBJECTS: {MEDIA_REMOVE: 1.0},
        Server.SHIELD: {MEDIA_REMOVE: 1.0},
        Server.EDGE: {MEDIA_REMOVE: 1.0},
        Server.POSTGRES: {MEDIA_DELETE: 1.0, MEDIA_REMOVE: 1.0},
    },
}

#: Timers: their CPU use is the same with and without traffic, so it is measured without
#: (`core.profile.Profile.background_cpu_ratio`).
IDLE: Final = "idle"

#: All work of the services that no client waits for, by service and by what it hands to `services.kit.bus`. The work of
#: an event is charged to the operation or background job that caused it, because it is done while that is measured.
JOBS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("ads", "publish"): (IDLE,),
    ("discovery", "consume_batches"): (POST_CREATE, LIKE_ADD, COMMENT_ADD, POST_DELETE),
    ("discovery", "write"): (IDLE,),
    ("engagement", "settle"): (IDLE,),
    ("fanout", "consume"): (FANOUT_DELIVER, POST_DELETE),
    ("fanout", "consume_batches"): (GRAPH_FOLLOW, GRAPH_UNFOLLOW),
    ("fanout", "publish_celebrities"): (IDLE,),
    ("feed", "consume_batches"): (POST_CREATE, POST_DELETE, MEDIA_PROCESS, AUTH_SIGNUP),
    ("feed", "look"): (IDLE,),
    ("graph", "consume_batches"): (GRAPH_FOLLOW, GRAPH_UNFOLLOW),
    ("kit", "ask"): (IDLE,),  # of the outbox: what consumers have handled
    ("kit", "relay"): (
        *(AUTH_SIGNUP, GRAPH_FOLLOW, GRAPH_UNFOLLOW, MEDIA_COMPLETE, MEDIA_PROCESS, POST_CREATE),
        *(POST_DELETE, LIKE_ADD, LIKE_REMOVE, COMMENT_ADD, STORY_CREATE, STORY_DELETE),
    ),
    ("media", "_sweep_on"): (IDLE,),
    ("media", "_work_on"): (MEDIA_PROCESS,),
    ("media", "consume"): (MEDIA_PROCESS,),
    ("media", "run"): (MEDIA_REMOVE,),
    ("posts", "consume"): (IDLE,),  # photos that cannot be rendered, which neither the load nor the model contains
    ("search", "run"): (AUTH_SIGNUP, POST_CREATE, POST_DELETE),
    ("stories", "consume_batches"): (STORY_CREATE, STORY_DELETE),
    ("stories", "settle"): (IDLE,),
    ("upload", "run"): (IDLE,),  # removes photos that were never uploaded
}


def planned(scenario: Scenario, *, point_seconds: float = POINT_SECONDS) -> tuple[Series, ...]:
    """All series of a calibration. Raises ValueError if followers are spread too evenly over the scenario's people to
    measure the cost of a fan-out."""
    few, many = authors(scenario)
    found = [Series(operation=name, rates_per_second=rates, seconds=point_seconds) for name, rates in _LONG.items()]
    found += [
        Series(operation=POST_CREATE, rates_per_second=_POST_RATES, seconds=point_seconds, kind=kind, people=people)
        for kind, people in ((FEW, few), (MANY, many))
    ]
    found.append(Series(operation=FEED_READ, rates_per_second=_DEGRADED_RATES, seconds=point_seconds, kind=DEGRADED))
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
