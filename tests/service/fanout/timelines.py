"""Reads timelines as a reader would, and creates posts, for the tests of fan-out."""

from __future__ import annotations

from typing import Any

from core import ids
from core.names import Key
from services.kit.stores import timelines
from services.kit.stores.postgres import SHARDS, schema
from services.kit.stores.redis import REDIS
from services.kit.stores.timelines import TimelineEntry, Timelines, TimelineState, author_key, timeline_key
from tests.service.conftest import Someone, System


def redis_of(system: System) -> Any:
    """Redis, through any component that has it."""
    return next(app[REDIS] for app in system.apps.values() if REDIS in app)


async def reads(system: System, *people: Someone, holding: tuple[TimelineEntry, ...] = (), floor_ms: int = 0) -> None:
    """Give people a timeline, as the feed does at their first read."""
    writer = Timelines(redis_of(system), depth=1000, ttl_seconds=3600)
    for person in people:
        key = timeline_key(int(person.id))
        await writer.fill(key, holding, began=await writer.begin_fill(key), floor_ms=floor_ms)


async def timeline(system: System, person: Someone) -> list[str]:
    """Post ids in a timeline, newest first."""
    found = await timelines.read(redis_of(system), timeline_key(int(person.id)), count=1000)
    return [str(entry.post_id) for entry in found.entries]


async def has_timeline(system: System, person: Someone) -> bool:
    found = await timelines.read(redis_of(system), timeline_key(int(person.id)), count=1)
    return found.state is not TimelineState.MISSING


async def author_posts(system: System, person: Someone) -> list[str]:
    """What readers of a celebrity pull."""
    found = await timelines.read(redis_of(system), author_key(int(person.id)), count=1000)
    return [str(entry.post_id) for entry in found.entries]


async def post(system: System, author: Someone, media_id: str) -> str:
    answer = await system.call("post.create", user=author, json={"media_ids": [media_id]})
    assert answer.status == 201, answer.json
    return str(answer.json["post"]["id"])


async def is_celebrity(system: System, author: Someone) -> bool:
    """Whether the author is marked, and published to readers."""
    shards = next(app[SHARDS] for app in system.apps.values() if SHARDS in app)
    shard = ids.shard_of(int(author.id))
    async with shards.connection(shard) as connection:
        cursor = await connection.execute(
            f"SELECT 1 FROM {schema(shard)}.celebrities WHERE author_id = %s AND fallen_ms IS NULL", (int(author.id),)
        )
        marked = await cursor.fetchone() is not None
    return marked and await is_pulled(system, author)


async def is_pulled(system: System, author: Someone) -> bool:
    return bool(await redis_of(system).sismember(Key.PULLED, author.id))


async def follow(system: System, follower: Someone, followee: Someone) -> None:
    answer = await system.call("graph.follow", user=follower, user_id=followee.id)
    assert answer.status == 200, answer.json


async def unfollow(system: System, follower: Someone, followee: Someone) -> None:
    answer = await system.call("graph.unfollow", user=follower, user_id=followee.id)
    assert answer.status == 200, answer.json
