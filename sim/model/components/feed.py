"""Feed: skeleton (which posts, from four sources at once), hydrate (one batch of cards), rules, present.

Timeline and celebrities come from Redis, each with a deadline and a breaker; recommendations and ads from memory.
If Redis does not answer in time, followed posts and then cards are read from PostgreSQL, and the answer is degraded.
A late call runs to its end, because cancelling it would close its connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Cache, Component
from core.operations import FEED_READ
from core.scenario import Scenario
from core.scenario.demand import AT
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
    Use,
    WithBreaker,
    stage,
    steps,
    used_by,
)
from sim.model.stores import every_postgres, every_redis, postgres, redis

FEED: Final = Component.FEED
_own: Final = used_by(FEED)
#: A page of 50 cards, in Redis's answer and in the client's.
_PAGE_BYTES: Final = 50_000


def flows(scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The feed's operations. Shares of the service's CPU (docs/MODEL.md says how they were measured), on a page of 50:
    arrive 15 %, skeleton 32 %, hydrate 24 %, rules 9 %, present 7 %, the answer's headers and bytes 8 %, and 5 % when
    it has been sent. Shares of Redis's CPU: 15 % for each source, 70 % for the cards."""
    limits = scenario.system.feed.deadlines
    timeline = WithBreaker(
        dependency="feed.timeline",
        inner=Deadline(seconds=limits.timeline_seconds, inner=steps(redis(FEED, share=0.15), _own(0.04))),
        otherwise=steps(Missed(cache=Cache.TIMELINE, keys=Keys.TIMELINE), Fail(ending=Ending.UNAVAILABLE)),
    )
    # proportional to the celebrities that the reader follows
    merged = Use(process=FEED, share=0.04, per=Per.MERGE)
    pulled = steps(every_redis(FEED, share=0.15, per=Per.PULL), merged)
    celebrities = WithBreaker(
        dependency="feed.celebrities",
        inner=Deadline(seconds=limits.celebrities_seconds, inner=pulled),
        otherwise=Mark(reason="celebrities"),
    )
    in_memory = _own(0.08)  # recommendations and ads: they are refreshed by timers, which is idle work
    asked = tuple(Use(process=process) for process in _waits_for(scenario))
    sources = Parallel(branches=(steps(_own(0.09), timeline), steps(_own(0.07), celebrities), in_memory, *asked))
    # all followed posts, celebrities' included: the reader's followees, then their posts on every instance
    followed = steps(
        Use(process=FEED, share=0.15, degraded=True),
        postgres(FEED, share=0.05, degraded=True, role=READS),
        every_postgres(FEED, share=0.40, degraded=True),
        Use(process=FEED, share=0.20, degraded=True),
    )
    refill = Aside(inner=followed)  # a missing timeline is read a second time, to be written back
    known = Lookup(cache=Cache.TIMELINE, keys=Keys.TIMELINE, hit=NOTHING, miss=steps(followed, refill))
    skeleton = Rescue(inner=steps(sources, known), otherwise=steps(Mark(reason="timeline"), followed))
    hydrate = WithBreaker(
        dependency="feed.hydrate",
        inner=Deadline(
            seconds=limits.hydrate_seconds,
            inner=steps(every_redis(FEED, share=0.70, answer_bytes=_PAGE_BYTES), _own(0.16), _cards(Cache.POST_CARD)),
        ),
        otherwise=steps(
            Missed(cache=Cache.POST_CARD, keys=Keys.POSTS), Mark(reason="cache"), _own(0.16), _from_postgres()
        ),
    )
    read = steps(
        _own(0.15),
        stage("skeleton", skeleton),
        stage("hydrate", _own(0.08), hydrate, _cards(Cache.AUTHOR_CARD)),
        stage("rules", _own(0.09)),
        stage("present", _own(0.07)),
        _own(0.08),
    )
    return {FEED_READ: through_gateway(FEED_READ, read, behind=_own(0.05), answer_bytes=_PAGE_BYTES)}


def _waits_for(scenario: Scenario) -> tuple[str, ...]:
    """Processes at which a design has CPU for which the read waits, as for a source of its own."""
    named = scenario.demand.waits_for if scenario.demand is not None else ()
    return tuple(name.partition(AT)[2] for name in named)


def _from_postgres() -> Flow:
    """Cards, counts and likes of the page; the shares are of the fallback's surplus over the usual path."""
    return steps(
        Use(process=FEED, share=0.15, degraded=True),
        every_postgres(FEED, share=0.55, degraded=True),
        Use(process=FEED, share=0.50, degraded=True),
    )


def _cards(cache: Cache) -> Flow:
    """Look cards up in Redis; missing ones are read from PostgreSQL, in one batch."""
    keys = Keys.POSTS if cache is Cache.POST_CARD else Keys.AUTHORS
    return Lookup(cache=cache, keys=keys, hit=NOTHING, miss=_from_postgres())
