"""Skeleton: which posts and ads could stand in the page, by id, from four sources.

Timeline and celebrities are read from Redis side by side, each behind its own deadline and breaker; popular posts and
ads are snapshots in this process, so their deadlines are met by construction. Where Redis does not know, PostgreSQL
does: a plain miss costs a query and is refilled in the background; a failure is named in the answer.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from core.failures import Failure
from core.ids import ID_MAX
from core.names import Cache
from core.policies.stitch import Quota
from services.feed.rules.page import SPARE, followed_needed
from services.feed.rules.session import Position, marks_of
from services.feed.store.background import Background
from services.feed.store.followed import Followed, Pulled, Pushed, oldest_id
from services.feed.store.snapshots import Popular, Snapshot, Snapshots
from services.kit.guard import Guard
from services.kit.metrics import Metrics
from services.kit.stores.timelines import State


@dataclass(slots=True, kw_only=True)
class Skeleton:
    """What could be shown."""

    followed: list[int]  # newest first, all older than the session's position
    pulled: set[int] = field(default_factory=set)  # those of them that are celebrities' posts
    followed_ended: bool = False
    recommended: list[Popular] = field(default_factory=list)  # best first
    recommended_ended: bool = True
    ads: Sequence[bytes] = ()
    reasons: list[str] = field(default_factory=list)  # what is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """One reading of the sources."""

    viewer_id: int
    position: Position
    count: int  # followed posts
    snapshot: Snapshot


class Skeletons:
    """The four sources."""

    def __init__(
        self,
        followed: Followed,
        snapshots: Snapshots,
        *,
        timeline: Guard,
        celebrities: Guard,
        depth: int,
        metrics: Metrics,
        background: Background,
    ):
        self._followed, self._snapshots, self._depth = followed, snapshots, depth
        self._timeline, self._celebrities = timeline, celebrities
        self._metrics, self._background = metrics, background

    async def read(self, viewer_id: int, position: Position, *, slots: Quota, scale: int) -> Skeleton:
        """Candidates for one page, ``scale`` times as many as it usually takes.

        Raises Unavailable when neither Redis nor PostgreSQL knows the followed posts.
        """
        snapshot = self._snapshots.latest
        ranked = position.mode == "ranked"
        given = marks_of(position.given)
        pool: list[Popular] = []
        pool_ended = True
        if ranked and snapshot.serves:
            pool_max = (slots.followed + slots.recommended + SPARE) * scale
            pool, pool_ended = _pool(snapshot.popular, viewer_id, given, pool_max)
        count = scale * followed_needed(slots, recommended_available=len(pool), mode=position.mode)
        ask = _Ask(viewer_id=viewer_id, position=position, count=count, snapshot=snapshot)
        skeleton, follows = await self._followed_posts(ask, {each.author_id for each in pool})
        skeleton.recommended = [each for each in pool if each.author_id not in follows]
        skeleton.recommended_ended = pool_ended
        if snapshot.serves:
            skeleton.ads = snapshot.ads
        else:
            skeleton.reasons += ("recommended", "ads") if ranked else ("ads",)
        return skeleton

    async def _followed_posts(self, ask: _Ask, authors: set[int]) -> tuple[Skeleton, Iterable[int]]:
        """Followed posts, and who is followed among ``authors``."""
        others = list(authors)
        pushing = self._timeline.call(
            functools.partial(self._followed.pushed, ask.viewer_id, before_id=ask.position.before, count=ask.count)
        )
        pulling = self._celebrities.call(
            functools.partial(
                self._followed.pulled,
                ask.viewer_id,
                celebrities=ask.snapshot.celebrities,
                others=others,
                before_id=ask.position.before,
                count=ask.count,
            )
        )
        pushed, pulled = await asyncio.gather(pushing, pulling, return_exceptions=True)
        for result in (pushed, pulled):
            if isinstance(result, BaseException) and not isinstance(result, Failure):
                raise result
        hit = isinstance(pushed, Pushed) and pushed.state is State.WHOLE
        self._metrics.lookups(Cache.TIMELINE, hits=int(hit), misses=int(not hit))
        if isinstance(pushed, Pushed) and pushed.state is State.WHOLE:
            return await self._merged(ask, pushed, pulled)
        skeleton, followees = await self._from_postgres(ask)
        if isinstance(pushed, Pushed):
            if pushed.state is State.MISSING:
                refill = functools.partial(
                    self._followed.refill, ask.viewer_id, celebrities=frozenset(ask.snapshot.celebrities)
                )
                self._background.start("timeline", refill)
        else:
            skeleton.reasons.append("timeline")
        if isinstance(pulled, Pulled):
            self._mend(ask.viewer_id, pulled)
        elif ask.snapshot.celebrities:
            skeleton.reasons.append("celebrities")
        return skeleton, followees

    async def _merged(
        self, ask: _Ask, pushed: Pushed, pulled: Pulled | BaseException
    ) -> tuple[Skeleton, Iterable[int]]:
        """The timeline with followed celebrities' posts."""
        reasons: list[str] = []
        post_ids, ended = list(pushed.post_ids), pushed.ended
        if ended and (ask.position.before < ID_MAX or ask.count > self._depth):
            older, ended = await self._beyond(ask, pushed)
            post_ids += older
        if isinstance(pulled, Pulled) and pulled.whole:
            follows: Iterable[int] = pulled.followed
            celebrity_posts, celebrities_ended = pulled.post_ids, pulled.ended
            wanted: list[int] = pulled.missing
        else:
            # Redis does not know whom the reader follows, or is out of reach
            celebrities = set(ask.snapshot.celebrities)
            celebrity_posts, celebrities_ended = [], True
            try:
                follows = await self._followed.followees(ask.viewer_id)
                wanted = [each for each in follows if each in celebrities]
            except Failure:
                follows, wanted = (), []
                reasons.append("celebrities")
            if not isinstance(pulled, Pulled) and celebrities and not reasons:
                reasons.append("celebrities")
        if wanted:
            try:
                found = await self._followed.posts_of(wanted, before_id=ask.position.before, count=ask.count + 1)
                celebrity_posts = celebrity_posts + [each.post_id for each in found]
                celebrities_ended = celebrities_ended and len(found) <= ask.count
            except Failure:
                reasons.append("celebrities")
        if isinstance(pulled, Pulled):
            self._mend(ask.viewer_id, pulled)
        every = sorted({*post_ids, *celebrity_posts}, reverse=True)
        skeleton = Skeleton(
            followed=every[: ask.count],
            pulled=set(celebrity_posts),
            followed_ended=ended and celebrities_ended and len(every) <= ask.count,
            reasons=list(dict.fromkeys(reasons)),
        )
        return skeleton, follows

    async def _beyond(self, ask: _Ask, pushed: Pushed) -> tuple[list[int], bool]:
        """What is older than a timeline that is cut off at its depth; whether that was all."""
        try:
            if await self._followed.length(ask.viewer_id) < self._depth:
                return [], True
        except Failure:
            pass  # ask PostgreSQL, then
        before_id = pushed.post_ids[-1] if pushed.post_ids else ask.position.before
        found = await self._followed.posts_of(
            await self._followed.followees(ask.viewer_id),
            before_id=before_id,
            after_id=oldest_id(),
            count=ask.count + 1,
        )
        return [each.post_id for each in found[: ask.count]], len(found) <= ask.count

    async def _from_postgres(self, ask: _Ask) -> tuple[Skeleton, list[int]]:
        """Everything followed, celebrities included, of the last seven days."""
        followees = await self._followed.followees(ask.viewer_id)
        found = await self._followed.posts_of(
            followees, before_id=ask.position.before, after_id=oldest_id(), count=ask.count + 1
        )
        celebrities = set(ask.snapshot.celebrities)
        skeleton = Skeleton(
            followed=[each.post_id for each in found[: ask.count]],
            pulled={each.post_id for each in found if each.author_id in celebrities},
            followed_ended=len(found) <= ask.count,
        )
        return skeleton, followees

    def _mend(self, viewer_id: int, pulled: Pulled) -> None:
        """Refill in the background what Redis did not know."""
        if not pulled.whole:
            self._background.start("following", functools.partial(self._followed.refill_followees, viewer_id))
        for author_id in pulled.missing:
            self._background.start("author_posts", functools.partial(self._followed.refill_author, author_id))


def _pool(
    popular: Sequence[Popular], viewer_id: int, given: frozenset[int], maximum: int
) -> tuple[list[Popular], bool]:
    """The first ``maximum`` popular posts that are not the reader's own nor given; whether that is all of them."""
    pool: list[Popular] = []
    for each in popular:
        if each.author_id != viewer_id and each.mark not in given:
            if len(pool) == maximum:
                return pool, False
            pool.append(each)
    return pool, True
