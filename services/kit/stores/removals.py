"""Photos to be removed: one row each on the owner's shard, from the request until no store holds any of the photo.

Deleting a post or a photo writes here in the same transaction, and so does creating a story, because it ends by itself.
The media worker does the rest (`services.media.events.remover`). So a deletion needs no log, and neither a crash nor a
log that has lost its data can lose it.

A photo stays for as long as a post, or a story that has not ended, shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from core import ids
from services.kit.stores.postgres import Connection, Shards, schema

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.media_removals (
    media_id bigint PRIMARY KEY,
    asked_ms bigint NOT NULL,
    due_ms bigint NOT NULL,
    kept_until_ms bigint NOT NULL DEFAULT 0,
    passes smallint NOT NULL DEFAULT 0,
    upload_key text,
    keys text[]
);
CREATE INDEX IF NOT EXISTS media_removals_due ON {s}.media_removals (due_ms);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A photo whose rows are deleted, and what is left of it elsewhere."""

    media_id: int
    owed_ms: int  # when it should have been gone
    passes: int  # how many times everything has been deleted and purged
    upload_key: str | None  # in the bucket of uploads
    keys: tuple[str, ...]  # of its variants, in the bucket of media


async def ask(connection: Connection, shard: int, media_ids: Sequence[int], *, now_ms: int) -> None:
    """Have these photos removed unless something still shows them; in the transaction that is open."""
    # the update changes little; its lock lets a `settle` that is deciding about the row finish first
    table = f"{schema(shard)}.media_removals"
    await connection.execute(
        f"INSERT INTO {table} AS r (media_id, asked_ms, due_ms) SELECT unnest(%(media)s::bigint[]), %(now)s, %(now)s"
        " ON CONFLICT (media_id) DO UPDATE SET asked_ms = %(now)s, due_ms = %(now)s WHERE r.keys IS NULL",
        {"media": sorted(media_ids), "now": now_ms},
    )


async def keep(connection: Connection, shard: int, media_id: int, *, until_ms: int) -> None:
    """Keep the photo until then, and remove it afterwards unless something else shows it; in the open transaction.

    Call it before locking the photo's row: the two are always locked in this order.
    """
    table = f"{schema(shard)}.media_removals"
    await connection.execute(
        f"INSERT INTO {table} AS r (media_id, asked_ms, due_ms, kept_until_ms)"
        " VALUES (%(media)s, %(until)s, %(until)s, %(until)s)"
        " ON CONFLICT (media_id) DO UPDATE SET kept_until_ms = greatest(r.kept_until_ms, %(until)s)",
        {"media": media_id, "until": until_ms},
    )


async def keep_no_longer(connection: Connection, shard: int, media_id: int, *, until_ms: int) -> None:
    """Keep the photo only until ``until_ms``, earlier than `keep` said, 0 for not at all; in the open transaction,
    after `ask`, which has locked the row: a concurrent `keep` comes afterwards."""
    await connection.execute(
        f"UPDATE {schema(shard)}.media_removals SET kept_until_ms = %s WHERE media_id = %s", (until_ms, media_id)
    )


async def settle(connection: Connection, media_id: int, *, now_ms: int) -> Removal | None:
    """Delete the photo's rows if nothing shows it any more; None when it stays. In the open transaction, after `ask`.

    A post locks the rows of its photos before it is written, so that it is either seen here or finds no photo.
    """
    s = schema(ids.shard_of(media_id))
    cursor = await connection.execute(
        f"SELECT asked_ms, kept_until_ms, passes, upload_key, keys FROM {s}.media_removals"
        " WHERE media_id = %s FOR UPDATE",
        (media_id,),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    asked_ms, kept_until_ms, passes, upload_key, keys = row
    owed_ms = max(asked_ms, kept_until_ms)
    if keys is not None:
        return Removal(media_id=media_id, owed_ms=owed_ms, passes=passes, upload_key=upload_key, keys=tuple(keys))
    cursor = await connection.execute(f"SELECT object_key FROM {s}.media WHERE id = %s FOR UPDATE", (media_id,))
    photo = await cursor.fetchone()
    if kept_until_ms > now_ms:
        await connection.execute(
            f"UPDATE {s}.media_removals SET due_ms = kept_until_ms WHERE media_id = %s", (media_id,)
        )
        return None
    cursor = await connection.execute(f"SELECT 1 FROM {s}.post_media WHERE media_id = %s LIMIT 1", (media_id,))
    if await cursor.fetchone() is not None:
        await connection.execute(f"DELETE FROM {s}.media_removals WHERE media_id = %s", (media_id,))
        return None
    cursor = await connection.execute(
        f"WITH photo AS (DELETE FROM {s}.media WHERE id = %(media)s),"
        f" gone AS (DELETE FROM {s}.media_variants WHERE media_id = %(media)s RETURNING object_key)"
        f" UPDATE {s}.media_removals SET upload_key = %(upload)s,"
        " keys = ARRAY(SELECT object_key FROM gone ORDER BY object_key) WHERE media_id = %(media)s RETURNING keys",
        {"media": media_id, "upload": photo[0] if photo else None},
    )
    written = await cursor.fetchone()
    assert written is not None
    return Removal(
        media_id=media_id,
        owed_ms=owed_ms,
        passes=passes,
        upload_key=photo[0] if photo else None,
        keys=tuple(written[0]),
    )


class Removals:
    """All removals, for the worker that carries them out."""

    def __init__(self, shards: Shards):
        self._shards = shards

    async def claim(self, *, now_ms: int, lease_seconds: float, count_max: int) -> list[int]:
        """Photos that are due, at most ``count_max`` of each shard; nobody else gets them before the lease expires."""
        found: list[int] = []
        lease_ms = now_ms + round(lease_seconds * 1000)
        for index, shards in self._shards.by_instance().items():
            text = " UNION ALL ".join(
                f"SELECT {shard} WHERE EXISTS (SELECT 1 FROM {schema(shard)}.media_removals WHERE due_ms <= %(now)s)"
                for shard in shards
            )
            async with self._shards.on_instance(index) as connection:
                cursor = await connection.execute(text, {"now": now_ms})
                for (shard,) in await cursor.fetchall():
                    table = f"{schema(shard)}.media_removals"
                    cursor = await connection.execute(
                        f"UPDATE {table} SET due_ms = %(lease)s WHERE media_id = ANY(ARRAY(SELECT media_id FROM {table}"
                        " WHERE due_ms <= %(now)s ORDER BY due_ms LIMIT %(most)s FOR UPDATE SKIP LOCKED))"
                        " RETURNING media_id",
                        {"lease": lease_ms, "now": now_ms, "most": count_max},
                    )
                    found += [row[0] for row in await cursor.fetchall()]
        return found

    async def settle(self, media_id: int, *, now_ms: int) -> Removal | None:
        """`settle` in a transaction of its own."""
        async with self._shards.transaction(ids.shard_of(media_id)) as connection:
            return await settle(connection, media_id, now_ms=now_ms)

    async def passed(self, removal: Removal, *, due_ms: int | None) -> None:
        """Note that everything was deleted and purged once more; the next time is at ``due_ms``, None for never."""
        shard = ids.shard_of(removal.media_id)
        table = f"{schema(shard)}.media_removals"
        async with self._shards.connection(shard) as connection:
            if due_ms is None:
                await connection.execute(f"DELETE FROM {table} WHERE media_id = %s", (removal.media_id,))
            else:
                await connection.execute(
                    f"UPDATE {table} SET passes = %s, due_ms = %s WHERE media_id = %s",
                    (removal.passes + 1, due_ms, removal.media_id),
                )

    async def put_off(self, media_id: int, *, due_ms: int) -> None:
        """Try again at ``due_ms``."""
        shard = ids.shard_of(media_id)
        async with self._shards.connection(shard) as connection:
            await connection.execute(
                f"UPDATE {schema(shard)}.media_removals SET due_ms = %s WHERE media_id = %s", (due_ms, media_id)
            )

    async def unused(self, keys: Iterable[str]) -> list[str]:
        """Those of the keys that no photo of any shard has: earlier builds shared objects with the same bytes."""
        left = list(keys)

        async def used(connection: Connection, shard: int) -> set[str]:
            cursor = await connection.execute(
                f"SELECT object_key FROM {schema(shard)}.media_variants WHERE object_key = ANY(%s)", (left,)
            )
            return {row[0] for row in await cursor.fetchall()}

        if not left:
            return []
        taken = set().union(*(await self._shards.for_each_shard(used)).values())
        return [key for key in left if key not in taken]
