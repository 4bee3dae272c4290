"""Updates post and author cards from the log, and refreshes the snapshots every second."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiohttp import web

from core.failures import Failure
from core.messages import MediaFailed, MediaProcessed, PostCreated, PostDeleted, UserCreated
from services.feed.store.authors import Authors
from services.feed.store.cards import Cards
from services.feed.store.snapshots import EVERY_SECONDS, Snapshots
from services.kit.bus import consume_batches, run_beside
from services.kit.stores.people import Person

GROUP: Final = "feed"
_log = structlog.get_logger("feed")


def use(app: web.Application, cards: Cards, authors: Authors, snapshots: Snapshots) -> None:
    """Consume events and refresh the snapshots while the application runs."""

    async def created(events: Sequence[PostCreated]) -> None:
        await cards.replace([event.post_id for event in events])

    async def deleted(events: Sequence[PostDeleted]) -> None:
        await cards.bury([event.post_id for event in events])

    async def processed(events: Sequence[MediaProcessed | MediaFailed]) -> None:
        showing = await cards.showing([event.media_id for event in events])
        if showing:
            await cards.replace(showing)

    async def joined(events: Sequence[UserCreated]) -> None:
        await authors.created(
            [
                Person(id=str(event.user_id), username=event.username, display_name=event.display_name)
                for event in events
            ]
        )

    consume_batches(
        app,
        GROUP,
        {
            PostCreated: created,
            PostDeleted: deleted,
            MediaProcessed: processed,
            MediaFailed: processed,
            UserCreated: joined,
        },
    )

    async def look() -> None:
        while True:
            try:
                await snapshots.refresh()
            except Failure as failure:
                _log.info("snapshot_late", error=str(failure))
            await asyncio.sleep(EVERY_SECONDS)

    run_beside(app, look)
