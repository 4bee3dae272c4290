"""Makes sure that Redis hears of every story, and of what was seen while it could not be told."""

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
from services.stories.store.owed import Owed
from services.stories.store.rows import Rows
from services.stories.store.shelf import Shelf

GROUP: Final = "stories"
_EVERY_SECONDS: Final = 0.5
_log = structlog.get_logger("stories")


def use(app: web.Application, rows: Rows, shelf: Shelf, owed: Owed) -> None:
    """Listen and settle for as long as the application lives."""

    async def created(events: Sequence[StoryCreated]) -> None:
        now = now_ms()
        stories = await rows.by_ids([event.story_id for event in events], now_ms=now)
        await shelf.add(stories)
        await shelf.clear([event.author_id for event in events], now_ms=now)

    async def deleted(events: Sequence[StoryDeleted]) -> None:
        await shelf.take_off(events)

    consume_batches(app, GROUP, {StoryCreated: created, StoryDeleted: deleted})

    async def settle() -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await owed.settle()
            except Failure as failure:
                _log.info("seen_still_owed", owed=len(owed), error=str(failure))

    run_beside(app, settle)
