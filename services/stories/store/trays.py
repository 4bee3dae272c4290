"""Reads trays from Redis in one round trip, or from PostgreSQL if Redis lacks data or does not answer."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass

import structlog

from core.failures import Failure
from services.kit.guard import Guard
from services.stories.rules import TrayStory
from services.stories.store.cache import CachedTray, TrayCache
from services.stories.store.rows import Stories

_UNREADY = b'"state":"processing"'
_log = structlog.get_logger("stories")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tray:
    """Stories of the viewer and of those they follow, in no order, and what the viewer has seen."""

    stories: list[TrayStory]
    seen: Collection[int]


class Trays:
    """Reads trays, and fills in what Redis lacks."""

    def __init__(self, rows: Stories, cache: TrayCache, guard: Guard):
        self._rows, self._cache, self._guard = rows, cache, guard

    async def read(self, viewer_id: int, *, now_ms: int) -> Tray:
        """The viewer's tray; raises Unavailable when neither store can give it."""
        try:
            cached = await self._guard.call(functools.partial(self._cache.tray, viewer_id, now_ms=now_ms))
            if cached is None:
                await self._refill_followees(viewer_id)
                cached = await self._guard.call(functools.partial(self._cache.tray, viewer_id, now_ms=now_ms))
        except Failure:
            cached = None
        if cached is None:
            return await self._from_postgres(viewer_id, now_ms=now_ms)
        return await self._completed(viewer_id, cached, now_ms=now_ms)

    async def _refill_followees(self, viewer_id: int) -> None:
        await self._guard.call(functools.partial(self._cache.begin_followees, viewer_id))
        followees = await self._rows.followees(viewer_id)
        await self._guard.call(functools.partial(self._cache.refill_followees, viewer_id, followees))

    async def _from_postgres(self, viewer_id: int, *, now_ms: int) -> Tray:
        authors = [viewer_id, *await self._rows.followees(viewer_id)]
        stories = await self._rows.by_authors(authors, now_ms=now_ms)
        return Tray(stories=stories, seen=(await self._rows.seen(viewer_id, now_ms=now_ms)).keys())

    async def _completed(self, viewer_id: int, cached: CachedTray, *, now_ms: int) -> Tray:
        """Add what Redis lacks from PostgreSQL, and write it to Redis."""
        updates: list[Callable[[], Awaitable[None]]] = []
        found, known = await asyncio.gather(
            self._rows.by_authors(cached.missing, now_ms=now_ms), self._seen(viewer_id, cached, now_ms=now_ms)
        )
        stories = [*cached.stories, *found]
        if cached.missing:
            updates.append(functools.partial(self._cache.add, found, whole=cached.missing))
        if cached.seen is None:
            updates.append(functools.partial(self._cache.see, viewer_id, known, now_ms=now_ms, whole=True))
        unready = [story for story in stories if _UNREADY in story.card]
        if unready:
            fresh = await self._rows.by_ids({story.story_id for story in unready}, now_ms=now_ms)
            ready = [story for story in fresh if _UNREADY not in story.card]
            stories = _with(stories, ready)
            done = {story.story_id for story in ready}
            if done:
                old = [story for story in unready if story.story_id in done]
                updates.append(functools.partial(self._cache.replace, old, ready))
        if updates:
            await asyncio.gather(*(self._update(act) for act in updates))
        return Tray(stories=stories, seen=known if cached.seen is None else cached.seen)

    async def _seen(self, viewer_id: int, cached: CachedTray, *, now_ms: int) -> dict[int, int]:
        return {} if cached.seen is not None else await self._rows.seen(viewer_id, now_ms=now_ms)

    async def _update(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await self._guard.call(act)
        except Failure as failure:
            _log.info("cache_not_updated", error=str(failure))


def _with(stories: Iterable[TrayStory], ready: Iterable[TrayStory]) -> list[TrayStory]:
    by_id = {story.story_id: story for story in stories}
    by_id.update((story.story_id, story) for story in ready)
    return list(by_id.values())
