"""The rows of photos: variants are this service's own; of `media`, which upload owns, it moves ``state`` on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core import ids
from core.messages import Variant
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
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A photo whose state is ``processing``."""

    media_id: int
    owner_id: int
    checksum_sha256: str | None


async def unfinished(shards: Shards, media_id: int) -> Work | None:
    """The photo if it still waits to be processed; None when it is done, refused or gone."""
    shard = ids.shard_of(media_id)
    async with shards.connection(shard) as connection:
        cursor = await connection.execute(
            f"SELECT id, owner_id, checksum_sha256 FROM {schema(shard)}.media WHERE id = %s AND state = 'processing'",
            (media_id,),
        )
        row = await cursor.fetchone()
    return None if row is None else Work(media_id=row[0], owner_id=row[1], checksum_sha256=row[2])


async def succeed(connection: Connection, media_id: int, variants: Sequence[Variant]) -> bool:
    """Write the variants and the state into the open transaction; False when another worker was first."""
    if not await _move(connection, media_id, "succeeded", None):
        return False
    await connection.execute(
        f"INSERT INTO {schema(ids.shard_of(media_id))}.media_variants"
        " (media_id, name, place, object_key, content_type, width, height, size_bytes)"
        " SELECT %s, * FROM unnest(%s::text[], %s::smallint[], %s::text[], %s::text[], %s::int[], %s::int[], %s::int[])",
        (
            media_id,
            [each.name for each in variants],
            list(range(len(variants))),
            [each.object_key for each in variants],
            [each.content_type for each in variants],
            [each.width for each in variants],
            [each.height for each in variants],
            [each.size_bytes for each in variants],
        ),
    )
    return True


async def fail(connection: Connection, media_id: int, reason: str) -> bool:
    """Write the refusal into the open transaction; False when another worker was first."""
    return await _move(connection, media_id, "failed", reason)


async def _move(connection: Connection, media_id: int, state: str, failure: str | None) -> bool:
    cursor = await connection.execute(
        f"UPDATE {schema(ids.shard_of(media_id))}.media SET state = %s, failure = %s"
        " WHERE id = %s AND state = 'processing'",
        (state, failure, media_id),
    )
    return cursor.rowcount == 1
