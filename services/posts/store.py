"""The rows of posts, on their author's shard with the author, the photos and the counts: one round trip reads a page.

A deleted post has no row, so that no reader can forget to check a flag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from core import ids
from core.messages import PostCreated, PostDeleted, PostHidden
from services.kit.outbox import Outbox
from services.kit.stores import hidden, removals
from services.kit.stores.postgres import Connection, Shards, schema

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.posts (
    id bigint PRIMARY KEY,
    author_id bigint NOT NULL,
    caption text NOT NULL,
    hashtags text[] NOT NULL,
    media_ids bigint[] NOT NULL
);
CREATE INDEX IF NOT EXISTS posts_by_author ON {s}.posts (author_id, id DESC);
CREATE TABLE IF NOT EXISTS {s}.post_media (
    media_id bigint NOT NULL,
    post_id bigint NOT NULL,
    PRIMARY KEY (media_id, post_id)
);
"""

#: A post as its readers see it. Of other services' tables it reads, on this shard: users (auth), media (upload),
#: media_variants (media), like_counts, comment_counts and likes (engagement; a like is on its post's shard).
_READ: Final = """
SELECT p.id, p.author_id, u.username, u.display_name, p.caption, p.hashtags, p.media_ids,
    (SELECT array_agg(ARRAY[m.id::text, m.state]) FROM {s}.media m WHERE m.id = ANY(p.media_ids)),
    (SELECT array_agg(ARRAY[v.media_id::text, v.name, v.object_key, v.content_type,
        v.width::text, v.height::text, v.size_bytes::text] ORDER BY v.media_id, v.place)
        FROM {s}.media_variants v WHERE v.media_id = ANY(p.media_ids)),
    {reactions}
FROM {s}.posts p JOIN {s}.users u ON u.id = p.author_id
"""
_REACTIONS: Final = """
    coalesce((SELECT c.count FROM {s}.like_counts c WHERE c.post_id = p.id), 0),
    coalesce((SELECT c.count FROM {s}.comment_counts c WHERE c.post_id = p.id), 0),
    EXISTS (SELECT 1 FROM {s}.likes l WHERE l.post_id = p.id AND l.user_id = %(viewer)s)
"""
_NO_REACTIONS: Final = "0, 0, false"  # of a post that nobody has seen yet


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVariant:
    """One rendering of a photo."""

    name: str
    object_key: str
    content_type: str
    width: int
    height: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPhoto:
    """One photo of a post; no variants until it is processed."""

    media_id: int
    state: str
    variants: tuple[StoredVariant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPost:
    """A post as one viewer sees it."""

    post_id: int
    author_id: int
    username: str
    display_name: str
    caption: str
    hashtags: tuple[str, ...]
    photos: tuple[StoredPhoto, ...]
    like_count: int = 0
    comment_count: int = 0
    viewer_has_liked: bool = False


class Posts:
    """All posts."""

    def __init__(self, shards: Shards, outbox: Outbox):
        self._shards, self._outbox = shards, outbox

    def writing(self, shard: int) -> Any:
        """``async with posts.writing(shard) as connection``: the transaction that a new post is written in."""
        return self._shards.transaction(shard)

    async def media_states(self, connection: Connection, author_id: int, media_ids: Sequence[int]) -> dict[int, str]:
        """States of those photos (table ``media``, which upload owns) that are the author's.

        They do not change until the transaction ends: a photo that is being posted cannot be deleted, and if it fails a
        moment later, the post is there to be hidden.
        """
        cursor = await connection.execute(
            f"SELECT id, state FROM {schema(ids.shard_of(author_id))}.media WHERE id = ANY(%s) AND owner_id = %s"
            " FOR SHARE",
            (list(media_ids), author_id),
        )
        return dict(await cursor.fetchall())

    async def insert(self, connection: Connection, event: PostCreated) -> None:
        """Write the post, its photos and its event into the open transaction."""
        shard = ids.shard_of(event.post_id)
        await connection.execute(
            f"WITH post AS (INSERT INTO {schema(shard)}.posts (id, author_id, caption, hashtags, media_ids)"
            " VALUES (%(id)s, %(author)s, %(caption)s, %(hashtags)s::text[], %(media)s::bigint[]))"
            f" INSERT INTO {schema(shard)}.post_media (media_id, post_id)"
            " SELECT unnest(%(media)s::bigint[]), %(id)s",
            {
                "id": event.post_id,
                "author": event.author_id,
                "caption": event.caption,
                "hashtags": list(event.hashtags),
                "media": list(event.media_ids),
            },
        )
        await self._outbox.add(connection, shard, event)

    async def written(self, connection: Connection, post_id: int) -> StoredPost:
        """The post that this transaction has just written."""
        found = await _read(connection, post_id, "WHERE p.id = %(post)s", reactions=_NO_REACTIONS, post=post_id)
        return found[0]

    async def post(self, post_id: int, *, viewer_id: int) -> StoredPost | None:
        """The post, or None when there is none that the viewer may see."""
        shard = ids.shard_of(post_id)
        where = f"WHERE p.id = %(post)s AND {hidden.seen_by('%(viewer)s', shard)}"
        async with self._shards.connection(shard) as connection:
            found = await _read(connection, post_id, where, viewer=viewer_id, post=post_id)
        return found[0] if found else None

    async def by_author(
        self, author_id: int, *, viewer_id: int, before_id: int | None, count: int
    ) -> list[StoredPost] | None:
        """The author's newest posts that the viewer may see, or those older than ``before_id``; None when there is no
        such user."""
        shard = ids.shard_of(author_id)
        async with self._shards.connection(shard) as connection:
            found = await _read(
                connection,
                author_id,
                f"WHERE p.author_id = %(author)s AND p.id < %(before)s AND {hidden.seen_by('%(viewer)s', shard)}"
                " ORDER BY p.id DESC LIMIT %(count)s",
                viewer=viewer_id,
                author=author_id,
                before=ids.ID_MAX if before_id is None else before_id,
                count=count,
            )
            if found:
                return found
            cursor = await connection.execute(f"SELECT 1 FROM {schema(shard)}.users WHERE id = %s", (author_id,))
            return [] if await cursor.fetchone() else None

    async def author_of(self, post_id: int, *, viewer_id: int) -> int | None:
        """Who made the post; None when there is none that the viewer may see."""
        shard = ids.shard_of(post_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT p.author_id FROM {schema(shard)}.posts p"
                f" WHERE p.id = %(post)s AND {hidden.seen_by('%(viewer)s', shard)}",
                {"post": post_id, "viewer": viewer_id},
            )
            row = await cursor.fetchone()
        return None if row is None else int(row[0])

    async def without_photos(self, media_id: int) -> list[int]:
        """Posts of this photo whose photos have all failed."""
        s = schema(ids.shard_of(media_id))
        async with self._shards.connection(ids.shard_of(media_id)) as connection:
            cursor = await connection.execute(
                f"SELECT p.id FROM {s}.post_media s JOIN {s}.posts p ON p.id = s.post_id WHERE s.media_id = %s"
                f" AND NOT EXISTS (SELECT 1 FROM {s}.media m WHERE m.id = ANY(p.media_ids) AND m.state <> 'failed')",
                (media_id,),
            )
            return [row[0] for row in await cursor.fetchall()]

    async def hide(self, shard: int, events: Sequence[PostHidden]) -> None:
        """Publish that these posts are hidden; their rows in PostgreSQL say so already."""
        if events:
            async with self._shards.transaction(shard) as connection:
                await self._outbox.add(connection, shard, *events)

    async def delete(self, event: PostDeleted) -> bool:
        """Delete the post with its event and, unless something else shows them, its photos; False when it was gone."""
        shard = ids.shard_of(event.post_id)
        async with self._shards.transaction(shard) as connection:
            cursor = await connection.execute(
                f"DELETE FROM {schema(shard)}.posts WHERE id = %s AND author_id = %s RETURNING media_ids",
                (event.post_id, event.author_id),
            )
            row = await cursor.fetchone()
            if row is None:
                return False
            await connection.execute(
                f"DELETE FROM {schema(shard)}.post_media WHERE media_id = ANY(%s) AND post_id = %s",
                (row[0], event.post_id),
            )
            await removals.ask(connection, shard, row[0], now_ms=event.at_ms)
            await self._outbox.add(connection, shard, event)
        return True


async def _read(
    connection: Connection, any_id: int, where: str, *, reactions: str = _REACTIONS, **values: Any
) -> list[StoredPost]:
    text = (_READ.replace("{reactions}", reactions) + where).replace("{s}", schema(ids.shard_of(any_id)))
    cursor = await connection.execute(text, values)
    return [_post(row) for row in await cursor.fetchall()]


def _post(row: Sequence[Any]) -> StoredPost:
    states = {int(media_id): state for media_id, state in row[7] or ()}
    variants: dict[int, list[StoredVariant]] = {}
    for media_id, name, object_key, content_type, width, height, size_bytes in row[8] or ():
        variants.setdefault(int(media_id), []).append(
            StoredVariant(
                name=name,
                object_key=object_key,
                content_type=content_type,
                width=int(width),
                height=int(height),
                size_bytes=int(size_bytes),
            )
        )
    return StoredPost(
        post_id=row[0],
        author_id=row[1],
        username=row[2],
        display_name=row[3],
        caption=row[4],
        hashtags=tuple(row[5]),
        photos=tuple(
            StoredPhoto(media_id=each, state=states[each], variants=tuple(variants.get(each, ())))
            for each in row[6]
            if each in states
        ),
        like_count=row[9],
        comment_count=row[10],
        viewer_has_liked=row[11],
    )
