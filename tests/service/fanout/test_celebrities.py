"""The set of authors whose posts are pulled equals PostgreSQL's, whatever happens between any two steps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core import ids
from core.names import Component, Key
from services.fanout.store.celebrities import TABLES, WHOLE, Celebrities
from services.kit.clock import now_ms
from services.kit.stores import redis as redis_store
from services.kit.stores.postgres import Connection, Shards, schema
from tests.conftest import Servers

NOW = now_ms()
#: For these tests: authors who fell longer ago are no longer pulled.
PULLED_MS = 1_000_000
EXPIRED = NOW - PULLED_MS
MANY = 100_000


@pytest.fixture(scope="module")
async def shards(servers: Servers) -> AsyncIterator[Shards]:
    settings = servers.stores(Component.FANOUT).postgres
    assert settings is not None
    opened = Shards(settings, component="celebrities-test")
    await opened.open()
    await opened.create(TABLES)
    yield opened
    await opened.close()


@pytest.fixture
async def redis(servers: Servers, shards: Shards) -> AsyncIterator[Any]:
    """Redis and PostgreSQL without any celebrity, before and after."""
    settings = servers.stores(Component.FANOUT).redis
    assert settings is not None
    client = redis_store.client(settings)
    await _emptied(client, shards)
    yield client
    await _emptied(client, shards)
    await client.aclose()


async def _emptied(client: Any, shards: Shards) -> None:
    async def empty(connection: Connection, shard: int) -> None:
        await connection.execute(f"TRUNCATE {schema(shard)}.celebrities")

    await client.delete(Key.PULLED, Key.PULL_ENDS)
    await shards.for_each_shard(empty)


@pytest.fixture
def author() -> int:
    return ids.compose(created_ms=NOW, shard=3, sequence=5)


async def kept(celebrities: Celebrities, at_ms: int = NOW) -> int:
    return await celebrities.keep(now_ms=at_ms, fallen_before_ms=at_ms - PULLED_MS)


async def pulled(redis: Any) -> set[int]:
    """The pulled authors, of a complete set."""
    members: Any = await redis.smembers(Key.PULLED)
    assert WHOLE.encode() in members
    return {int(each) for each in members if each != WHOLE.encode()}


async def rise(celebrities: Celebrities, author: int) -> None:
    await celebrities.mark(author, celebrity=True, now_ms=NOW)
    await celebrities.publish([author])


async def fallen(celebrities: Celebrities, author: int, at_ms: int) -> None:
    await rise(celebrities, author)
    await celebrities.mark(author, celebrity=False, now_ms=at_ms)


async def test_who_fell_is_pulled_for_a_while_and_then_no_longer(shards: Shards, redis: Any, author: int) -> None:
    celebrities = Celebrities(shards, redis)
    await fallen(celebrities, author, NOW)
    await kept(celebrities)
    assert await pulled(redis) == {author}
    await kept(celebrities, NOW + PULLED_MS)
    assert await pulled(redis) == {author}
    await kept(celebrities, NOW + PULLED_MS + 1)
    assert await pulled(redis) == set()
    assert await celebrities.expired(NOW + 10 * PULLED_MS) == []  # removed permanently


@pytest.mark.parametrize("moment", ["announced", "looked", "carried out", "forgotten"])
async def test_who_rises_at_any_moment_of_the_end_is_pulled_from_then_on(
    shards: Shards, redis: Any, author: int, moment: str
) -> None:
    celebrities, other = Celebrities(shards, redis), Celebrities(shards, redis)
    await fallen(celebrities, author, EXPIRED - 1)
    assert await celebrities.expired(EXPIRED) == [author]
    if moment == "announced":
        await rise(other, author)
    ending = await celebrities.announce([author])
    if moment == "looked":
        await rise(other, author)
    gone = await celebrities.still_fallen([author], EXPIRED)
    if moment == "carried out":
        await rise(other, author)
    await celebrities.carry_out(ending, gone)
    if moment == "forgotten":
        assert not await redis.sismember(Key.PULLED, str(author))
        await rise(other, author)
    assert await redis.sismember(Key.PULLED, str(author))
    await kept(celebrities)
    assert await pulled(redis) == {author}


async def test_of_two_that_end_the_same_author_neither_undoes_a_rise(shards: Shards, redis: Any, author: int) -> None:
    first, second = Celebrities(shards, redis), Celebrities(shards, redis)
    await fallen(first, author, EXPIRED - 1)
    one = await first.announce([author])
    gone = await first.still_fallen([author], EXPIRED)
    await rise(first, author)
    another = await second.announce([author])  # it had read that the author fell, before the rise
    assert await first.carry_out(one, gone) == 0
    assert await second.carry_out(another, await second.still_fallen([author], EXPIRED)) == 0
    assert await redis.sismember(Key.PULLED, str(author))


async def test_a_rise_that_was_marked_and_not_published_is_published_by_whoever_looks_next(
    shards: Shards, redis: Any, author: int
) -> None:
    crashed, other = Celebrities(shards, redis), Celebrities(shards, redis)
    await kept(other)
    assert await pulled(redis) == set()
    # a clock that is late by ten seconds
    await crashed.mark(author, celebrity=True, now_ms=NOW - 10_000)
    assert await kept(other, NOW + 2_000) == 1
    assert await pulled(redis) == {author}


@pytest.mark.parametrize("lost", ["the set", "everything"])
async def test_what_redis_loses_is_rebuilt_from_postgresql(shards: Shards, redis: Any, author: int, lost: str) -> None:
    celebrities = Celebrities(shards, redis)
    await fallen(celebrities, author, NOW)
    await rise(celebrities, author + 1)
    await kept(celebrities)
    await (redis.delete(Key.PULLED) if lost == "the set" else redis.flushdb())
    await redis.sadd(Key.PULLED, 77)  # so there is a set, but an incomplete one
    assert await kept(celebrities, NOW + 2_000) == 3
    assert await pulled(redis) == {author, author + 1}


class Forgetful(Celebrities):
    """Its Redis is emptied in the middle of a rebuild."""

    redis: Any

    async def _marked(self, fallen_before_ms: int) -> AsyncIterator[list[int]]:
        async for page in super()._marked(fallen_before_ms):
            yield page
            await self.redis.delete(Key.PULLED)


async def test_a_set_that_is_lost_while_it_is_rebuilt_does_not_count_as_complete(
    shards: Shards, redis: Any, author: int
) -> None:
    await rise(Celebrities(shards, redis), author)
    forgetful = Forgetful(shards, redis)
    forgetful.redis = redis
    await kept(forgetful)
    assert not await redis.sismember(Key.PULLED, WHOLE)
    await kept(Celebrities(shards, redis))
    assert await pulled(redis) == {author}


@pytest.mark.alone
async def test_of_a_hundred_thousand_all_are_pulled_and_a_look_at_what_changed_costs_little(
    shards: Shards, redis: Any, author: int
) -> None:
    everybody = [ids.compose(created_ms=NOW + n // 1_000, shard=n % 16, sequence=n % 1_000) for n in range(MANY)]
    assert len(set(everybody)) == MANY

    async def insert(connection: Connection, shard: int) -> None:
        here = [each for each in everybody if ids.shard_of(each) == shard]
        for first in range(0, len(here), 1_000):  # each within the time that a statement may take
            await connection.execute(
                f"INSERT INTO {schema(shard)}.celebrities (author_id) SELECT unnest(%s::bigint[])",
                (here[first : first + 1_000],),
            )

    await shards.for_each_shard(insert)
    celebrities = Celebrities(shards, redis)
    assert await kept(celebrities) == MANY
    assert await pulled(redis) == set(everybody)

    changed = everybody[:3]
    await redis.srem(Key.PULLED, *map(str, changed))
    for each in changed:
        await celebrities.mark(each, celebrity=True, now_ms=NOW)
    before = await _sent_bytes(redis)
    for _ in range(5):
        await kept(celebrities, NOW + 2_000)
    assert await _sent_bytes(redis) - before < 50_000  # the set itself has more than a megabyte
    assert await pulled(redis) == set(everybody)


async def _sent_bytes(redis: Any) -> int:
    return int((await redis.info("stats"))["total_net_output_bytes"])
