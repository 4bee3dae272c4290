"""Feed: skeleton (which posts, from four sources at once), hydrate (one batch of cards), rules, present.

Timeline and celebrities come from Redis, each behind a deadline and a breaker; recommendations and ads from memory.
Where Redis does not answer in time the timeline and the cards come from PostgreSQL, and the answer is degraded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Cache, Component
from core.scenario import Scenario
from sim.components.gateway import through_gateway
from sim.flow import (
    NOTHING,
    Breaker,
    Deadline,
    Flow,
    Fork,
    Keys,
    Lookup,
    Mark,
    OperationFlow,
    Rescue,
    Stage,
    Use,
    steps,
)
from sim.stores import every_postgres, redis

FEED: Final = Component.FEED
#: A page of 50 cards, as Redis answers it and as the client gets it.
_PAGE_BYTES: Final = 50_000


def flows(scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The feed's operations. Shares of the service's CPU: arrive 10 %, skeleton 20 %, hydrate 35 %, rules 15 %,
    present 20 %, as a profiler sees them on a page of 50; of Redis's CPU: 15 % for each source, 70 % for the cards."""
    limits = scenario.system.feed.deadlines
    timeline = _or(
        "feed.timeline",
        limits.timeline_seconds,
        steps(redis(FEED, share=0.15), _own(0.02), _timeline()),
        otherwise=steps(Mark(reason="timeline"), _own(0.02), _fallback(feed=0.35, postgres=0.45)),
    )
    celebrities = _or(
        "feed.celebrities",
        limits.celebrities_seconds,
        steps(redis(FEED, share=0.15), _own(0.02)),
        otherwise=Mark(reason="celebrities"),
    )
    in_memory = _own(0.05)  # recommended and ads: refreshed behind everybody's back, which is idle work
    hydrate = _or(
        "feed.hydrate",
        limits.hydrate_seconds,
        steps(redis(FEED, share=0.70, answer_bytes=_PAGE_BYTES), _own(0.25), _cards()),
        otherwise=steps(Mark(reason="hydrate"), _own(0.25), _fallback(feed=0.65, postgres=0.55)),
    )
    read = steps(
        _own(0.10),
        Stage(
            name="skeleton",
            inner=Fork(branches=(steps(_own(0.06), timeline), steps(_own(0.05), celebrities), in_memory)),
        ),
        Stage(name="hydrate", inner=steps(_own(0.10), hydrate)),
        Stage(name="rules", inner=_own(0.15)),
        Stage(name="present", inner=_own(0.20)),
    )
    return {"feed.read": through_gateway("feed.read", read, behind=NOTHING, answer_bytes=_PAGE_BYTES)}


def _own(share: float) -> Flow:
    return Use(process=FEED, share=share)


def _or(dependency: str, seconds: float, inner: Flow, *, otherwise: Flow) -> Flow:
    return Breaker(dependency=dependency, inner=Deadline(seconds=seconds, inner=inner), otherwise=otherwise)


def _fallback(*, feed: float, postgres: float) -> Flow:
    """From PostgreSQL; the shares are of what the fallback costs beyond the usual path."""
    return steps(
        Use(process=FEED, share=feed / 2, degraded=True),
        every_postgres(FEED, share=postgres, degraded=True),
        Use(process=FEED, share=feed / 2, degraded=True),
    )


def _timeline() -> Flow:
    """A timeline that is not in Redis is made again from PostgreSQL."""
    miss = _fallback(feed=0.35, postgres=0.45)
    return Lookup(cache=Cache.TIMELINE, keys=Keys.TIMELINE, hit=NOTHING, miss=Rescue(inner=miss, otherwise=NOTHING))


def _cards() -> Flow:
    """Cards that are not in Redis are read from PostgreSQL, in one batch."""
    miss = _fallback(feed=0.3, postgres=0.25)
    return steps(
        Lookup(cache=Cache.POST_CARD, keys=Keys.POSTS, hit=NOTHING, miss=miss),
        Lookup(cache=Cache.AUTHOR_CARD, keys=Keys.AUTHORS, hit=NOTHING, miss=miss),
    )
