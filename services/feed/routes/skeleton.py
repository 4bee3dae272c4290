"""Skeleton: the candidates of a page, posts and ads by id, from four sources.

Timeline and celebrities are read from Redis concurrently, each with its own deadline and breaker; popular posts and ads
are snapshots in this process and need none. What Redis lacks is read from PostgreSQL: a miss costs a query and is
refilled in the background; a failure is named in the answer.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from core.failures import Failure
from core.ids import ID_MAX
from core.names import Cache
from core.policies.stitch import Quota
from services.feed.rules.merge import Part, merge
from services.feed.rules.page import SPARE, followed_needed
from services.feed.rules.popular import PopularPost, varied
from services.feed.rules.session import Position, must_keep
from services.feed.store.background import Background
from services.feed.store.followed import Followed, FollowedQuery, Pulled, Pushed
from services.feed.store.sessions import Sessions
from services.feed.store.snapshots import Snapshots
from services.kit.bulkhead import Bulkhead
from services.kit.guard import Guard
from services.kit.metrics import Metrics
from services.kit.stores.timelines import TimelineState


@dataclass(slots=True, kw_only=True)
class Skeleton:
    """The candidates of a page."""

    followed: list[int]  # newest first, all older than the session's position
    followed_ended: bool = False
    late: list[int] = field(default_factory=list)  # newer than that, but delivered only now; newest first
    pulled: Collection[int] = ()  # which of them are celebrities' posts
    recommended: list[PopularPost] = field(default_factory=list)  # best first
    recommended_ended: bool = True
    given: frozenset[int] = frozenset()  # marks of the recommendations that the session has shown
    kept: bool = False  # the cursor's marks are now in Redis
    reasons: list[str] = field(default_factory=list)  # what is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How much a try reads: ``scale`` times the posts that a page usually needs, or all that Redis has."""

    scale: int
    all: bool = False


#: A page that turns out too short (posts were deleted, or their authors are followed) is tried again with more posts.
TRIES: Sequence[Reach] = (Reach(scale=1), Reach(scale=2, all=False), Reach(scale=2, all=True))


class Skeletons:
    """Reads the candidates of a page from the four sources."""

    def __init__(
        self,
        followed: Followed,
        snapshots: Snapshots,
        sessions: Sessions,
        *,
        timeline: Guard,
        celebrities: Guard,
        session: Guard,
        bulkhead: Bulkhead,
        depth: int,
        metrics: Metrics,
        background: Background,
    ):
        self._followed, self._snapshots, self._sessions = followed, snapshots, sessions
        self._timeline, self._celebrities, self._session, self._depth = timeline, celebrities, session, depth
        self._bulkhead, self._metrics, self._background = bulkhead, metrics, background

    def ads(self) -> Sequence[bytes]:
        """JSON of each ad; empty while there is no recent snapshot."""
        snapshot = self._snapshots.latest
        return snapshot.ads if snapshot.serves else ()

    async def read(self, viewer_id: int, position: Position, *, slots: Quota, reach: Reach) -> Skeleton:
        """Candidates for one page; ``reach`` is one of `TRIES`.

        Raises Unavailable when neither Redis nor PostgreSQL knows the followed posts.
        """
        snapshot = self._snapshots.latest
        ranked = position.mode == "ranked"
        given = await self._given(viewer_id, position, slots)
        pool: list[PopularPost] = []
        pool_ended = True
        if ranked and snapshot.serves:
            page_posts = slots.posts
            pool_max = page_posts + SPARE if reach.scale == 1 else len(snapshot.popular)
            if given is None and not reach.all:  # followed posts only, if they fill the page
                pool_max = 0
            eligible = _eligible(snapshot.popular, viewer_id, position, given or frozenset(position.given))
            pool, pool_ended = varied(eligible, maximum=pool_max, per_author=max(2, page_posts // 8))
        count = reach.scale * followed_needed(slots, recommended_available=len(pool), mode=position.mode)
        if reach.all:
            count += self._depth
        ask = FollowedQuery(before_id=position.before, count=count, late=position.late)
        skeleton, not_recommended = await self._followed_posts(viewer_id, ask, {each.author_id for each in pool})
        skeleton.given = frozenset(position.given) if given is None else given
        skeleton.kept = given is not None and self._keeps(position, slots)
        if given is None:
            skeleton.reasons.append("session")
        skeleton.recommended = [each for each in pool if each.author_id not in not_recommended]
        skeleton.recommended_ended = pool_ended
        if not snapshot.serves:
            skeleton.reasons += ("recommended", "ads") if ranked else ("ads",)
        return skeleton

    def _keeps(self, position: Position, slots: Quota) -> bool:
        return position.mode == "ranked" and must_keep(position, page_posts=slots.posts)

    async def _given(self, viewer_id: int, position: Position, slots: Quota) -> frozenset[int] | None:
        """Marks of the recommendations that the session has shown; None if they are in Redis and it does not answer."""
        keeps = self._keeps(position, slots)
        if not (keeps or position.kept):
            return frozenset(position.given)
        more = position.given if keeps else ()
        ask = functools.partial(self._sessions.given, viewer_id, position.start, more=more)
        try:
            return (await self._session.call(ask)).union(position.given)
        except Failure:
            return None

    async def _followed_posts(
        self, viewer_id: int, ask: FollowedQuery, authors: set[int]
    ) -> tuple[Skeleton, Collection[int]]:
        """Followed posts, and those of ``authors`` not to recommend: they are followed, or were unfollowed recently."""
        pushing = self._timeline.call(functools.partial(self._followed.pushed, viewer_id, ask))
        pulling = self._celebrities.call(functools.partial(self._followed.pulled, viewer_id, ask, others=list(authors)))
        pushed, pulled = await asyncio.gather(pushing, pulling, return_exceptions=True)
        for result in (pushed, pulled):
            if isinstance(result, BaseException) and not isinstance(result, Failure):
                raise result
        reasons: list[str] = []
        if not isinstance(pushed, Pushed):
            reasons.append("timeline")
        if not isinstance(pulled, Pulled):
            reasons.append("celebrities")
        whole = isinstance(pushed, Pushed) and pushed.state is TimelineState.WHOLE
        self._metrics.lookups(Cache.TIMELINE, hits=int(whole), misses=int(not whole))
        if isinstance(pushed, Pushed) and pushed.state is TimelineState.MISSING:
            self._background.start("timeline", functools.partial(self._followed.refill, viewer_id))
        if isinstance(pulled, Pulled):
            self._refill(viewer_id, pulled)
        if isinstance(pushed, Pushed) and whole and isinstance(pulled, Pulled) and pulled.whole:
            return await self._merged(viewer_id, ask, pushed, pulled), pulled.followed
        try:
            with self._bulkhead.entered():
                skeleton, not_recommended = await self._from_postgres(viewer_id, ask)
        except Failure:
            if not (isinstance(pushed, Pushed) and whole):
                raise
            skeleton, not_recommended = self._timeline_alone(ask, pushed), authors
            reasons = ["celebrities"]
        skeleton.reasons = reasons
        return skeleton, not_recommended

    async def _merged(self, viewer_id: int, ask: FollowedQuery, pushed: Pushed, pulled: Pulled) -> Skeleton:
        """Timeline and celebrities' posts, as far back as both are complete; older ones come from PostgreSQL."""
        late = {*pushed.late, *pulled.late}
        parts, celebrities = [pushed.part, pulled.part], {*pulled.part.post_ids, *pulled.late}
        if pulled.missing:
            found = await self._followed.posts_of(pulled.missing, before_id=ask.before_id, count=ask.count + 1)
            cut = len(found) > ask.count
            parts.append(Part(post_ids=found, bound=found[-1] if cut else 0, cut=cut))
            celebrities.update(found)
            late.update(await self._late(pulled.missing, ask))
        merged = merge(parts, before=ask.before_id, count=ask.count)
        posts, ended = merged.post_ids, merged.ended
        cut_off = ask.late is not None and ask.late.begins_before(max(pushed.floor, pulled.floor))
        if merged.older_than is not None or cut_off:
            authors = [viewer_id, *(await self._followed.followees(viewer_id)).followed]
        if cut_off:  # newer posts have pushed late ones out of a set of bounded depth
            late.update(await self._late(authors, ask))
        if merged.older_than is not None:
            wanted = ask.count + 1 - len(posts)
            older = await self._followed.posts_of(authors, before_id=merged.older_than, count=wanted)
            posts, ended = [*posts, *older][: ask.count], len(older) < wanted
        return Skeleton(followed=posts, followed_ended=ended, late=sorted(late, reverse=True), pulled=celebrities)

    async def _from_postgres(self, viewer_id: int, ask: FollowedQuery) -> tuple[Skeleton, Collection[int]]:
        """All followed posts from PostgreSQL, celebrities' posts included."""
        followees = await self._followed.followees(viewer_id)
        authors = [viewer_id, *followees.followed]
        posts = await self._followed.posts_of(authors, before_id=ask.before_id, count=ask.count + 1)
        skeleton = Skeleton(
            followed=posts[: ask.count],
            followed_ended=len(posts) <= ask.count,
            late=await self._late(authors, ask),
        )
        return skeleton, {*followees.followed, *followees.left}

    async def _late(self, authors: Iterable[int], ask: FollowedQuery) -> list[int]:
        span = ask.late
        if span is None:
            return []
        found = await self._followed.posts_of(authors, before_id=span.newest + 1, from_id=span.oldest, count=span.count)
        return [post_id for post_id in found if span.holds(post_id)]

    def _timeline_alone(self, ask: FollowedQuery, pushed: Pushed) -> Skeleton:
        return Skeleton(
            followed=list(pushed.part.post_ids[: ask.count]),
            followed_ended=pushed.part.bound == 0,
            late=sorted(pushed.late, reverse=True),
        )

    def _refill(self, viewer_id: int, pulled: Pulled) -> None:
        """Refill in the background what Redis lacked."""
        if not pulled.knows_followees:
            self._background.start("following", functools.partial(self._followed.refill_followees, viewer_id))
        for author_id in pulled.missing:
            self._background.start("author_posts", functools.partial(self._followed.refill_author, author_id))


def _eligible(
    popular: Sequence[PopularPost], viewer_id: int, position: Position, given: frozenset[int]
) -> Iterator[PopularPost]:
    """Popular posts that are not the viewer's own, not shown in this session, and not newer than it."""
    newest = position.start or ID_MAX
    return (
        each for each in popular if each.author_id != viewer_id and each.mark not in given and each.post_id <= newest
    )
