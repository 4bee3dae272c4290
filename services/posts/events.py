"""Hides a post when the last of its photos has failed."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from core import ids
from core.messages import MediaFailed, PostHidden
from services.kit import outbox
from services.kit.bus import consume
from services.posts.store import Posts

GROUP: Final = "posts"


def use(app: web.Application, posts: Posts) -> None:
    """Consume events while the application runs."""

    async def failed(event: MediaFailed) -> None:
        shard = ids.shard_of(event.media_id)
        hidden = await posts.without_photos(event.media_id)
        await posts.hide(
            shard,
            [PostHidden(**outbox.stamp(app, shard), post_id=post_id, author_id=event.owner_id) for post_id in hidden],
        )

    consume(app, GROUP, {MediaFailed: failed})
