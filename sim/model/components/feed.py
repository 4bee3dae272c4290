"""Feed: skeleton (which posts, from four sources at once), hydrate (one batch of cards), rules, present.

Timeline and celebrities come from Redis, each behind a deadline and a breaker; recommendations and ads from memory.
Where Redis does not answer in time, all that is followed and then the cards come from PostgreSQL, and the answer is
degraded. A call that is late goes on by itself: cancelling it would close its connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Cache, Component
from core.operations import FEED_READ
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import (
    NOTHING,
    READS,
    Aside,
    Deadline,
    Ending,
    Fail,
    Flow,
    Keys,
    Lookup,
    Mark,
    Missed,
    OperationFlow,
    Parallel,
    Per,
    Rescue,
    Stage,
    Use,
    WithBreaker,
    steps,
)
from sim.model.stores import every_postgres, every_redis, postgres, redis

FEED: Final = Component.FEED
#: A page of 50 cards, as Redis answers it and as the client gets it.
_PAGE_BYTES: Final = 50_000


def flows(scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The feed's operations. Shares of the service's CPU: arrive 10 %, skeleton 20 %, hydrate 35 %, rules 15 %,
    present 20 %, as a profiler sees them on a page of 50; of Redis's CPU: 15 % for each source, 70 % for the cards."""
    limits = scenario.system.feed.deadlines
    timeline = WithBreaker(
        dependency="feed.timeline",
        inner=Deadline(seconds=limits.timeline_seconds, inner=steps(redis(FEED, share=0.15), _own(0.02))),
        otherwise=steps(Missed(cache=Cache.TIMELINE, keys=Keys.TIMELINE), Fail(ending=Ending.UNAVAILABLE)),
    )
    # grows with the celebrities that the reader follows, as fan-out's work shrinks with their posts
    merged = Use(process=FEED, share=0.02, per=Per.MERGE)
    pulled = steps(every_redis(FEED, share=0.15, per=Per.PULL), merged)
    celebrities = WithBreaker(
        dependency="feed.celebrities",
        inner=Deadline(seconds=limits.celebrities_seconds, inner=pulled),
        otherwise=Mark(reason="celebrities"),
    )
    in_memory = _own(0.05)  # recommended and ads: refreshed behind everybody's back, which is idle work
    sources = Parallel(branches=(steps(_own(0.06), timeline), steps(_own(0.05), celebrities), in_memory))
    # everything followed, celebrities included: whom the reader follows, then their posts on every instance
    anew = steps(
        Use(process=FEED, share=0.15, degraded=True),
        postgres(FEED, share=0.05, degraded=True, role=READS),
        every_postgres(FEED, share=0.40, degraded=True),
        Use(process=FEED, share=0.20, degraded=True),
    )
    refill = Aside(inner=anew)  # a timeline that is missed is read once more, to be written back
    known = Lookup(cache=Cache.TIMELINE, keys=Keys.TIMELINE, hit=NOTHING, miss=steps(anew, refill))
    skeleton = Rescue(inner=steps(sources, known), otherwise=steps(Mark(reason="timeline"), anew))
    hydrate = WithBreaker(
        dependency="feed.hydrate",
        inner=Deadline(
            seconds=limits.hydrate_seconds,
            inner=steps(every_redis(FEED, share=0.70, answer_bytes=_PAGE_BYTES), _own(0.25), _cards(Cache.POST_CARD)),
        ),
        otherwise=steps(
            Missed(cache=Cache.POST_CARD, keys=Keys.POSTS), Mark(reason="cache"), _own(0.25), _from_postgres()
        ),
    )
    read = steps(
        _own(0.10),
        Stage(name="skeleton", inner=skeleton),
        Stage(name="hydrate", inner=steps(_own(0.10), hydrate, _cards(Cache.AUTHOR_CARD))),
        Stage(name="rules", inner=_own(0.15)),
        Stage(name="present", inner=_own(0.20)),
    )
    return {FEED_READ: through_gateway(FEED_READ, read, behind=NOTHING, answer_bytes=_PAGE_BYTES)}


def _own(share: float) -> Flow:
    return Use(process=FEED, share=share)


def _from_postgres() -> Flow:
    """Cards, counts and likes of the page; the shares are of what the fallback costs beyond the usual path."""
    return steps(
        Use(process=FEED, share=0.15, degraded=True),
        every_postgres(FEED, share=0.55, degraded=True),
        Use(process=FEED, share=0.50, degraded=True),
    )


def _cards(cache: Cache) -> Flow:
    """Cards that are not in Redis are read from PostgreSQL, in one batch."""
    keys = Keys.POSTS if cache is Cache.POST_CARD else Keys.AUTHORS
    return Lookup(cache=cache, keys=keys, hit=NOTHING, miss=_from_postgres())
