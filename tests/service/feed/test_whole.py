"""Sessions through real services: no followed post is missing or shown twice, and every session ends.

A timeline holds 12 posts here and a celebrity has three followers, so that every limit is soon reached.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core import ids, scenario
from core.names import Component, Key
from records import scenarios
from services.feed.store.followed import POSTS_OF
from services.kit.clock import now_ms
from services.kit.stores.postgres import SHARDS, schema
from tests.service.conftest import SCENARIO, Running, Someone, System
from tests.service.fanout.timelines import follow, is_celebrity, post, redis_of, timeline, unfollow
from tests.service.feed.people import arrived, follower_of, page, photographer, posts, shown
from tests.service.waiting import until

pytestmark = pytest.mark.alone

COMPONENTS = (
    Component.AUTH,
    Component.GRAPH,
    Component.UPLOAD,
    Component.MEDIA,
    Component.POSTS,
    Component.FANOUT,
    Component.ENGAGEMENT,
    Component.DISCOVERY,
    Component.ADS,
    Component.FEED,
)
DEPTH = 12
CURSOR_MAX = 1024


@pytest.fixture(scope="module")
async def system(running: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    read = scenarios.read(SCENARIO)
    fanout = replace(read.system.fanout, threshold=3, hysteresis_ratio=0.5, depth=DEPTH)
    text = scenario.explain(replace(read, system=replace(read.system, fanout=fanout)))
    path: Path = tmp_path_factory.mktemp("whole") / "scenario.yaml"
    path.write_text(text, encoding="utf-8")  # noqa: ASYNC240 - before anything runs
    async with running(*COMPONENTS, scenario=path) as system:
        yield system


@dataclass
class Session:
    """A session that is being read."""

    system: System
    reader: Someone
    mode: str
    limit: int
    cursor: str | None = None
    ended: bool = False
    given: list[str] = field(default_factory=list)
    recommended: list[str] = field(default_factory=list)

    async def read(self) -> list[Any]:
        """The next page."""
        query = {"limit": self.limit, "mode": self.mode} | ({"cursor": self.cursor} if self.cursor else {})
        answer = await page(self.system, self.reader, **query)
        items: list[Any] = answer.json["items"]
        self.given += shown(answer)
        self.recommended += [item["post"]["id"] for item in items if item["source"] == "recommended"]
        self.cursor = answer.json["next_cursor"]
        self.ended = self.cursor is None
        assert len(self.cursor or "") <= CURSOR_MAX
        assert self.ended or len(items) == self.limit, "a page is short only at the end"
        assert len(self.given) == len(set(self.given)), "nothing is given twice"
        return items

    async def to_the_end(self) -> list[str]:
        """All posts."""
        while not self.ended:
            await self.read()
        return self.given


async def whole(system: System, reader: Someone, wanted: set[str], *, limit: int = 7, ranked: bool = False) -> None:
    """The reader's sessions show all of these followed posts, newest first in chronological mode."""
    chronological = await Session(system, reader, "chronological", limit).to_the_end()
    assert chronological == sorted(wanted, key=int, reverse=True)
    if ranked:
        session = Session(system, reader, "ranked", 100)
        assert wanted <= set(await session.to_the_end())
        assert not wanted & set(session.recommended)


async def expire(system: System, reader: Someone) -> None:
    await redis_of(system).delete(Key.TIMELINE.format(user=reader.id))


async def test_a_session_reads_beyond_the_depth_of_a_timeline_after_a_follow_a_refill_and_an_expiry(
    system: System,
) -> None:
    author, photo = await photographer(system)
    other, other_photo = await photographer(system)
    reader = await follower_of(system, other)
    made = set(await posts(system, other, other_photo, 4))
    await arrived(system, reader, made)  # from now on there is a timeline
    made |= set(await posts(system, author, photo, 3 * DEPTH))
    await follow(system, reader, author)
    await system.drain()
    assert len(await timeline(system, reader)) == DEPTH
    await whole(system, reader, made, ranked=True)
    await expire(system, reader)
    await whole(system, reader, made)

    async def refilled() -> int:
        return len(await timeline(system, reader))

    await until(refilled, DEPTH)
    await whole(system, reader, made)


async def test_posts_beyond_a_refills_floor_are_shown_after_an_unfollow(system: System) -> None:
    author, photo = await photographer(system)
    other, other_photo = await photographer(system)
    old = await posts(system, other, other_photo, 6)
    new = await posts(system, author, photo, DEPTH)
    reader = await follower_of(system, author, other)
    await arrived(system, reader, {*old, *new})
    await system.drain()
    await unfollow(system, reader, author)
    await system.drain()
    assert len(await timeline(system, reader)) < len(old)
    await whole(system, reader, set(old), limit=4)


async def test_posts_older_than_seven_days_are_there_whatever_redis_holds(system: System) -> None:
    author, photo = await photographer(system)
    reader = await system.person()
    await page(system, reader)
    old = await aged(system, author, photo, count=DEPTH + 5, days=8)
    await follow(system, reader, author)
    await system.drain()
    await whole(system, reader, old)
    await expire(system, reader)
    await whole(system, reader, old)
    fresh = await follower_of(system, author)
    await whole(system, fresh, old)


async def aged(system: System, author: Someone, photo: str, *, count: int, days: int) -> set[str]:
    """Posts of some days ago, as rows: ids contain the time."""
    shard = ids.shard_of(int(author.id))
    created_ms = now_ms() - days * 86_400_000
    made = [ids.compose(created_ms=created_ms + number, shard=shard, sequence=0) for number in range(count)]
    async with system.apps["posts"][SHARDS].connection(shard) as connection:
        await connection.execute(
            f"INSERT INTO {schema(shard)}.posts (id, author_id, caption, hashtags, media_ids)"
            " SELECT unnest(%s::bigint[]), %s, '', '{}', ARRAY[%s::bigint]",
            (made, int(author.id), int(photo)),
        )
    return {str(each) for each in made}


@pytest.mark.parametrize("filled", ["before the rise", "while a celebrity"])
async def test_an_author_who_rises_and_falls_is_whole_in_timelines_made_at_any_time(
    system: System, filled: str
) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    fans = [await system.person() for _ in range(2)]
    made = await posts(system, author, photo, 4)
    await arrived(system, reader, made)
    for fan in fans:
        await follow(system, fan, author)
    made += await posts(system, author, photo, 1)
    await until(lambda: is_celebrity(system, author), True)
    made += await posts(system, author, photo, DEPTH + 3)  # pulled, and more than a list holds
    await system.drain()
    if filled == "while a celebrity":
        await expire(system, reader)
    await whole(system, reader, set(made))
    await system.drain()
    for fan in fans:
        await unfollow(system, fan, author)
    await until(lambda: is_celebrity(system, author), False)
    made += await posts(system, author, photo, 2)
    await arrived(system, reader, made[-2:])
    await whole(system, reader, set(made), ranked=True)


@pytest.mark.parametrize("mode", ["ranked", "chronological"])
async def test_a_post_delivered_late_comes_first_on_the_next_page(servers: Any, system: System, mode: str) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    await page(system, reader)
    made = await posts(system, author, photo, 5)
    await arrived(system, reader, made)
    await until(partial(timeline, system, reader), made[::-1])
    session = Session(system, reader, mode, 3)
    with servers.broken("posts_kafka"):
        late = await post(system, author, photo)
        first = [item["post"]["id"] for item in await session.read() if item["source"] == "timeline"]
        assert late not in first
    await until(partial(timeline, system, reader), [late, *made[::-1]])
    after = await post(system, author, photo)  # newer than the session
    await until(partial(timeline, system, reader), [after, late, *made[::-1]])
    assert (await session.read())[0]["post"]["id"] == late
    given = await session.to_the_end()
    assert {*made, late} <= set(given)
    assert after not in given


async def test_a_long_session_recommends_what_is_left_once_and_ends_with_a_small_cursor(system: System) -> None:
    stranger, photo = await photographer(system)
    strange = set(await posts(system, stranger, photo, 45))
    another, another_photo = await photographer(system)
    strange |= set(await posts(system, another, another_photo, 45))
    author, own_photo = await photographer(system)
    reader = await follower_of(system, author)
    made = set(await posts(system, author, own_photo, 15))
    await arrived(system, reader, made)

    async def popular() -> bool:
        held = {each.decode() for each in await redis_of(system).zrange(Key.POPULAR, 0, -1)}
        return {*strange, *made} <= held

    await until(popular, True)
    await system.drain()
    session = Session(system, reader, "ranked", 20)
    given = set(await session.to_the_end())
    assert made <= given
    assert strange <= set(session.recommended)  # more than a cursor holds
    assert [key async for key in redis_of(system).scan_iter(f"feed_session:{reader.id}:*")]

    forgetful = Session(system, reader, "ranked", 20)
    followed: list[str] = []
    pages = 0
    while not forgetful.ended:  # if Redis loses the session, its followed posts are still complete, and it ends
        items = await forgetful.read()
        followed += [item["post"]["id"] for item in items if item["source"] in ("timeline", "celebrity")]
        forgetful.given.clear()
        pages += 1
        if pages == 7:
            lost = [key async for key in redis_of(system).scan_iter(f"feed_session:{reader.id}:*")]
            assert lost
            await redis_of(system).delete(*lost)
    assert sorted(followed) == sorted(made)


@pytest.mark.parametrize("count", [1, 5, 9])
async def test_a_short_page_has_a_tenth_of_ads_at_most(system: System, count: int) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    made = await posts(system, author, photo, count)
    await arrived(system, reader, made)
    items = (await page(system, reader, mode="chronological")).json["items"]
    assert [item["kind"] for item in items].count("ad") == count // 9
    assert [item["kind"] for item in items].count("post") == count


@pytest.mark.parametrize(("limit", "mode"), [(1, "chronological"), (2, "ranked"), (3, "chronological"), (7, "ranked")])
async def test_a_tenth_of_a_session_are_ads_whatever_the_size_of_its_pages(
    system: System, limit: int, mode: str
) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    made = await posts(system, author, photo, 27)
    await arrived(system, reader, made)
    session = Session(system, reader, mode, limit)
    kinds: list[str] = []
    while not session.ended:
        kinds += [item["kind"] for item in await session.read()]
    assert kinds.count("post") >= len(made)
    assert [place for place, kind in enumerate(kinds, start=1) if kind == "ad"] == list(range(10, len(kinds) + 1, 10))


async def test_an_author_just_left_is_not_recommended_in_the_same_session(system: System) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    made = await posts(system, author, photo, 6)
    await arrived(system, reader, made)
    session = Session(system, reader, "ranked", 5)
    await session.read()
    await unfollow(system, reader, author)
    await session.to_the_end()
    assert not set(made) & set(session.recommended)


async def test_older_posts_are_read_by_author_and_not_by_scanning_the_table(system: System) -> None:
    author, photo = await photographer(system)
    await posts(system, author, photo, 3)
    shard = ids.shard_of(int(author.id))
    table = f"{schema(shard)}.posts"
    async with (
        system.apps["posts"][SHARDS].connection(shard) as connection,
        connection.transaction(force_rollback=True),
    ):
        await connection.execute(
            f"INSERT INTO {table} (id, author_id, caption, hashtags, media_ids)"
            " SELECT number, number % 50, '', '{}', '{}' FROM generate_series(1, 20000) number"
        )
        await connection.execute(f"ANALYZE {table}")
        authors = [int(author.id), *range(20)]
        cursor = await connection.execute(
            "EXPLAIN " + POSTS_OF.replace("{s}", schema(shard)), (authors, ids.ID_MAX, 0, 51)
        )
        plan = "\n".join(row[0] for row in await cursor.fetchall())
    assert "posts_by_author" in plan, plan
    assert "Seq Scan on posts" not in plan, plan


@pytest.mark.parametrize(("mode", "seed"), [("ranked", 1), ("chronological", 2)])
async def test_whatever_happens_between_pages_a_session_is_complete(system: System, mode: str, seed: int) -> None:
    draw = random.Random(seed)
    authors = [await photographer(system) for _ in range(3)]
    fans = [await system.person() for _ in range(2)]
    reader = await follower_of(system, *(who for who, _ in authors[:2]))
    made: dict[str, set[str]] = {who.id: set() for who, _ in authors}
    for who, photo in authors:
        made[who.id] |= set(await posts(system, who, photo, 14))
    await arrived(system, reader, {each for who, _ in authors[:2] for each in made[who.id]})
    owed = made[authors[0][0].id] | made[authors[1][0].id]
    crossed = False
    session = Session(system, reader, mode, draw.choice((3, 5)))
    happened: list[str] = []
    while not session.ended:
        await session.read()
        what = draw.choice(("post", "cross", "expire", "evict", "follow", "nothing"))
        happened.append(what)
        who, photo = draw.choice(authors)
        match what:
            case "post":
                await post(system, who, photo)
            case "cross":
                change = unfollow if crossed else follow
                crossed = not crossed
                for fan in fans:
                    await change(system, fan, authors[0][0])
                await until(lambda: is_celebrity(system, authors[0][0]), crossed)
            case "expire":
                await expire(system, reader)
            case "evict":
                await redis_of(system).delete(Key.AUTHOR_POSTS.format(user=who.id))
            case "follow":
                await follow(system, reader, authors[2][0])
        if len(session.given) > 60:
            session.limit = 50  # the rest are recommendations
    assert owed <= set(session.given), happened
    assert not owed & set(session.recommended), happened
