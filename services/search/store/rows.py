"""The content of the index as PostgreSQL has it: tables ``users`` (auth), ``posts`` and ``media`` (upload)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from core import ids
from core.messages import PostCreated, UserCreated
from services.kit.stores.postgres import Shards, schema

_PAGE: Final = 2_000
#: A post whose photos have all failed is hidden.
_SHOWN: Final = "EXISTS (SELECT 1 FROM {s}.media m WHERE m.id = ANY(p.media_ids) AND m.state <> 'failed')"


class Rows:
    """Users and posts for the index; every method raises Unavailable or DeadlineExceeded."""

    def __init__(self, shards: Shards):
        self._shards = shards

    async def users(self) -> AsyncIterator[list[UserCreated]]:
        """All users, in pages."""
        async for rows in self._all("SELECT id, username, display_name FROM {s}.users WHERE id > %s"):
            yield [
                UserCreated(event_id=0, at_ms=0, user_id=row[0], username=row[1], display_name=row[2]) for row in rows
            ]

    async def posts(self) -> AsyncIterator[list[PostCreated]]:
        """All posts that have a hashtag and are not hidden, in pages."""
        text = f"SELECT id, author_id, hashtags FROM {{s}}.posts p WHERE hashtags <> '{{}}' AND {_SHOWN} AND id > %s"
        async for rows in self._all(text):
            yield [
                PostCreated(
                    event_id=0,
                    at_ms=0,
                    post_id=row[0],
                    author_id=row[1],
                    media_ids=(),
                    caption="",
                    hashtags=tuple(row[2]),
                )
                for row in rows
            ]

    async def gone(self, post_ids: Sequence[int]) -> set[int]:
        """Those of the posts that are deleted or hidden."""
        found: set[int] = set()
        by_shard: dict[int, list[int]] = {}
        for post_id in post_ids:
            if ids.shard_of(post_id) < self._shards.count:
                by_shard.setdefault(ids.shard_of(post_id), []).append(post_id)
        for shard, mine in by_shard.items():
            async with self._shards.connection(shard) as connection:
                text = f"SELECT id FROM {{s}}.posts p WHERE id = ANY(%s) AND {_SHOWN}"
                cursor = await connection.execute(text.replace("{s}", schema(shard)), (mine,))
                found.update(row[0] for row in await cursor.fetchall())
        return set(post_ids) - found

    async def _all(self, text: str) -> AsyncIterator[list[Any]]:
        for shard in range(self._shards.count):
            after = 0
            while True:
                async with self._shards.connection(shard) as connection:
                    cursor = await connection.execute(
                        text.replace("{s}", schema(shard)) + f" ORDER BY id LIMIT {_PAGE}", (after,)
                    )
                    rows = await cursor.fetchall()
                if rows:
                    yield rows
                if len(rows) < _PAGE:
                    break
                after = rows[-1][0]
