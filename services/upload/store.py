"""The rows of uploads. A photo's row is on its owner's shard; the media worker moves ``state`` on from ``processing``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from core import ids
from core.messages import Variant
from services.kit.stores.postgres import Connection, Shards, schema
from services.upload.rules import PhotoState

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.media (
    id bigint PRIMARY KEY,
    owner_id bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('registered', 'processing', 'succeeded', 'failed')),
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    checksum_sha256 text,
    object_key text NOT NULL,
    failure text
);
CREATE INDEX IF NOT EXISTS media_registered ON {s}.media (id) WHERE state = 'registered'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """One upload; ``object_key`` is in the bucket of uploads."""

    media_id: int
    owner_id: int
    state: PhotoState
    content_type: str
    size_bytes: int
    checksum_sha256: str | None
    object_key: str
    failure: str | None = None


_COLUMNS: Final = "id, owner_id, state, content_type, size_bytes, checksum_sha256, object_key, failure"


async def insert(connection: Connection, photo: Photo) -> None:
    """Write a new upload into the open transaction."""
    await connection.execute(
        f"INSERT INTO {schema(ids.shard_of(photo.media_id))}.media"
        " (id, owner_id, state, content_type, size_bytes, checksum_sha256, object_key)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            photo.media_id,
            photo.owner_id,
            photo.state,
            photo.content_type,
            photo.size_bytes,
            photo.checksum_sha256,
            photo.object_key,
        ),
    )


async def photo(connection: Connection, media_id: int) -> Photo | None:
    """The upload, or None."""
    cursor = await connection.execute(
        f"SELECT {_COLUMNS} FROM {schema(ids.shard_of(media_id))}.media WHERE id = %s", (media_id,)
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    return Photo(
        media_id=row[0],
        owner_id=row[1],
        state=PhotoState(row[2]),
        content_type=row[3],
        size_bytes=row[4],
        checksum_sha256=row[5],
        object_key=row[6],
        failure=row[7],
    )


async def variants(connection: Connection, media_id: int) -> list[Variant]:
    """What the media worker, which owns this table, has made of a photo, the largest first."""
    cursor = await connection.execute(
        "SELECT name, object_key, content_type, width, height, size_bytes"
        f" FROM {schema(ids.shard_of(media_id))}.media_variants WHERE media_id = %s ORDER BY place",
        (media_id,),
    )
    return [
        Variant(name=row[0], object_key=row[1], content_type=row[2], width=row[3], height=row[4], size_bytes=row[5])
        for row in await cursor.fetchall()
    ]


async def is_posted(connection: Connection, media_id: int) -> bool:
    """Whether a post shows the photo (the table is the posts service's)."""
    cursor = await connection.execute(
        f"SELECT 1 FROM {schema(ids.shard_of(media_id))}.post_media WHERE media_id = %s LIMIT 1", (media_id,)
    )
    return await cursor.fetchone() is not None


async def mark_processing(connection: Connection, media_id: int) -> bool:
    """Move the upload on in the open transaction; False when it was moved before, or swept."""
    cursor = await connection.execute(
        f"UPDATE {schema(ids.shard_of(media_id))}.media SET state = 'processing' WHERE id = %s AND state = 'registered'",
        (media_id,),
    )
    return cursor.rowcount == 1


async def sweep(
    shards: Shards, *, before_ms: int, count_max: int, delete_objects: Callable[[Sequence[str]], Awaitable[None]]
) -> int:
    """Delete uploads registered before ``before_ms`` and never completed, rows and objects; returns how many.

    The rows go only when the objects are gone: while the object store is down, nothing is forgotten. A `complete` that
    comes at the same moment waits for the row and then finds none.
    """
    swept = 0
    for shard in range(shards.count):
        oldest = ids.compose(created_ms=max(before_ms, ids.EPOCH_MS), shard=0, sequence=0)
        async with shards.transaction(shard) as connection:
            cursor = await connection.execute(
                f"DELETE FROM {schema(shard)}.media WHERE id = ANY(ARRAY(SELECT id FROM {schema(shard)}.media"
                " WHERE state = 'registered' AND id < %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))"
                " RETURNING object_key",
                (oldest, count_max),
            )
            keys = [row[0] for row in await cursor.fetchall()]
            if keys:
                await delete_objects(keys)
                swept += len(keys)
    return swept
