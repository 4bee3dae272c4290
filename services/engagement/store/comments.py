"""Comments in PostgreSQL, on the post's shard, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from core import ids
from core.failures import NotFound
from core.messages import CommentCreated
from services.kit import idempotency
from services.kit.outbox import Outbox
from services.kit.stores import hidden
from services.kit.stores.people import Person, people
from services.kit.stores.postgres import Shards, schema
from services.kit.stores.reactions import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment."""

    id: int
    post_id: int
    user_id: int
    text: str


class Comments:
    """All comments."""

    def __init__(self, shards: Shards, outbox: Outbox):
        self._shards, self._outbox = shards, outbox

    async def add(
        self, request: web.Request, event: CommentCreated, response: web.Response
    ) -> tuple[web.Response, Tally | None]:
        """Write the comment; returns ``response`` and the new count, or the first answer when the key was used before.

        The request's key is claimed on its caller's shard, and kept with the answer on the post's shard, in the same
        transaction. Raises NotFound for a post that the commenter does not see, KeyReused for a key of another comment.
        """
        async with idempotency.claimed(request, self._shards):
            return await self._add(request, event, response)

    async def _add(
        self, request: web.Request, event: CommentCreated, response: web.Response
    ) -> tuple[web.Response, Tally | None]:
        shard = ids.shard_of(event.post_id)
        s = schema(shard)
        async with self._shards.transaction(shard) as connection:
            replayed = await idempotency.begin(request, connection, shard)
            if replayed is not None:
                return replayed, None
            if not await hidden.is_there(connection, event.post_id, viewer_id=event.user_id):
                raise NotFound(f"No post {event.post_id}")
            cursor = await connection.execute(
                f"WITH added AS (INSERT INTO {s}.comments (post_id, id, user_id, text) VALUES (%s, %s, %s, %s)"
                f" RETURNING post_id) INSERT INTO {s}.comment_counts AS c (post_id, count, version)"
                " SELECT post_id, 1, 1 FROM added ON CONFLICT (post_id)"
                " DO UPDATE SET count = c.count + 1, version = c.version + 1 RETURNING count, version",
                (event.post_id, event.comment_id, event.user_id, event.text),
            )
            row = await cursor.fetchone()
            assert row is not None
            await self._outbox.add(connection, shard, event)
            kept = await idempotency.finish(request, connection, shard, response)
        return kept, Tally(post_id=event.post_id, count=row[0], version=row[1])

    async def newest(self, post_id: int, *, viewer_id: int, limit: int, before_id: int | None) -> list[Comment]:
        """Comments older than ``before_id``, newest first; raises NotFound for a post that the viewer does not see."""
        shard = ids.shard_of(post_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT id, user_id, text FROM {schema(shard)}.comments WHERE post_id = %s AND id < %s"
                " ORDER BY id DESC LIMIT %s",
                (post_id, ids.ID_MAX if before_id is None else before_id, limit),
            )
            rows = await cursor.fetchall()
            if not await hidden.is_there(connection, post_id, viewer_id=viewer_id):
                raise NotFound(f"No post {post_id}")
        return [Comment(id=row[0], post_id=post_id, user_id=row[1], text=row[2]) for row in rows]

    async def people(self, user_ids: Iterable[int]) -> dict[int, Person]:
        """Names of users (read from ``users``, which auth owns)."""
        return await people(self._shards, user_ids)
