"""The rows of uploads, on their owner's shard; the media worker changes ``state`` from ``processing``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from core import ids
from core.messages import MediaUploaded, MediaVariant
from core.names import PhotoState
from services.kit import idempotency
from services.kit.outbox import Outbox
from services.kit.stores import removals
from services.kit.stores.postgres import Connection, Shards, schema

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
CREATE INDEX IF NOT EXISTS media_registered ON {s}.media (id) WHERE state = 'registered';
CREATE INDEX IF NOT EXISTS media_processing ON {s}.media (id) WHERE state = 'processing';
"""
_COLUMNS: Final = "id, owner_id, state, content_type, size_bytes, checksum_sha256, object_key, failure"


def waiting(shard: int) -> str:
    """SQL that selects photos on which no worker has begun, and their owners.

    Those that were postponed, or are slow, have a job and delay no others.
    """
    s = schema(shard)
    return (
        f"SELECT m.id, m.owner_id FROM {s}.media m WHERE m.state = 'processing' AND NOT EXISTS"
        f" (SELECT FROM {s}.media_jobs j WHERE j.media_id = m.id) ORDER BY m.id"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One upload; ``object_key`` is in the bucket of uploads."""

    media_id: int
    owner_id: int
    state: PhotoState
    content_type: str
    size_bytes: int
    checksum_sha256: str | None
    object_key: str
    failure: str | None = None


class _ShownError(Exception):
    """Rolls the transaction back: a post or a story shows the photo."""


class Photos:
    """All uploads."""

    def __init__(self, shards: Shards, outbox: Outbox):
        self._shards, self._outbox = shards, outbox

    async def register(
        self, request: web.Request, photo: Upload, response: web.Response, *, id_in: Callable[[web.Response], int]
    ) -> tuple[web.Response, Upload | None]:
        """Write a new upload; returns ``response``, or the first answer and its upload when the key was used before.

        ``id_in`` finds the upload's id in an answer. An upload that was swept is replaced by a new one.
        """
        shard = ids.shard_of(photo.media_id)
        async with self._shards.transaction(shard) as connection:
            replayed = await idempotency.begin(request, connection, shard)
            if replayed is not None:
                first = await _photo(connection, shard, id_in(replayed))
                if first is not None:
                    return replayed, first
            await connection.execute(
                f"INSERT INTO {schema(shard)}.media"
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
            return await idempotency.finish(request, connection, shard, response), None

    async def photo(self, media_id: int) -> Upload | None:
        """The upload, or None."""
        shard = ids.shard_of(media_id)
        async with self._shards.connection(shard) as connection:
            return await _photo(connection, shard, media_id)

    async def waiting(self, media_ids: Iterable[int]) -> set[int]:
        """Those of the uploads that are not processed yet, whose objects must stay."""
        by_shard: dict[int, list[int]] = {}
        for media_id in media_ids:
            by_shard.setdefault(ids.shard_of(media_id), []).append(media_id)

        async def read(connection: Connection, shard: int) -> list[int]:
            cursor = await connection.execute(
                f"SELECT id FROM {schema(shard)}.media WHERE id = ANY(%s) AND state IN ('registered', 'processing')",
                (by_shard[shard],),
            )
            return [row[0] for row in await cursor.fetchall()]

        found = await self._shards.for_each_shard(read, by_shard)
        return {media_id for part in found.values() for media_id in part}

    async def variants(self, media_id: int) -> list[MediaVariant]:
        """The variants of a photo (the media worker owns this table), the largest first."""
        shard = ids.shard_of(media_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                "SELECT name, object_key, content_type, width, height, size_bytes"
                f" FROM {schema(shard)}.media_variants WHERE media_id = %s ORDER BY place",
                (media_id,),
            )
            rows = await cursor.fetchall()
        return [
            MediaVariant(
                name=row[0], object_key=row[1], content_type=row[2], width=row[3], height=row[4], size_bytes=row[5]
            )
            for row in rows
        ]

    async def is_posted(self, media_id: int) -> bool:
        """Whether a post shows the photo (the table is the posts service's)."""
        shard = ids.shard_of(media_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT 1 FROM {schema(shard)}.post_media WHERE media_id = %s LIMIT 1", (media_id,)
            )
            return await cursor.fetchone() is not None

    async def complete(self, event: MediaUploaded, *, checksum_sha256: str | None) -> bool:
        """Record that the upload has arrived, with its event; False when another request was first, or it was swept.

        The verified checksum is stored: the media worker compares what it reads.
        """
        shard = ids.shard_of(event.media_id)
        async with self._shards.transaction(shard) as connection:
            cursor = await connection.execute(
                f"UPDATE {schema(shard)}.media SET state = %s, checksum_sha256 = %s WHERE id = %s AND state = %s",
                (PhotoState.PROCESSING, checksum_sha256, event.media_id, PhotoState.REGISTERED),
            )
            if cursor.rowcount != 1:
                return False
            await self._outbox.add(connection, shard, event)
        return True

    async def delete(self, media_id: int, *, now_ms: int) -> bool:
        """Delete the photo; False, and nothing is done, when something shows it."""
        shard = ids.shard_of(media_id)
        try:
            async with self._shards.transaction(shard) as connection:
                await removals.ask(connection, shard, [media_id], now_ms=now_ms)
                if await removals.settle(connection, media_id, now_ms=now_ms) is None:
                    raise _ShownError
        except _ShownError:
            return False
        return True

    async def sweep(
        self, *, before_ms: int, count_max: int, delete_objects: Callable[[Sequence[str]], Awaitable[None]]
    ) -> int:
        """Delete uploads registered before ``before_ms`` and never completed, at most ``count_max`` of each shard.

        Rows are deleted only after their objects, so that nothing is left behind while the object store is down. A
        concurrent `complete` waits for the row and then finds none. Returns how many were swept.
        """
        oldest = ids.compose(created_ms=max(before_ms, ids.EPOCH_MS), shard=0, sequence=0)
        swept = 0
        for shard in range(self._shards.count):
            async with self._shards.transaction(shard) as connection:
                keys = await _delete_registered(connection, shard, oldest, count_max)
                if keys:
                    await delete_objects(keys)
                    swept += len(keys)
        return swept


async def _delete_registered(connection: Connection, shard: int, oldest: int, count_max: int) -> list[str]:
    table = f"{schema(shard)}.media"
    cursor = await connection.execute(
        f"DELETE FROM {table} WHERE id = ANY(ARRAY(SELECT id FROM {table}"
        " WHERE state = 'registered' AND id < %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))"
        " RETURNING object_key",
        (oldest, count_max),
    )
    return [row[0] for row in await cursor.fetchall()]


async def _photo(connection: Connection, shard: int, media_id: int) -> Upload | None:
    cursor = await connection.execute(f"SELECT {_COLUMNS} FROM {schema(shard)}.media WHERE id = %s", (media_id,))
    row = await cursor.fetchone()
    if row is None:
        return None
    return Upload(
        media_id=row[0],
        owner_id=row[1],
        state=PhotoState(row[2]),
        content_type=row[3],
        size_bytes=row[4],
        checksum_sha256=row[5],
        object_key=row[6],
        failure=row[7],
    )
