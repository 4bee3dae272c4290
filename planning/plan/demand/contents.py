"""Contents of stores: bytes in Redis, rows in PostgreSQL, events in the log, objects; now and as they grow.

Sizes of single items were measured on the servers of the stack (Redis 7.0, PostgreSQL 15, the services' own tables with
indexes and values of usual length); their numbers follow from the workload.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from core.operations import (
    AUTH_SIGNUP,
    COMMENT_ADD,
    GRAPH_FOLLOW,
    LIKE_ADD,
    MEDIA_CREATE,
    MEDIA_PROCESS,
    OBJECT_PUT,
    OPERATIONS,
    POST_CREATE,
    STORY_CREATE,
    STORY_SEEN,
)
from core.scenario import Scenario
from core.scenario.demand import Demand
from planning.cost import quantities
from planning.cost.quantities import BilledSizes
from planning.plan.demand.workload import DAY_SECONDS, Workload
from sim.model.redis_memory import (
    AUTHOR_CARD_BYTES,
    CARD_KEY_BYTES,
    KEY_BYTES,
    POST_CARD_BYTES,
    sorted_set_bytes,
)

#: Bytes for each number of a set of up to 512.
_NUMBER_BYTES: Final = 9.0
_COUNT_BYTES: Final = 104.0
#: A timeline is filled with the last seven days of posts and then receives pushes for a day.
_FILLED_DAYS: Final = 7.0

#: Rows with their indexes, of one operation: its own table and what belongs to it.
ROW_BYTES: Final[Mapping[str, float]] = {
    AUTH_SIGNUP: 258.0,
    GRAPH_FOLLOW: 311.0,  # in both directions
    MEDIA_CREATE: 223.0,
    MEDIA_PROCESS: 756.0,  # four variants
    POST_CREATE: 345.0,
    LIKE_ADD: 132.0,
    COMMENT_ADD: 164.0,
    STORY_CREATE: 345.0,
    STORY_SEEN: 77.0,
}
#: Pages and tuples waiting for vacuum, beside live rows (an assumption: a fifth).
BLOAT: Final = 1.2
EVENT_BYTES: Final = 1_000.0
#: Consumers of the log that read every event, such as fan-out, feed and search.
EVENT_READERS: Final = 3.0
LOG_DAYS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Bytes of the whole service; rates are of the present mean day."""

    redis_bytes: float
    rows_bytes: float  # in PostgreSQL at the start: people and whom they follow
    rows_bytes_per_second: float
    events_per_second: float
    objects_bytes_per_second: float
    puts_per_second: float
    commits_per_second: float

    @property
    def events_bytes_per_second(self) -> float:
        """Written to the log, without copies."""
        return self.events_per_second * EVENT_BYTES


def sizes_of(scenario: Scenario, demand: Demand) -> BilledSizes:
    """Sizes that the demand states, and the bill's own assumptions for the others."""
    usual = quantities.sizes_of(scenario, {})
    stated = {name: float(size) for name in usual.assumed if (size := getattr(demand.sizes, name)) is not None}
    return replace(usual, **stated, assumed=tuple(name for name in usual.assumed if name not in stated))


def timeline_entries(scenario: Scenario, workload: Workload) -> float:
    """Posts in one timeline: those filled in and half a day of pushes, at most its depth."""
    posts_per_day = workload.per_second[POST_CREATE] * DAY_SECONDS
    pushed_per_day = posts_per_day * workload.pushes_per_post / workload.people
    return min(float(scenario.system.fanout.depth), pushed_per_day * (_FILLED_DAYS + 0.5))


def contents_of(scenario: Scenario, demand: Demand, workload: Workload) -> Contents:
    rates = workload.per_second
    sizes = sizes_of(scenario, demand)
    uploads = rates[OBJECT_PUT]
    original = sizes.original_bytes * (1.0 - demand.videos_ratio) + demand.sizes.video_bytes * demand.videos_ratio
    writes = {name: rate for name, rate in rates.items() if name in OPERATIONS and OPERATIONS[name].method != "GET"}
    events = sum(rate for name, rate in writes.items() if name != OBJECT_PUT) + rates[MEDIA_PROCESS]
    follows = scenario.population.follows.mean
    return Contents(
        redis_bytes=_redis_bytes(scenario, workload),
        rows_bytes=BLOAT * demand.people * (ROW_BYTES[AUTH_SIGNUP] + follows * ROW_BYTES[GRAPH_FOLLOW]),
        rows_bytes_per_second=BLOAT * sum(rates[name] * size for name, size in ROW_BYTES.items()),
        events_per_second=events,
        objects_bytes_per_second=uploads * original + rates[MEDIA_PROCESS] * sizes.variants_bytes,
        puts_per_second=uploads + rates[MEDIA_PROCESS] * quantities.VARIANTS_COUNT,
        commits_per_second=sum(rate for name, rate in writes.items() if name != OBJECT_PUT) + rates[MEDIA_PROCESS],
    )


def _redis_bytes(scenario: Scenario, workload: Workload) -> float:
    """Timelines, followees and likes of a day's users; cards and counters of the posts that they see."""
    rates = workload.per_second
    likes_per_user = rates[LIKE_ADD] * DAY_SECONDS / workload.daily_users
    of_a_user = (
        sorted_set_bytes(timeline_entries(scenario, workload))
        + KEY_BYTES
        + _NUMBER_BYTES * scenario.population.follows.mean
        + KEY_BYTES
        + _NUMBER_BYTES * likes_per_user
    )
    posts = rates[POST_CREATE] * DAY_SECONDS * (_FILLED_DAYS + 1.0)
    of_a_post = POST_CARD_BYTES + CARD_KEY_BYTES + 2.0 * _COUNT_BYTES
    authors = min(float(workload.people), posts)
    return workload.daily_users * of_a_user + posts * of_a_post + authors * (AUTHOR_CARD_BYTES + KEY_BYTES)
