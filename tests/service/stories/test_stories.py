"""Stories through real HTTP and real stores."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core import ids
from core.names import Component, Key
from services.kit.clock import now_ms
from services.kit.stores.postgres import SHARDS, schema
from services.kit.stores.redis import REDIS
from services.stories.routes import STALE
from services.stories.rules import AUTHORS_MAX, LIVES_MS, TrayStory, alive, expires_ms, tray
from tests.service.conftest import Someone, System, must_be_documented
from tests.service.fanout.timelines import follow, unfollow
from tests.service.feed.people import follower_of, photographer
from tests.service.media.photos import announce, jpeg
from tests.service.waiting import until

COMPONENTS = (Component.AUTH, Component.GRAPH, Component.UPLOAD, Component.MEDIA, Component.STORIES)


async def updates(system: System, author: Someone, photo: str) -> Any:
    answer = await system.call("story.create", user=author, json={"media_id": photo})
    assert answer.status == 201, answer.json
    must_be_documented("story.create", answer)
    return answer.json["story"]


async def shown(system: System, who: Someone) -> list[tuple[str, bool, list[str]]]:
    """The tray as (author, unseen, stories)."""
    answer = await system.call("story.tray", user=who)
    assert answer.status == 200, answer.json
    must_be_documented("story.tray", answer)
    return [
        (item["author"]["id"], item["unseen"], [story["id"] for story in item["stories"]])
        for item in answer.json["items"]
    ]


async def see(system: System, who: Someone, story_id: str) -> int:
    return (await system.call("story.seen", user=who, story_id=story_id)).status


async def test_a_story_shows_in_followers_trays_at_once_unseen_first_and_then_newest(system: System) -> None:
    authors = [await photographer(system) for _ in range(3)]
    reader = await follower_of(system, *(who for who, _ in authors))
    stranger = await system.person()
    assert await shown(system, reader) == []
    stories = [await updates(system, who, photo) for who, photo in authors]
    second = await updates(system, *authors[0])
    first_of_all = (authors[0][0].id, True, [stories[0]["id"], second["id"]])
    others = [(authors[number][0].id, True, [stories[number]["id"]]) for number in (2, 1)]
    assert await shown(system, reader) == [first_of_all, *others]
    assert await shown(system, stranger) == []

    assert await see(system, reader, stories[2]["id"]) == 204
    assert await see(system, reader, stories[2]["id"]) == 204
    assert await see(system, reader, stories[0]["id"]) == 204
    seen = (authors[2][0].id, False, [stories[2]["id"]])
    assert await shown(system, reader) == [first_of_all, others[1], seen]
    items = (await system.call("story.tray", user=reader)).json["items"]
    assert [story["seen"] for story in items[0]["stories"]] == [True, False]


async def test_ones_own_story_is_first_in_ones_own_tray_whichever_store_answers(system: System) -> None:
    author, photo = await photographer(system)
    followed, other_photo = await photographer(system)
    await follow(system, author, followed)
    own = await updates(system, author, photo)
    theirs = await updates(system, followed, other_photo)
    wanted = [(author.id, True, [own["id"]]), (followed.id, True, [theirs["id"]])]
    assert await shown(system, author) == wanted
    redis: Any = system.apps["stories"][REDIS]
    await redis.delete(*(Key.STORIES.format(user=who.id) for who in (author, followed)))
    await redis.delete(Key.FOLLOWING.format(user=author.id))
    assert await shown(system, author) == wanted
    assert await see(system, author, own["id"]) == 204
    assert (await shown(system, author))[0] == (author.id, False, [own["id"]])


async def test_a_story_lives_24_hours_to_the_millisecond(system: System) -> None:
    author, photo = await photographer(system)
    story = await updates(system, author, photo)
    created_ms = ids.created_ms_of(int(story["id"]))
    assert expires_ms(created_ms) == created_ms + LIVES_MS == created_ms + 86_400_000
    assert alive(created_ms + LIVES_MS, now_ms=created_ms + LIVES_MS - 1)
    assert not alive(created_ms + LIVES_MS, now_ms=created_ms + LIVES_MS)


async def test_a_story_is_in_no_read_from_the_moment_it_ends(system: System) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    story = await updates(system, author, photo)
    other = await updates(system, author, photo)
    await system.drain()
    assert await shown(system, reader) == [(author.id, True, [story["id"], other["id"]])]
    ends_ms = await ends_soon(system, author, int(story["id"]), in_ms=700)

    answers = []
    while now_ms() < ends_ms + 300:
        asked_ms = now_ms()
        there = await shown(system, reader) == [(author.id, True, [story["id"], other["id"]])]
        answers.append((asked_ms, now_ms(), there))
    assert any(there for _, _, there in answers)
    for asked_ms, answered_ms, there in answers:
        if answered_ms < ends_ms:
            assert there
        if asked_ms >= ends_ms:
            assert not there
    assert await shown(system, reader) == [(author.id, True, [other["id"]])]
    assert await see(system, reader, story["id"]) == 404
    assert await see(system, reader, other["id"]) == 204


async def ends_soon(system: System, author: Someone, story_id: int, *, in_ms: int) -> int:
    """Let a story end soon, in both stores, as if it had been created 24 hours ago; returns when it ends."""
    redis: Any = system.apps["stories"][REDIS]
    key, ends_ms = Key.STORIES.format(user=author.id), now_ms() + in_ms
    for member in await redis.zrange(key, 0, -1):
        if member.startswith(f"{story_id}|".encode()):
            await redis.zadd(key, {member: ends_ms})
    shard = ids.shard_of(story_id)
    async with system.apps["stories"][SHARDS].connection(shard) as connection:
        await connection.execute(
            f"UPDATE {schema(shard)}.stories SET expires_ms = %s WHERE id = %s", (ends_ms, story_id)
        )
    return ends_ms


async def test_following_and_unfollowing_change_the_tray(system: System) -> None:
    author, photo = await photographer(system)
    reader = await system.person()
    story = await updates(system, author, photo)
    assert await shown(system, reader) == []
    await follow(system, reader, author)
    assert await shown(system, reader) == [(author.id, True, [story["id"]])]
    await unfollow(system, reader, author)
    assert await shown(system, reader) == []


async def test_what_redis_has_lost_comes_from_postgresql_and_is_kept_again(system: System) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author, (await photographer(system))[0])
    story = await updates(system, author, photo)
    assert await see(system, reader, story["id"]) == 204
    await system.drain()
    redis: Any = system.apps["stories"][REDIS]
    keys = [
        Key.STORIES.format(user=author.id),
        Key.STORIES_SEEN.format(user=reader.id),
        Key.FOLLOWING.format(user=reader.id),
    ]
    await redis.delete(*keys)
    assert await shown(system, reader) == [(author.id, False, [story["id"]])]
    assert await redis.exists(*keys) == 3
    assert await shown(system, reader) == [(author.id, False, [story["id"]])]


async def test_the_photo_is_shown_when_it_has_been_processed(system: System) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    await updates(system, author, photo)

    async def processed() -> bool:
        items = (await system.call("story.tray", user=reader)).json["items"]
        media = items[0]["stories"][0]["media"]
        return media["state"] == "succeeded" and len(media["variants"]) >= 4

    await until(processed)
    items = (await system.call("story.tray", user=reader)).json["items"]
    urls = [variant["url"] for variant in items[0]["stories"][0]["media"]["variants"]]
    assert all(url.startswith("http://127.0.0.1/media/") for url in urls)
    assert len(items[0]["stories"]) == 1
    redis: Any = system.apps["stories"][REDIS]
    assert len(await redis.zrangebyscore(Key.STORIES.format(user=author.id), 0, "+inf")) == 1


async def test_one_key_makes_one_story(system: System) -> None:
    author, photo = await photographer(system)
    answers = await asyncio.gather(
        *(
            system.call(
                "story.create", user=author, json={"media_id": photo}, headers={"Idempotency-Key": f"one {author.id}"}
            )
            for _ in range(4)
        )
    )
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["story"]["id"] for answer in answers}) == 1


async def test_a_story_needs_an_uploaded_photo_of_ones_own(system: System) -> None:
    author, photo = await photographer(system)
    other = await system.person()
    announced = (await announce(system, author, jpeg(64, 64)))["media"]["id"]
    for who, body, field in (
        (other, {"media_id": photo}, "media_id"),
        (author, {"media_id": announced}, "media_id"),
        (author, {"media_id": "12x"}, "media_id"),
        (author, {"media_id": 12}, "media_id"),
        (author, {}, "media_id"),
        (author, {"media_id": photo, "music": "x"}, "music"),
    ):
        answer = await system.call("story.create", user=who, json=body)
        assert (answer.status, answer.json["errors"][0]["field"]) == (400, field), answer.json
    assert (await system.call("story.create", json={"media_id": photo})).status == 401
    assert await see(system, author, "1024") == 404
    assert await see(system, author, "x") == 400


async def test_a_seen_mark_is_kept_while_redis_is_cut_off_and_shown_later(system: System) -> None:
    """The mark is in PostgreSQL; Redis drops the viewer's marks when it is back, and they are read from there."""
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    story = await updates(system, author, photo)
    assert await shown(system, reader) == [(author.id, True, [story["id"]])]
    app = system.apps["stories"]
    app[STALE].add(int(reader.id))
    shard = ids.shard_of(int(reader.id))
    async with app[SHARDS].connection(shard) as connection:
        await connection.execute(
            f"INSERT INTO {schema(shard)}.stories_seen (viewer_id, story_id, expires_ms) VALUES (%s, %s, %s)",
            (int(reader.id), int(story["id"]), now_ms() + LIVES_MS),
        )

    async def known() -> bool:
        return await shown(system, reader) == [(author.id, False, [story["id"]])]

    await until(known, within_seconds=10)
    assert len(app[STALE]) == 0


def tray_story(story_id: int, author_id: int, *, ends_ms: int = 100, card: bytes = b"card") -> TrayStory:
    return TrayStory(story_id=story_id, author_id=author_id, expires_ms=ends_ms, card=card)


def test_a_tray_is_bounded_shows_each_story_once_and_prefers_the_one_with_pictures() -> None:
    many = [tray_story(number, number) for number in range(1, AUTHORS_MAX + 10)]
    assert len(tray(many, viewer_id=0, seen=(), now_ms=0)) == AUTHORS_MAX
    assert [each.author_id for each in tray(many, viewer_id=0, seen=(), now_ms=0)][:2] == [
        AUTHORS_MAX + 9,
        AUTHORS_MAX + 8,
    ]
    twice = [tray_story(1, 1, card=b"with pictures"), tray_story(1, 1, card=b"bare")]
    assert [story.card for story in tray(twice, viewer_id=0, seen=(), now_ms=0)[0].stories] == [b"with pictures"]
    assert tray([tray_story(1, 1, ends_ms=5)], viewer_id=0, seen=(), now_ms=5) == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_story_that_one_writer_calls_deleted_is_not_shown_whatever_a_late_one_says(order: int) -> None:
    stories = [tray_story(1, 7), tray_story(1, 7, card=b""), tray_story(2, 7)][::order]
    assert [[story.story_id for story in each.stories] for each in tray(stories, viewer_id=0, seen=(), now_ms=0)] == [
        [2]
    ]
    assert tray([tray_story(1, 7, card=b"")], viewer_id=7, seen=(), now_ms=0) == []


async def test_a_story_deleted_by_its_author_is_in_no_tray_whichever_store_answers(system: System) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    kept, doomed = await updates(system, author, photo), await updates(system, author, photo)
    assert await shown(system, reader) == [(author.id, True, [kept["id"], doomed["id"]])]
    assert await see(system, reader, kept["id"]) == 204

    async def delete(who: Someone | None) -> int:
        return (await system.call("story.delete", user=who, story_id=doomed["id"])).status

    assert [await delete(who) for who in (None, reader, author, author)] == [401, 403, 204, 404]

    tray_of = [(author.id, False, [kept["id"]])]
    assert await shown(system, reader) == tray_of
    assert await see(system, reader, doomed["id"]) == 404
    redis: Any = system.apps["stories"][REDIS]
    key = Key.STORIES.format(user=author.id)
    members = {member.partition(b"|")[0]: member.partition(b"|")[2] for member in await redis.zrange(key, 0, -1)}
    assert members[doomed["id"].encode()] == b""
    assert members[kept["id"].encode()]
    await system.drain()  # repeated events of its creation and its end change nothing
    await redis.zadd(key, {doomed["id"].encode() + b"|\n" + b'"id":"late"': now_ms() + LIVES_MS})
    assert await shown(system, reader) == tray_of
    await redis.delete(key)
    assert await shown(system, reader) == tray_of


@pytest.mark.parametrize("seen", [{1}, {1, 2}])
def test_an_author_is_unseen_while_any_story_is(seen: set[int]) -> None:
    stories = [tray_story(1, 7), tray_story(2, 7)]
    assert tray(stories, viewer_id=0, seen=seen, now_ms=0)[0].unseen is (2 not in seen)
