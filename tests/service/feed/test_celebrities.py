"""Celebrities' posts through real services: among very many, of very many, and while Redis has lost their set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

import pytest

from core import ids, scenario
from core.names import Key
from records import scenarios
from services.kit.stores import following
from services.kit.stores.postgres import SHARDS, Shards, schema
from tests.service.conftest import SCENARIO, Running, Someone, System
from tests.service.fanout.timelines import follow, is_celebrity, is_pulled, redis_of
from tests.service.feed.people import arrived, follower_of, page, photographer, posts
from tests.service.feed.test_whole import COMPONENTS, whole
from tests.service.waiting import until

pytestmark = pytest.mark.alone

MANY = 100_000
#: Step between unused ids of one shard, which are older than any real one.
STEP = ids.compose(created_ms=ids.EPOCH_MS + 1, shard=0, sequence=0)
FOLLOWED_MANY = 1_200  # more celebrities than the feed asks Redis about for one reader


@pytest.fixture(scope="module")
async def system(running: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    read = scenarios.read(SCENARIO)
    fanout = replace(read.system.fanout, threshold=3, hysteresis_ratio=0.5)
    text = scenario.explain(replace(read, system=replace(read.system, fanout=fanout)))
    path: Path = tmp_path_factory.mktemp("celebrities") / "scenario.yaml"
    path.write_text(text, encoding="utf-8")  # noqa: ASYNC240 - before anything runs
    async with running(*COMPONENTS, scenario=path) as system:
        yield system


async def test_a_celebrity_is_read_among_a_hundred_thousand_others_and_while_redis_loses_them_all(
    system: System,
) -> None:
    author, photo = await photographer(system)
    shards: Shards = system.apps["fanout"][SHARDS]
    redis = redis_of(system)

    async def known() -> bool:
        return bool(await redis.sismember(Key.PULLED, "~")) and bool(await redis.scard(Key.PULLED) > MANY)

    async def sources(reader: Someone) -> set[str]:
        items = (await page(system, reader, mode="chronological")).json["items"]
        return {item["source"] for item in items}

    try:
        for first in range(1, MANY, 5_000):  # each within the time that a statement may take
            async with shards.connection(0) as connection:
                text = f"INSERT INTO {schema(0)}.celebrities SELECT n * %s FROM generate_series(%s::bigint, %s) AS n"
                await connection.execute(text, (STEP, first, first + 4_999))
        await redis.delete(Key.PULLED)
        await until(known, True)
        readers = [await follower_of(system, author) for _ in range(3)]
        made = await posts(system, author, photo, 1)  # ensures the rise in case the count came late
        await until(lambda: is_pulled(system, author), True)
        made += await posts(system, author, photo, 1)
        await arrived(system, readers[0], made)
        # the first pages are PostgreSQL's, until Redis knows whom the reader follows
        await until(partial(sources, readers[0]), {"celebrity"})
        reads = await _pull_seconds(system, readers[0])

        await redis.delete(Key.PULLED, Key.FOLLOWING.format(user=readers[0].id))
        while not await known():  # by PostgreSQL meanwhile, and nothing is missing
            await whole(system, readers[0], set(made))
        await until(partial(sources, readers[0]), {"celebrity"})
        await whole(system, readers[0], set(made), ranked=True)
    finally:
        for most in range(5_000, MANY + 1, 5_000):  # each within the time that a statement may take
            async with shards.connection(0) as connection:
                await connection.execute(f"DELETE FROM {schema(0)}.celebrities WHERE author_id <= %s", (most * STEP,))
        await redis.delete(Key.PULLED)
    # the same with few celebrities: a read costs by those whom the reader follows, not by their total
    await until(partial(sources, readers[0]), {"celebrity"})
    few = await _pull_seconds(system, readers[0])
    assert reads < 20 * few + 0.001


async def _pull_seconds(system: System, reader: Someone) -> float:
    """The shortest time that Redis takes for a read of the reader's followed celebrities."""
    redis = redis_of(system)
    key = following.key(int(reader.id))
    found = []
    for _ in range(20):
        began = perf_counter()
        await redis.sinter(key, Key.PULLED)
        found.append(perf_counter() - began)
    return min(found)


async def test_a_reader_of_more_celebrities_than_redis_looks_up_misses_nothing(system: System) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    others = [await system.person() for _ in range(2)]
    for other in others:
        await follow(system, other, author)
    made = await posts(system, author, photo, 2)
    await until(lambda: is_celebrity(system, author), True)
    made += await posts(system, author, photo, 2)
    await arrived(system, reader, made)
    redis, shard = redis_of(system), ids.shard_of(int(reader.id))
    strangers = range(STEP, FOLLOWED_MANY * STEP, STEP)
    shards: Shards = system.apps["fanout"][SHARDS]
    async with shards.connection(0) as connection:
        await connection.execute(f"INSERT INTO {schema(0)}.celebrities SELECT unnest(%s::bigint[])", (list(strangers),))
    async with shards.connection(shard) as connection:
        await connection.execute(
            f"INSERT INTO {schema(shard)}.follows (follower_id, followee_id, active, version, at_ms)"
            " SELECT %s, unnest(%s::bigint[]), true, 1, 0",
            (int(reader.id), list(strangers)),
        )
    try:
        await redis.delete(Key.PULLED, following.key(int(reader.id)))

        async def followed() -> int:
            await page(system, reader)  # which rebuilds what Redis lacks
            return len(await redis.sinter(following.key(int(reader.id)), Key.PULLED))

        await until(followed, FOLLOWED_MANY + 1)  # these, the author, and the mark of complete sets
        await redis.config_resetstat()
        await whole(system, reader, set(made), ranked=True)
        assert (await redis.info("commandstats"))["cmdstat_zscore"]["calls"] < FOLLOWED_MANY
    finally:
        async with shards.connection(shard) as connection:
            await connection.execute(
                f"DELETE FROM {schema(shard)}.follows WHERE follower_id = %s AND followee_id < %s",
                (int(reader.id), FOLLOWED_MANY * STEP),
            )
        async with shards.connection(0) as connection:
            await connection.execute(
                f"DELETE FROM {schema(0)}.celebrities WHERE author_id < %s", (FOLLOWED_MANY * STEP,)
            )
        await redis.delete(Key.PULLED, following.key(int(reader.id)))
