"""Keeps the cached trays up to date: adds stories, removes deleted ones, and clears viewers whose data is stale."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiohttp import web

from core.failures import Failure
from core.messages import StoryCreated, StoryDeleted
from services.kit.bus import consume_batches, run_beside
from services.kit.clock import now_ms
from services.stories.store.cache import TrayCache
from services.stories.store.rows import Stories
from services.stories.store.stale import StaleViewers

GROUP: Final = "stories"
_EVERY_SECONDS: Final = 0.5
_log = structlog.get_logger("stories")


def use(app: web.Application, rows: Stories, cache: TrayCache, stale: StaleViewers) -> None:
    """Consume events and clear stale viewers while the application runs."""

    async def created(events: Sequence[StoryCreated]) -> None:
        now = now_ms()
        stories = await rows.by_ids([event.story_id for event in events], now_ms=now)
        await cache.add(stories)
        await cache.clear([event.author_id for event in events], now_ms=now)

    async def deleted(events: Sequence[StoryDeleted]) -> None:
        await cache.take_off(events)

    consume_batches(app, GROUP, {StoryCreated: created, StoryDeleted: deleted})

    async def settle() -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await stale.settle()
            except Failure as failure:
                _log.info("seen_still_stale", viewers=len(stale), error=str(failure))

    run_beside(app, settle)
