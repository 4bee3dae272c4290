"""Uploads are refused while their photos would wait for too long; no worker runs here: the test says what is done."""

from __future__ import annotations

from time import monotonic
from typing import Any

from core import ids
from core.names import Component
from services.kit.clock import now_ms
from services.kit.stores.postgres import SHARDS, schema
from services.media.store.photos import TABLES
from tests.service.conftest import Someone, System
from tests.service.waiting import until

COMPONENTS = (Component.AUTH, Component.UPLOAD)


async def test_an_upload_whose_photo_would_wait_too_long_is_refused_and_those_of_others_are_not(
    system: System, ann: Someone, ben: Someone
) -> None:
    shard = ids.shard_of(int(ann.id))
    s, first = schema(shard), ids.compose(created_ms=now_ms(), shard=shard, sequence=0)
    waiting = list(range(first, first + 60))
    shards = system.apps["upload"][SHARDS]
    await shards.create(TABLES)
    async with shards.transaction(shard) as connection:
        await connection.execute(
            f"INSERT INTO {s}.media (id, owner_id, state, content_type, size_bytes, object_key)"
            " SELECT id, %s, 'processing', 'image/jpeg', 1, 'none' FROM unnest(%s::bigint[]) id",
            (int(ann.id), waiting),
        )

    async def create(who: Someone) -> Any:
        return await system.call("media.create", user=who, json={"content_type": "image/jpeg", "size_bytes": 1000})

    async def end(media_ids: list[int]) -> None:
        async with shards.transaction(shard) as connection:
            await connection.execute(f"DELETE FROM {s}.media WHERE id = ANY(%s)", (media_ids,))

    due = monotonic()

    async def refused() -> bool:
        nonlocal due
        if monotonic() >= due:  # a photo a second, so that new ones would wait for a minute
            due += 1.0
            await end([waiting.pop(0)])
        answer = await create(ann)
        assert answer.status == 201 or answer.json["code"] == "overloaded"
        return answer.status == 503

    try:
        await until(refused)
        assert (await create(ben)).status == 201
    finally:
        await end(waiting)

    async def accepted() -> bool:
        return (await create(ann)).status == 201

    await until(accepted)
