"""Timelines as sorted sets in a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.names import Component
from services.kit.stores import redis as redis_store
from services.kit.stores import timelines
from services.kit.stores.timelines import TimelineEntry, Timelines, TimelineState


@pytest.fixture(scope="module")
async def redis(servers: Any) -> AsyncIterator[Any]:
    """Redis."""
    client = redis_store.client(servers.stores(Component.FANOUT).redis)
    yield client
    await client.aclose()


_keys = iter(range(1000))


@pytest.fixture
def key() -> str:
    """A fresh timeline."""
    return timelines.timeline_key(900_000 + next(_keys))


def entries(*numbers: int) -> list[TimelineEntry]:
    return [TimelineEntry(post_id=number, created_ms=number * 10) for number in numbers]


async def filled(lines: Timelines, key: str, holding: list[TimelineEntry], *, floor_ms: int = 0) -> None:
    await lines.fill(key, holding, began=await lines.begin_fill(key), floor_ms=floor_ms)


async def test_a_timeline_is_newest_first_and_pages_by_time(redis: Any, key: str) -> None:
    lines = Timelines(redis, depth=10, ttl_seconds=60)
    await filled(lines, key, entries(3, 1, 2))

    whole = await timelines.read(redis, key, count=10)
    older = await timelines.read(redis, key, count=10, before_ms=20)
    first = await timelines.read(redis, key, count=1)

    assert (whole.state, [each.post_id for each in whole.entries]) == (TimelineState.WHOLE, [3, 2, 1])
    assert [each.post_id for each in older.entries] == [2, 1]
    assert [each.post_id for each in first.entries] == [3]
    assert 0 < await redis.ttl(key) <= 60


async def test_an_empty_timeline_is_whole_and_a_missing_one_is_not(redis: Any, key: str) -> None:
    lines = Timelines(redis, depth=10, ttl_seconds=60)
    assert (await timelines.read(redis, key, count=5)).state is TimelineState.MISSING

    began = await lines.begin_fill(key)
    assert (await timelines.read(redis, key, count=5)).state is TimelineState.FILLING
    await lines.fill(key, [], began=began)

    empty = await timelines.read(redis, key, count=5)
    assert (empty.state, empty.entries) == (TimelineState.WHOLE, ())


async def test_a_push_reaches_existing_timelines_counts_once_and_trims(redis: Any) -> None:
    lines = Timelines(redis, depth=3, ttl_seconds=60, batch=2)
    keys = [timelines.timeline_key(910_000 + number) for number in range(5)]
    for each in keys[:4]:
        await filled(lines, each, entries(1, 2, 3))

    delivered = [await lines.push(keys, entries(4)[0]) for _ in range(2)]

    assert delivered == [4, 0]
    for each in keys[:4]:
        assert [entry.post_id for entry in (await timelines.read(redis, each, count=9)).entries] == [4, 3, 2]
        assert (await timelines.read(redis, each, count=9)).state is TimelineState.WHOLE
    assert (await timelines.read(redis, keys[4], count=9)).state is TimelineState.MISSING


async def test_a_post_that_is_made_during_a_refill_is_not_lost(redis: Any, key: str) -> None:
    lines = Timelines(redis, depth=10, ttl_seconds=60)
    began = await lines.begin_fill(key)
    read_before_the_post = entries(1, 2)

    await lines.push([key], entries(3)[0])
    await lines.fill(key, read_before_the_post, began=began)

    assert [each.post_id for each in (await timelines.read(redis, key, count=9)).entries] == [3, 2, 1]


async def test_a_removed_post_is_gone_from_all_timelines(redis: Any, key: str) -> None:
    lines = Timelines(redis, depth=10, ttl_seconds=60)
    await filled(lines, key, entries(1, 2))

    await lines.remove([key, "timeline:nobody"], 1)

    assert [each.post_id for each in (await timelines.read(redis, key, count=9)).entries] == [2]


async def test_trimming_raises_the_floor_and_a_removal_does_not_lower_it(redis: Any, key: str) -> None:
    lines = Timelines(redis, depth=3, ttl_seconds=60)
    await filled(lines, key, entries(1, 2, 3))
    assert (await timelines.read(redis, key, count=9)).floor_ms == 0  # nothing is older

    await lines.push([key], entries(4)[0])
    await lines.remove([key], 4)
    cut = await timelines.read(redis, key, count=9)
    await lines.push([key], entries(1)[0])  # older than the floor: PostgreSQL has it
    again = await timelines.read(redis, key, count=9)

    assert (cut.floor_ms, [each.post_id for each in cut.entries]) == (11, [3, 2])
    assert again == cut
    assert await redis.zscore(key, "1") is None


async def test_a_refill_holds_its_floor_and_a_second_one_cannot_lower_it(redis: Any, key: str) -> None:
    lines = Timelines(redis, depth=3, ttl_seconds=60)
    await filled(lines, key, entries(3, 4), floor_ms=25)
    assert (await timelines.read(redis, key, count=9)).floor_ms == 25

    await filled(lines, key, entries(2, 3, 4))
    found = await timelines.read(redis, key, count=9)
    assert (found.floor_ms, [each.post_id for each in found.entries]) == (25, [4, 3])

    await filled(lines, key, entries(1, 2, 3, 4, 5))
    found = await timelines.read(redis, key, count=9)
    assert (found.floor_ms, [each.post_id for each in found.entries]) == (25, [5, 4, 3])


async def test_an_authors_posts_are_merged_with_their_floor(redis: Any, key: str) -> None:
    lines = Timelines(redis, depth=4, ttl_seconds=60)
    await lines.merge(key, entries(1))
    assert (await timelines.read(redis, key, count=9)).state is TimelineState.MISSING

    await filled(lines, key, entries(1, 5))
    await lines.merge(key, entries(2, 4), floor_ms=15)
    found = await timelines.read(redis, key, count=9)
    assert (found.floor_ms, [each.post_id for each in found.entries]) == (15, [5, 4, 2])


async def test_a_refill_begins_again_when_a_part_of_an_authors_posts_comes_meanwhile(redis: Any, key: str) -> None:
    lines = Timelines(redis, depth=4, ttl_seconds=60)
    began = await lines.begin_fill(key)
    await lines.merge(key, entries(3))  # all of them: kept
    await lines.merge(key, entries(4, 5), floor_ms=35)  # what is older is unknown, and the refill may not have read it
    await lines.fill(key, entries(1, 2), began=began)
    assert (await timelines.read(redis, key, count=9)).state is TimelineState.MISSING


async def test_a_refill_that_took_too_long_is_given_up(redis: Any, key: str) -> None:
    lines = Timelines(redis, depth=4, ttl_seconds=60)
    began = await lines.begin_fill(key)
    await lines.fill(key, entries(1), began=began - 60)
    assert (await timelines.read(redis, key, count=9)).state is TimelineState.FILLING
