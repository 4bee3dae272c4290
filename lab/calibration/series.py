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
    "feed.read": (15.0, 60.0, 150.0),
    "like.add": (15.0, 60.0, 150.0),
    "image.read": (20.0, 100.0, 300.0),
    "story.tray": (15.0, 60.0, 150.0),
    "search.users": (15.0, 60.0, 150.0),
    "media.create": (5.0, 20.0, 60.0),
    "media.complete": (1.0, 2.0, 4.0),
}
_POST_RATES: Final = (5.0, 30.0)
#: Measured with the link from the feed to Redis cut, so that every read takes the fallback.
_DEGRADED_RATES: Final = (15.0, 60.0)
#: Two short points each. A login hashes a password, so it is slow; a photo that is deleted was processed before.
_SHORT: Final[dict[str, tuple[float, ...]]] = {
    "auth.signup": (3.0, 10.0),
    "auth.login": (3.0, 10.0),
    "user.read": (20.0, 80.0),
    "graph.follow": (10.0, 40.0),
    "graph.unfollow": (10.0, 40.0),
    "graph.followers": (20.0, 80.0),
    "graph.following": (20.0, 80.0),
    "media.read": (20.0, 80.0),
    "media.delete": (3.0, 8.0),
    "object.put": (10.0, 40.0),
    "post.read": (20.0, 80.0),
    "post.delete": (3.0, 8.0),
    "user.posts": (20.0, 80.0),
    "like.remove": (15.0, 60.0),
    "comment.add": (10.0, 40.0),
    "comment.list": (20.0, 80.0),
    "story.create": (5.0, 20.0),
    "story.delete": (3.0, 8.0),
    "story.seen": (20.0, 80.0),
    "search.hashtags": (20.0, 80.0),
}
#: Length of a short point as a share of a long one; and its warm-up.
_SHORT_RATIO: Final = 0.4
_SHORT_WARM_UP_SECONDS: Final = 0.5

#: Who does an operation's deferred work, where that is a process other than its own.
LEAVES_WORK_TO: Final[dict[str, Component]] = {
    "like.add": Component.DISCOVERY,
    "comment.add": Component.DISCOVERY,
    "graph.follow": Component.FANOUT,
    "graph.unfollow": Component.FANOUT,
    "post.create": Component.FANOUT,
    "post.delete": Component.FANOUT,
    "media.complete": Component.MEDIA,
    "media.delete": Component.MEDIA,
    "story.delete": Component.MEDIA,
}

#: Shares of a measurement in which a job follows at once, by process; the rest is the operation's own.
#: Requests to the object store: the HEAD of complete; the worker's GET and its PUTs. A transaction each in PostgreSQL.
SHARES: Final[dict[str, dict[str, dict[str, float]]]] = {
    "media.complete": {
        Component.MEDIA: {"media.process": 1.0},
        Component.FEED: {"media.process": 1.0},
        Server.CLAMD: {"media.process": 1.0},
        Server.REDIS: {"media.process": 1.0},
        Server.TOXIPROXY: {"media.process": 1.0},
        Server.OBJECTS: {"media.complete": 0.5, "media.process": 6.0},
        Server.POSTGRES: {"media.complete": 1.0, "media.process": 1.0},
        Server.KAFKA: {"media.complete": 1.0, "media.process": 1.0},
    },
    "media.delete": {
        Component.MEDIA: {"media.remove": 1.0},
        Server.OBJECTS: {"media.remove": 1.0},
        Server.SHIELD: {"media.remove": 1.0},
        Server.EDGE: {"media.remove": 1.0},
        Server.POSTGRES: {"media.delete": 1.0, "media.remove": 1.0},
    },
}

#: Timers: their CPU use is the same with and without traffic, so it is measured without
#: (`core.profile.Profile.background_cpu_ratio`).
IDLE: Final = "idle"

#: All work of the services that no client waits for, by service and by what it hands to `services.kit.bus`. The work of
#: an event is charged to the operation or background job that caused it, because it is done while that is measured.
JOBS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("ads", "publish"): (IDLE,),
    ("discovery", "consume_batches"): ("post.create", "like.add", "comment.add", "post.delete"),
    ("discovery", "write"): (IDLE,),
    ("engagement", "settle"): (IDLE,),
    ("fanout", "consume"): ("fanout.deliver", "post.delete"),
    ("fanout", "consume_batches"): ("graph.follow", "graph.unfollow"),
    ("fanout", "publish_celebrities"): (IDLE,),
    ("feed", "consume_batches"): ("post.create", "post.delete", "media.process", "auth.signup"),
    ("feed", "look"): (IDLE,),
    ("graph", "consume_batches"): ("graph.follow", "graph.unfollow"),
    ("kit", "ask"): (IDLE,),  # of the outbox: what consumers have handled
    ("kit", "relay"): (
        *("auth.signup", "graph.follow", "graph.unfollow", "media.complete", "media.process", "post.create"),
        *("post.delete", "like.add", "like.remove", "comment.add", "story.create", "story.delete"),
    ),
    ("media", "_sweep_on"): (IDLE,),
    ("media", "_work_on"): ("media.process",),
    ("media", "consume"): ("media.process",),
    ("media", "run"): ("media.remove",),
    ("posts", "consume"): (IDLE,),  # photos that cannot be rendered, which neither the load nor the model contains
    ("search", "run"): ("auth.signup", "post.create", "post.delete"),
    ("stories", "consume_batches"): ("story.create", "story.delete"),
    ("stories", "settle"): (IDLE,),
    ("upload", "run"): (IDLE,),  # removes photos that were never uploaded
}


def planned(scenario: Scenario, *, point_seconds: float = POINT_SECONDS) -> tuple[Series, ...]:
    """All series of a calibration. Raises ValueError if followers are spread too evenly over the scenario's people to
    measure the cost of a fan-out."""
    few, many = authors(scenario)
    found = [Series(operation=name, rates_per_second=rates, seconds=point_seconds) for name, rates in _LONG.items()]
    found += [
        Series(operation="post.create", rates_per_second=_POST_RATES, seconds=point_seconds, kind=kind, people=people)
        for kind, people in ((FEW, few), (MANY, many))
    ]
    found.append(Series(operation="feed.read", rates_per_second=_DEGRADED_RATES, seconds=point_seconds, kind=DEGRADED))
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
