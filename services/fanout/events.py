"""Consumes posts and follows, and updates timelines.

Every handler may get any event twice, late, or in another order across topics (a post's deletion before its creation).
Each reads the current state from PostgreSQL, brings timelines in line with it, and reads again at the end, so that a
change meanwhile is either seen here or has an event of its own. Posts of one author keep their order, because they
share a partition. Offsets are committed after the work, so a crash in the middle repeats it.

Only timelines that exist are written. A follower who has not read for a day has none and costs nothing; theirs is
filled from PostgreSQL at the next read. That is the policy for inactive followers.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Final

import structlog
from aiohttp import web

from core import operations
from core.failures import Failure
from core.messages import FollowCreated, FollowDeleted, PostCreated, PostDeleted
from core.names import Outcome
from core.policies import fanout as policy
from core.policies import patience
from core.scenario.model import Fanout as FanoutSettings
from services.fanout.rules import Turn, pulled_seconds, turn
from services.fanout.store.celebrities import Celebrities
from services.fanout.store.readers import AuthorState, Readers, entry
from services.kit.clock import now_ms
from services.kit.locks import Locks
from services.kit.metrics import Metrics
from services.kit.stores.timelines import Timelines, TimelineState, author_key, timeline_key

OPERATION: Final = operations.FANOUT_DELIVER
_RECHECKS_MAX: Final = 5
_PUBLISH_SECONDS: Final = 2.0  # how soon celebrities that Redis has lost are published again
_log = structlog.get_logger("fanout")


class FanoutHandler:
    """Updates the timelines of one Redis by posts and edges."""

    def __init__(
        self,
        readers: Readers,
        celebrities: Celebrities,
        timelines: Timelines,
        *,
        settings: FanoutSettings,
        metrics: Metrics,
    ):
        self._readers, self._celebrities, self._timelines = readers, celebrities, timelines
        self._settings, self._metrics = settings, metrics
        self.locks = Locks()  # a change between push and pull must not overlap with a post of the same author

    async def on_post(self, event: PostCreated) -> None:
        """Deliver a new post to the timelines of its readers."""
        began = perf_counter()
        async with self.locks.of(event.author_id):
            with self._stage("load"):
                found = await self._readers.author_of(event.post_id)
                if found is None:
                    return  # deleted meanwhile
                author = await self._settled(found)
            with self._stage("push"):
                await self._keep_author_posts(event.author_id, event.post_id)
                plan = policy.split(
                    followers=author.followers, active_followers=author.followers, celebrity=author.was_celebrity
                )
                delivered = await self._push(event.author_id, event.post_id, to_followers=plan.push_count > 0)
        if not await self._readers.exists(event.post_id):
            await self._remove(event.author_id, event.post_id)
        series = self._metrics.requests.series(self._metrics.component, OPERATION, Outcome.OK)
        series.observe(perf_counter() - began)
        _log.info("delivered", post=event.post_id, timelines=delivered, pull=plan.pull_count)

    async def on_post_deleted(self, event: PostDeleted) -> None:
        """Remove a deleted post from timelines; its card is gone already, so that no reader sees it."""
        async with self.locks.of(event.author_id):
            await self._remove(event.author_id, event.post_id)

    async def on_follows(self, events: Sequence[FollowCreated | FollowDeleted]) -> None:
        """Bring the followers' timelines in line with the edges: add a new followee's posts, remove an old one's."""
        pairs = list(dict.fromkeys((event.follower_id, event.followee_id) for event in events))
        await self._both_written(pairs)
        authors = await self._readers.authors(followee for _, followee in pairs)
        celebrities: set[int] = set()
        for author in authors:
            if self._turn(author) is not Turn.STAYS:
                async with self.locks.of(author.author_id):
                    author = await self._settled(await self._readers.author(author.author_id))
            if author.was_celebrity:
                celebrities.add(author.author_id)
        await self._celebrities.publish(celebrities)  # the process that marked them may have stopped before
        reading = await self._readers.with_timelines(follower for follower, _ in pairs)
        for follower, followee in pairs:
            if follower in reading:
                await self._reconcile(follower, followee, celebrity=followee in celebrities)

    async def _both_written(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Wait a moment for edges whose reverse direction is still being written: it is what counts and pushes use.

        An edge that stays half written, because its writer died, is repaired by graph and seen at the next post.
        """
        for attempt in range(_RECHECKS_MAX):
            if not await self._readers.half_written(pairs):
                return
            await asyncio.sleep(patience.pause_seconds(attempt, random.random()))

    async def publish_celebrities(self) -> None:
        """Keep the published celebrities equal to the marked ones, until cancelled."""
        while True:
            try:
                kept_ms = round(1000 * pulled_seconds(self._settings.ttl_seconds))
                now = now_ms()
                changed = await self._celebrities.keep(now_ms=now, fallen_before_ms=now - kept_ms)
                if changed:
                    _log.info("celebrities_published", authors=changed)
            except Failure as failure:
                _log.warning("celebrities_not_published", error=str(failure))
            # jittered, so that several processes do not ask at the same moment
            await asyncio.sleep(random.uniform(0.8, 1.2) * _PUBLISH_SECONDS)

    async def _push(self, author_id: int, post_id: int, *, to_followers: bool) -> int:
        delivered = await self._timelines.push([timeline_key(author_id)], entry(post_id))  # the author's own feed
        if to_followers:
            async for followers in self._readers.followers(author_id):
                delivered += await self._timelines.push(map(timeline_key, followers), entry(post_id))
        return delivered

    async def _keep_author_posts(self, author_id: int, post_id: int) -> None:
        key = author_key(author_id)
        if await self._timelines.push([key], entry(post_id)):
            return
        if (await self._readers.timeline(key, count=1)).state is not TimelineState.WHOLE:
            await self._fill_author_posts(author_id)

    async def _fill_author_posts(self, author_id: int) -> None:
        key = author_key(author_id)
        began = await self._timelines.begin_fill(key)
        posts, floor_ms = await self._readers.recent_posts(author_id, count=self._settings.depth)
        await self._timelines.fill(key, posts, began=began, floor_ms=floor_ms)

    async def _remove(self, author_id: int, post_id: int) -> None:
        await self._timelines.remove([author_key(author_id), timeline_key(author_id)], post_id)
        author = await self._readers.author(author_id)
        if author.was_celebrity:
            return  # pulled, not pushed; for a post that was pushed before, readers find no card
        async for followers in self._readers.followers(author_id):
            await self._timelines.remove(map(timeline_key, followers), post_id)

    def _turn(self, author: AuthorState) -> Turn:
        return turn(
            followers=author.followers,
            was_celebrity=author.was_celebrity,
            threshold=self._settings.threshold,
            hysteresis_ratio=self._settings.hysteresis_ratio,
        )

    async def _settled(self, author: AuthorState) -> AuthorState:
        """The author after a change between push and pull, if one is due.

        The author's list is written first, then the durable mark, then what readers see. After a crash before the mark
        everything is repeated; `publish_celebrities` repairs a crash after it. A fall needs no list: readers continue
        to pull until every timeline that lacks a post has expired.
        """
        match self._turn(author):
            case Turn.STAYS:
                if author.was_celebrity:
                    await self._celebrities.publish([author.author_id])
                return author
            case Turn.RISES:
                await self._fill_author_posts(author.author_id)
                await self._celebrities.mark(author.author_id, celebrity=True, now_ms=now_ms())
                await self._celebrities.publish([author.author_id])
            case Turn.FALLS:
                await self._celebrities.mark(author.author_id, celebrity=False, now_ms=now_ms())
        _log.info(
            "changed_sides", author=author.author_id, followers=author.followers, celebrity=not author.was_celebrity
        )
        return AuthorState(
            author_id=author.author_id, followers=author.followers, was_celebrity=not author.was_celebrity
        )

    async def _reconcile(self, follower: int, followee: int, *, celebrity: bool) -> None:
        follows = await self._readers.follows(follower, followee)
        for _ in range(_RECHECKS_MAX):
            if not follows:
                await self._take_out(follower, followee)
            elif not celebrity:
                await self._put_in(follower, followee)
            before, follows = follows, await self._readers.follows(follower, followee)
            if follows == before:
                return

    async def _put_in(self, follower: int, followee: int) -> None:
        """Add the followee's posts as far back as the timeline reaches; older ones are read from PostgreSQL."""
        key = timeline_key(follower)
        reaches = (await self._readers.timeline(key, count=1)).floor_ms
        posts, floor_ms = await self._readers.recent_posts(followee, count=self._settings.depth, since_ms=reaches)
        await self._timelines.merge(key, posts, floor_ms=floor_ms)

    async def _take_out(self, follower: int, followee: int) -> None:
        key = timeline_key(follower)
        timeline = await self._readers.timeline(key, count=self._settings.depth)
        theirs = await self._readers.posts_among(followee, [each.post_id for each in timeline.entries])
        for post_id in theirs:
            await self._timelines.remove([key], post_id)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = perf_counter()
        try:
            yield
        finally:
            self._metrics.stages.series(self._metrics.component, OPERATION, name).observe(perf_counter() - began)


FANOUT: Final = web.AppKey("FANOUT", FanoutHandler)
