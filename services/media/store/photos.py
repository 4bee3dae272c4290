"""The rows of photos: variants and jobs are this service's own; in ``media``, which upload owns, it updates ``state``.

A photo waits while its state is ``processing``, whatever happened to its event. Its job counts the tries, before each
begins, and has a lease: when a worker dies, the lease expires.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psycopg

from core import ids
from core.messages import MediaFailed, MediaProcessed, Message
from core.policies.photo import Lane
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
CREATE TABLE IF NOT EXISTS {s}.media_jobs (
    media_id bigint PRIMARY KEY,
    tries smallint NOT NULL,
    lane text NOT NULL,
    holder text NOT NULL,
    leased_until timestamptz NOT NULL
);
"""
#: Photos of one shard that are searched for those that nobody works on; later ones wait.
_BACKLOG_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoJob:
    """A photo that waits to be processed."""

    media_id: int
    owner_id: int
    object_key: str  # in the bucket of uploads
    size_bytes: int
    content_type: str
    checksum_sha256: str | None
    tries: int  # including this one
    lane: Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPhoto:
    """A photo that waits to be processed, or is being processed."""

    media_id: int
    owner_id: int
    lane: Lane
    leased: bool  # somebody works on it, or it was postponed


class PhotoJobs:
    """The photos that wait, their tries and their leases."""

    def __init__(self, shards: Shards, outbox: Outbox, *, holder: str, lease_seconds: float):
        self._shards, self._outbox = shards, outbox
        self._holder, self._lease_seconds = holder, lease_seconds

    async def begin(self, media_id: int) -> PhotoJob | None:
        """Count a try of the photo and lease it; None when it is done, refused, gone, or somebody works on it."""
        shard = ids.shard_of(media_id)
        s = schema(shard)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"WITH job AS (INSERT INTO {s}.media_jobs AS j (media_id, tries, lane, holder, leased_until)"
                " SELECT id, 1, %(lane)s, %(holder)s, now() + %(lease)s * interval '1 second'"
                f" FROM {s}.media WHERE id = %(media)s AND state = 'processing'"
                " ON CONFLICT (media_id) DO UPDATE SET tries = j.tries + 1, holder = EXCLUDED.holder,"
                " leased_until = EXCLUDED.leased_until WHERE j.leased_until <= now() RETURNING media_id, tries, lane)"
                " SELECT m.owner_id, m.object_key, m.size_bytes, m.content_type, m.checksum_sha256, job.tries, job.lane"
                f" FROM job JOIN {s}.media m ON m.id = job.media_id",
                {"media": media_id, "lane": Lane.LIGHT, "holder": self._holder, "lease": self._lease_seconds},
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        return PhotoJob(
            media_id=media_id,
            owner_id=row[0],
            object_key=row[1],
            size_bytes=row[2],
            content_type=row[3],
            checksum_sha256=row[4],
            tries=row[5],
            lane=Lane(row[6]),
        )

    async def again(self, media_id: int) -> int:
        """Count another try of a photo that is leased; returns how many there were."""
        shard = ids.shard_of(media_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"UPDATE {schema(shard)}.media_jobs SET tries = tries + 1 WHERE media_id = %s RETURNING tries",
                (media_id,),
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else 1

    async def put_off(self, media_id: int, *, lane: Lane, seconds: float, counts: bool = False) -> None:
        """Release the lease; the photo is due again in ``seconds``. Unless the try ``counts``, it is taken back: it
        failed for a reason other than the photo."""
        shard = ids.shard_of(media_id)
        async with self._shards.connection(shard) as connection:
            await connection.execute(
                f"UPDATE {schema(shard)}.media_jobs SET tries = greatest(tries - %s, 0), lane = %s,"
                " leased_until = now() + %s * interval '1 second' WHERE media_id = %s AND holder = %s",
                (0 if counts else 1, lane, seconds, media_id, self._holder),
            )

    async def give_back(self) -> int:
        """End the leases that an earlier process of this name left when it died; returns their number."""

        async def on(connection: Connection, shard: int) -> int:
            cursor = await connection.execute(
                f"UPDATE {schema(shard)}.media_jobs SET leased_until = now()"
                " WHERE holder = %s AND leased_until > now()",
                (self._holder,),
            )
            return cursor.rowcount

        return sum((await self._shards.for_each_shard(on)).values())

    async def waiting(self, *, owner_max: int, count_max: int) -> tuple[int, list[WaitingPhoto]]:
        """How many photos are not processed, and which: at most ``count_max`` of each shard and ``owner_max`` of an
        owner, so that an owner with many photos does not hide one with few; oldest first."""

        async def on(connection: Connection, shard: int) -> Sequence[tuple[int, int, str, bool, int]]:
            s = schema(shard)
            cursor = await connection.execute(
                "SELECT id, owner_id, lane, leased, total FROM (SELECT m.id, m.owner_id, coalesce(j.lane, %s) AS lane,"
                " coalesce(j.leased_until > now(), false) AS leased, count(*) OVER () AS total,"
                " row_number() OVER (PARTITION BY m.owner_id ORDER BY m.id) AS turn FROM"
                f" (SELECT id, owner_id FROM {s}.media WHERE state = 'processing' ORDER BY id LIMIT {_BACKLOG_MAX}) m"
                f" LEFT JOIN {s}.media_jobs j ON j.media_id = m.id) waiting"
                " WHERE turn <= %s ORDER BY turn, id LIMIT %s",
                (Lane.LIGHT, owner_max, count_max),
            )
            return await cursor.fetchall()

        try:
            found = await self._shards.for_each_shard(on)
        except psycopg.errors.UndefinedTable:  # upload, whose table it is, has never started here
            return 0, []
        rows = sorted(row for part in found.values() for row in part)
        waiting = [WaitingPhoto(media_id=row[0], owner_id=row[1], lane=Lane(row[2]), leased=row[3]) for row in rows]
        return sum(part[0][4] for part in found.values() if part), waiting

    async def forget(self) -> None:
        """Delete the jobs of photos that were deleted meanwhile."""

        async def on(connection: Connection, shard: int) -> None:
            s = schema(shard)
            await connection.execute(
                f"DELETE FROM {s}.media_jobs j WHERE leased_until <= now()"
                f" AND NOT EXISTS (SELECT FROM {s}.media m WHERE m.id = j.media_id AND m.state = 'processing')"
            )

        with suppress(psycopg.errors.UndefinedTable):
            await self._shards.for_each_shard(on)

    async def exists(self, media_id: int) -> bool:
        """Whether its owner still has the photo."""
        shard = ids.shard_of(media_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(f"SELECT 1 FROM {schema(shard)}.media WHERE id = %s", (media_id,))
            return await cursor.fetchone() is not None

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

    async def fail(self, event: MediaFailed, *others: Message) -> bool:
        """Write the refusal and its events at once; False when another worker was first."""
        shard = ids.shard_of(event.media_id)
        async with self._shards.transaction(shard) as connection:
            if not await _move(connection, event.media_id, "failed", event.reason):
                return False
            await self._outbox.add(connection, shard, event, *others)
        return True


async def _move(connection: Connection, media_id: int, state: str, failure: str | None) -> bool:
    s = schema(ids.shard_of(media_id))
    cursor = await connection.execute(
        f"WITH done AS (DELETE FROM {s}.media_jobs WHERE media_id = %(media)s)"
        f" UPDATE {s}.media SET state = %(state)s, failure = %(failure)s"
        " WHERE id = %(media)s AND state = 'processing'",
        {"media": media_id, "state": state, "failure": failure},
    )
    return cursor.rowcount == 1
