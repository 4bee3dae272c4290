"""The posts that a viewer likes, from PostgreSQL (table ``likes``, owned by engagement, on the posts' shards)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis

from core import ids
from services.kit.stores.postgres import Shards, schema
from services.kit.stores.reactions import LIKED_MAX, Reactions


class Liked:
    """The liked posts of each viewer."""

    def __init__(self, redis: Redis, shards: Shards):
        self._shards, self._reactions = shards, Reactions(redis)

    async def among(self, viewer_id: int, post_ids: Iterable[int]) -> set[int]:
        """The posts among these that the viewer likes: one query per instance."""
        by_shard: dict[int, list[int]] = {}
        for post_id in post_ids:
            by_shard.setdefault(ids.shard_of(post_id), []).append(post_id)

        async def on(index: int, mine: list[int]) -> list[int]:
            text = " UNION ALL ".join(
                f"SELECT post_id FROM {schema(shard)}.likes WHERE user_id = %s AND post_id = ANY(%s)" for shard in mine
            )
            values: list[Any] = []
            for shard in mine:
                values += (viewer_id, by_shard[shard])
            async with self._shards.on_instance(index) as connection:
                cursor = await connection.execute(text, values)
                return [row[0] for row in await cursor.fetchall()]

        parts = await asyncio.gather(*(on(index, mine) for index, mine in self._shards.by_instance(by_shard).items()))
        return {post_id for part in parts for post_id in part}

    async def refill(self, viewer_id: int) -> None:
        """Refill ``liked:{user}`` in Redis, unless the viewer likes more posts than are kept there."""
        token = await self._reactions.begin_fill(viewer_id)
        if token is None:
            return

        async def on(index: int, mine: list[int]) -> list[int]:
            text = " UNION ALL ".join(
                f"(SELECT post_id FROM {schema(shard)}.likes WHERE user_id = %s LIMIT {LIKED_MAX + 1})"
                for shard in mine
            )
            async with self._shards.on_instance(index) as connection:
                cursor = await connection.execute(text, [viewer_id] * len(mine))
                return [row[0] for row in await cursor.fetchall()]

        parts = await asyncio.gather(*(on(index, mine) for index, mine in self._shards.by_instance().items()))
        liked = [post_id for part in parts for post_id in part]
        if len(liked) <= LIKED_MAX:
            await self._reactions.fill(viewer_id, token, liked)
