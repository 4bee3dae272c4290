"""Stories in PostgreSQL, on their author's shard, and what was seen, on the viewer's shard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from core import ids
from core.failures import Invalid
from core.messages import StoryCreated, StoryDeleted
from core.names import PhotoState
from services.kit import idempotency
from services.kit.clock import rfc3339
from services.kit.fields import Id, Time
from services.kit.outbox import Outbox
from services.kit.photos import Photo, Variant, address
from services.kit.stores import removals
from services.kit.stores.people import Person
from services.kit.stores.postgres import Connection, Shards, schema
from services.stories.rules import TrayStory

#: Replaces the media URL in cached cards, since it changes with each start of a stack.
MEDIA_HOST: Final = "@"
_FOLLOWEES_MAX: Final = 10_000
_SWEEP_MAX: Final = 100  # expired marks that are deleted with each new mark

#: Reads other services' tables: users (auth), media (upload), media_variants (media); all are on the author's shard.
_READ: Final = """
SELECT t.id, t.author_id, t.expires_ms, u.username, u.display_name, t.media_id, m.state,
    (SELECT array_agg(ARRAY[v.name, v.object_key, v.content_type, v.width::text, v.height::text, v.size_bytes::text]
        ORDER BY v.place) FROM {s}.media_variants v WHERE v.media_id = t.media_id)
FROM {s}.stories t JOIN {s}.users u ON u.id = t.author_id JOIN {s}.media m ON m.id = t.media_id
"""


class StoryBody(msgspec.Struct, frozen=True, kw_only=True):
    """A story as its readers see it."""

    id: Id
    media: Photo
    created_at: Time
    expires_at: Time


class Stories:
    """All stories, and what viewers have seen of them."""

    def __init__(self, shards: Shards, outbox: Outbox):
        self._shards, self._outbox = shards, outbox

    def transaction(self, shard: int) -> Any:
        """``async with rows.transaction(shard) as connection``."""
        return self._shards.transaction(shard)

    async def create(
        self, request: web.Request, connection: Connection, event: StoryCreated
    ) -> tuple[web.Response | None, TrayStory | None]:
        """Write the story and its event: the story, or the first answer when the request's key was used before.

        Raises Invalid for a photo that is not the author's own, or cannot be shown.
        """
        shard = ids.shard_of(event.author_id)
        s = schema(shard)
        replayed = await idempotency.begin(request, connection, shard)
        if replayed is not None:
            return replayed, None
        await removals.keep(connection, shard, event.media_id, until_ms=event.expires_ms)
        cursor = await connection.execute(
            f"SELECT state FROM {s}.media WHERE id = %s AND owner_id = %s FOR SHARE", (event.media_id, event.author_id)
        )
        row = await cursor.fetchone()
        if row is None:
            raise Invalid.field("media_id", "no photo of yours has this id")
        if row[0] not in ("processing", "succeeded"):
            wrong = "has not been uploaded and completed yet" if row[0] == "registered" else "could not be processed"
            raise Invalid.field("media_id", f"this photo {wrong}")
        await connection.execute(
            f"INSERT INTO {s}.stories (id, author_id, media_id, expires_ms) VALUES (%s, %s, %s, %s)",
            (event.story_id, event.author_id, event.media_id, event.expires_ms),
        )
        await self._outbox.add(connection, shard, event)
        cursor = await connection.execute(_READ.replace("{s}", s) + "WHERE t.id = %s", (event.story_id,))
        written = await cursor.fetchone()
        assert written is not None
        return None, _tray_story(written)

    async def by_authors(self, author_ids: Iterable[int], *, now_ms: int) -> list[TrayStory]:
        """Stories of these authors that have not ended: one query per instance."""
        return await self._read(author_ids, "WHERE t.author_id = ANY(%s) AND t.expires_ms > %s", now_ms)

    async def by_ids(self, story_ids: Iterable[int], *, now_ms: int) -> list[TrayStory]:
        """Those of the stories that have not ended."""
        return await self._read(story_ids, "WHERE t.id = ANY(%s) AND t.expires_ms > %s", now_ms)

    async def _read(self, identifiers: Iterable[int], where: str, now_ms: int) -> list[TrayStory]:
        by_shard: dict[int, list[int]] = {}
        for identifier in identifiers:
            by_shard.setdefault(ids.shard_of(identifier), []).append(identifier)

        async def on(index: int, mine: list[int]) -> list[TrayStory]:
            text = " UNION ALL ".join(_READ.replace("{s}", schema(shard)) + where for shard in mine)
            values: list[Any] = []
            for shard in mine:
                values += (by_shard[shard], now_ms)
            async with self._shards.on_instance(index) as connection:
                cursor = await connection.execute(text, values)
                return [_tray_story(row) for row in await cursor.fetchall()]

        parts = await asyncio.gather(*(on(index, mine) for index, mine in self._shards.by_instance(by_shard).items()))
        return [story for part in parts for story in part]

    async def delete(self, event: StoryDeleted) -> bool:
        """Delete the story with its event and, unless something else shows it, its photo; False when it was gone."""
        shard = ids.shard_of(event.story_id)
        table = f"{schema(shard)}.stories"
        async with self._shards.transaction(shard) as connection:
            cursor = await connection.execute(
                f"DELETE FROM {table} WHERE id = %s AND author_id = %s RETURNING media_id",
                (event.story_id, event.author_id),
            )
            row = await cursor.fetchone()
            if row is None:
                return False
            await removals.ask(connection, shard, row, now_ms=event.at_ms)
            # a statement of its own: it sees stories of this photo that were committed while `ask` waited
            cursor = await connection.execute(
                f"SELECT coalesce(max(expires_ms), 0) FROM {table}"
                " WHERE author_id = %s AND expires_ms > %s AND media_id = %s",
                (event.author_id, event.at_ms, row[0]),
            )
            kept = await cursor.fetchone()
            assert kept is not None
            await removals.keep_no_longer(connection, shard, row[0], until_ms=kept[0])
            await self._outbox.add(connection, shard, event)
        return True

    async def author_and_end(self, story_id: int, *, viewer_id: int) -> tuple[int, int] | None:
        """Author and end of a story; None when there is none that this viewer may see (`rules.is_shown`)."""
        shard = ids.shard_of(story_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT t.author_id, t.expires_ms FROM {schema(shard)}.stories t"
                f" JOIN {schema(shard)}.media m ON m.id = t.media_id"
                " WHERE t.id = %s AND (t.author_id = %s OR m.state <> 'failed')",
                (story_id, viewer_id),
            )
            row = await cursor.fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    async def see(self, viewer_id: int, story_id: int, *, story_expires_ms: int, now_ms: int) -> None:
        """Note that the viewer has seen the story, and delete their marks of stories that have ended."""
        shard = ids.shard_of(viewer_id)
        table = f"{schema(shard)}.stories_seen"
        async with self._shards.connection(shard) as connection:
            await connection.execute(
                f"WITH swept AS (DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table}"
                " WHERE viewer_id = %(viewer)s AND expires_ms <= %(now)s LIMIT %(most)s FOR UPDATE SKIP LOCKED)))"
                f" INSERT INTO {table} (viewer_id, story_id, expires_ms) VALUES (%(viewer)s, %(story)s, %(expires)s)"
                " ON CONFLICT DO NOTHING",
                {
                    "viewer": viewer_id,
                    "story": story_id,
                    "expires": story_expires_ms,
                    "now": now_ms,
                    "most": _SWEEP_MAX,
                },
            )

    async def seen(self, viewer_id: int, *, now_ms: int) -> dict[int, int]:
        """Current stories that the viewer has seen, and when each ends."""
        shard = ids.shard_of(viewer_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT story_id, expires_ms FROM {schema(shard)}.stories_seen"
                " WHERE viewer_id = %s AND expires_ms > %s",
                (viewer_id, now_ms),
            )
            return dict(await cursor.fetchall())

    async def followees(self, viewer_id: int) -> list[int]:
        """Whom the viewer follows (table ``follows``, which graph owns)."""
        shard = ids.shard_of(viewer_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT followee_id FROM {schema(shard)}.follows WHERE follower_id = %s AND active LIMIT %s",
                (viewer_id, _FOLLOWEES_MAX),
            )
            return [row[0] for row in await cursor.fetchall()]


def _tray_story(row: Sequence[Any]) -> TrayStory:
    story_id, author_id, expires_ms = row[:3]
    author = Person(id=str(author_id), username=row[3], display_name=row[4])
    body = StoryBody(
        id=str(story_id),
        media=Photo(
            id=str(row[5]),
            state=PhotoState(row[6]),
            variants=[
                Variant(
                    name=name,
                    url=address(MEDIA_HOST, object_key),
                    content_type=content_type,
                    width=int(width),
                    height=int(height),
                    size_bytes=int(size_bytes),
                )
                for name, object_key, content_type, width, height, size_bytes in row[7] or ()
            ],
        ),
        created_at=rfc3339(ids.created_ms_of(story_id)),
        expires_at=rfc3339(expires_ms),
    )
    # JSON has no bare line ends, so one separates the author from the story's members
    card = msgspec.json.encode(author) + b"\n" + msgspec.json.encode(body)[1:-1]
    return TrayStory(story_id=story_id, author_id=author_id, expires_ms=expires_ms, card=card)
