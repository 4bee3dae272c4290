"""The rows of photos: variants are this service's own; of ``media``, which upload owns, it moves ``state`` on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core import ids
from core.messages import MediaFailed, MediaProcessed
from services.kit.outbox import Outbox
from services.kit.stores.postgres import Connection, Shards, schema

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.media_variants (
    media_id bigint NOT NULL,
    name text NOT NULL,
    place smallint NOT NULL,
    object_key text NOT NULL,
    content_type text NOT NULL,
    width int NOT NULL,
    height int NOT NULL,
    size_bytes int NOT NULL,
    PRIMARY KEY (media_id, name)
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A photo that waits to be processed."""

    media_id: int
    owner_id: int
    object_key: str  # in the bucket of uploads
    checksum_sha256: str | None


class Photos:
    """All photos."""

    def __init__(self, shards: Shards, outbox: Outbox):
        self._shards, self._outbox = shards, outbox

    async def job(self, media_id: int) -> Job | None:
        """The photo if it still waits to be processed; None when it is done, refused or gone."""
        shard = ids.shard_of(media_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT owner_id, object_key, checksum_sha256 FROM {schema(shard)}.media"
                " WHERE id = %s AND state = 'processing'",
                (media_id,),
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        return Job(media_id=media_id, owner_id=row[0], object_key=row[1], checksum_sha256=row[2])

    async def succeed(self, event: MediaProcessed) -> bool:
        """Write the variants, the state and the event at once; False when another worker was first."""
        shard, variants = ids.shard_of(event.media_id), event.variants
        async with self._shards.transaction(shard) as connection:
            if not await _move(connection, event.media_id, "succeeded", None):
                return False
            await connection.execute(
                f"INSERT INTO {schema(shard)}.media_variants"
                " (media_id, name, place, object_key, content_type, width, height, size_bytes)"
                " SELECT %s, * FROM unnest(%s::text[], %s::smallint[], %s::text[], %s::text[],"
                " %s::int[], %s::int[], %s::int[])",
                (
                    event.media_id,
                    [each.name for each in variants],
                    list(range(len(variants))),
                    [each.object_key for each in variants],
                    [each.content_type for each in variants],
                    [each.width for each in variants],
                    [each.height for each in variants],
                    [each.size_bytes for each in variants],
                ),
            )
            await self._outbox.add(connection, shard, event)
        return True

    async def fail(self, event: MediaFailed) -> bool:
        """Write the refusal and the event at once; False when another worker was first."""
        shard = ids.shard_of(event.media_id)
        async with self._shards.transaction(shard) as connection:
            if not await _move(connection, event.media_id, "failed", event.reason):
                return False
            await self._outbox.add(connection, shard, event)
        return True


async def _move(connection: Connection, media_id: int, state: str, failure: str | None) -> bool:
    cursor = await connection.execute(
        f"UPDATE {schema(ids.shard_of(media_id))}.media SET state = %s, failure = %s"
        " WHERE id = %s AND state = 'processing'",
        (state, failure, media_id),
    )
    return cursor.rowcount == 1
