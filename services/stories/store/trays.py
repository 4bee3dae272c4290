"""What a tray is made of: from Redis in one round trip, from PostgreSQL where Redis does not know or answer."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass

import structlog

from core.failures import Failure
from services.kit.guard import Guard
from services.stories.rules import Telling
from services.stories.store.rows import Rows
from services.stories.store.shelf import Shelf, Shelved

_UNREADY = b'"state":"processing"'
_log = structlog.get_logger("stories")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tray:
    """Stories of those followed and one's own, in no order, and what the viewer has seen."""

    stories: list[Telling]
    seen: Collection[int]


class Trays:
    """Reads trays and mends what Redis lacks."""

    def __init__(self, rows: Rows, shelf: Shelf, guard: Guard):
        self._rows, self._shelf, self._guard = rows, shelf, guard

    async def read(self, viewer_id: int, *, now_ms: int) -> Tray:
        """The viewer's tray; raises Unavailable when neither store can give it."""
        try:
            shelved = await self._guard.call(functools.partial(self._shelf.tray, viewer_id, now_ms=now_ms))
            if shelved is None:
                await self._refill_followees(viewer_id)
                shelved = await self._guard.call(functools.partial(self._shelf.tray, viewer_id, now_ms=now_ms))
        except Failure:
            shelved = None
        if shelved is None:
            return await self._from_postgres(viewer_id, now_ms=now_ms)
        return await self._completed(viewer_id, shelved, now_ms=now_ms)

    async def _refill_followees(self, viewer_id: int) -> None:
        await self._guard.call(functools.partial(self._shelf.begin_followees, viewer_id))
        followees = await self._rows.followees(viewer_id)
        await self._guard.call(functools.partial(self._shelf.refill_followees, viewer_id, followees))

    async def _from_postgres(self, viewer_id: int, *, now_ms: int) -> Tray:
        authors = [viewer_id, *await self._rows.followees(viewer_id)]
        stories = await self._rows.by_authors(authors, now_ms=now_ms)
        return Tray(stories=stories, seen=(await self._rows.seen(viewer_id, now_ms=now_ms)).keys())

    async def _completed(self, viewer_id: int, shelved: Shelved, *, now_ms: int) -> Tray:
        """Add from PostgreSQL what Redis does not know, and tell it."""
        told: list[Callable[[], Awaitable[None]]] = []
        found, known = await asyncio.gather(
            self._rows.by_authors(shelved.missing, now_ms=now_ms), self._seen(viewer_id, shelved, now_ms=now_ms)
        )
        stories = [*shelved.stories, *found]
        if shelved.missing:
            told.append(functools.partial(self._shelf.add, found, whole=shelved.missing))
        if shelved.seen is None:
            told.append(functools.partial(self._shelf.see, viewer_id, known, now_ms=now_ms, whole=True))
        unready = [story for story in stories if _UNREADY in story.card]
        if unready:
            fresh = await self._rows.by_ids({story.story_id for story in unready}, now_ms=now_ms)
            ready = [story for story in fresh if _UNREADY not in story.card]
            stories = _with(stories, ready)
            done = {story.story_id for story in ready}
            if done:
                old = [story for story in unready if story.story_id in done]
                told.append(functools.partial(self._shelf.replace, old, ready))
        if told:
            await asyncio.gather(*(self._tell(act) for act in told))
        return Tray(stories=stories, seen=known if shelved.seen is None else shelved.seen)

    async def _seen(self, viewer_id: int, shelved: Shelved, *, now_ms: int) -> dict[int, int]:
        return {} if shelved.seen is not None else await self._rows.seen(viewer_id, now_ms=now_ms)

    async def _tell(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await self._guard.call(act)
        except Failure as failure:
            _log.info("shelf_not_told", error=str(failure))


def _with(stories: Iterable[Telling], ready: Iterable[Telling]) -> list[Telling]:
    by_id = {story.story_id: story for story in stories}
    by_id.update((story.story_id, story) for story in ready)
    return list(by_id.values())
