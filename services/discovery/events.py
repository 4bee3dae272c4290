"""Scores posts by the events on the log, and writes the popular ones a few times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiohttp import web

from core.failures import Failure
from core.messages import CommentCreated, LikeCreated, PostCreated, PostDeleted, PostHidden
from services.discovery.rules import COMMENT_WEIGHT, LIKE_WEIGHT, NEW_POST_WEIGHT, act
from services.discovery.store import PopularScores
from services.kit.bus import consume_batches, run_beside

GROUP: Final = "discovery"
_EVERY_SECONDS: Final = 0.3
_log = structlog.get_logger("discovery")


def use(app: web.Application, popular: PopularScores) -> None:
    """Count and write while the application runs."""

    async def posted(events: Sequence[PostCreated]) -> None:
        for event in events:
            popular.add(event.post_id, act(at_ms=event.at_ms, weight=NEW_POST_WEIGHT), event_id=event.event_id)

    async def liked(events: Sequence[LikeCreated]) -> None:
        for event in events:
            popular.add(event.post_id, act(at_ms=event.at_ms, weight=LIKE_WEIGHT), event_id=event.event_id)

    async def commented(events: Sequence[CommentCreated]) -> None:
        for event in events:
            popular.add(event.post_id, act(at_ms=event.at_ms, weight=COMMENT_WEIGHT), event_id=event.event_id)

    async def gone(events: Sequence[PostDeleted | PostHidden]) -> None:
        popular.remove(event.post_id for event in events)

    consume_batches(
        app,
        GROUP,
        {PostCreated: posted, LikeCreated: liked, CommentCreated: commented, PostDeleted: gone, PostHidden: gone},
    )

    async def write() -> None:
        while True:
            try:
                await popular.write()
            except Failure as failure:
                _log.info("popular_late", error=str(failure))
            await asyncio.sleep(_EVERY_SECONDS)

    run_beside(app, write)
