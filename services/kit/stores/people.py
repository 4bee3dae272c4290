"""People by id: name and display name, read from their shards (table ``users``, which auth owns) in one round trip.

Almost every answer shows an author; this is the one place that gathers them from many shards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from core import ids
from services.kit.fields import DisplayName, Id, Username
from services.kit.stores.postgres import Shards, schema


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A user as others see them in a list."""

    id: Id
    username: Username
    display_name: DisplayName


async def people(shards: Shards, user_ids: Iterable[int]) -> dict[int, Person]:
    """Those of ``user_ids`` that exist; raises Unavailable, Overloaded, DeadlineExceeded."""
    by_shard: dict[int, list[int]] = {}
    for user_id in set(user_ids):
        by_shard.setdefault(ids.shard_of(user_id), []).append(user_id)
    found: dict[int, Person] = {}

    async def on(index: int, mine: list[int]) -> None:
        text = " UNION ALL ".join(
            f"SELECT id, username, display_name FROM {schema(shard)}.users WHERE id = ANY(%s)" for shard in mine
        )
        async with shards.on_instance(index) as connection:
            cursor = await connection.execute(text, [by_shard[shard] for shard in mine])
            for user_id, username, display_name in await cursor.fetchall():
                found[user_id] = Person(id=str(user_id), username=username, display_name=display_name)

    await asyncio.gather(*(on(index, mine) for index, mine in shards.by_instance(by_shard).items()))
    return found
