"""Likes and comments, against real PostgreSQL, Redis and Kafka."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest
from aiohttp import web

from core import ids
from core.messages import LikeCreated, LikeDeleted
from core.names import Component, Key
from services.engagement.routes import COUNTERS
from services.engagement.rules import BATCH_MAX, LikeChange, batch
from services.kit.bus import consume_batches
from services.kit.config import MEMBER, SETTINGS
from services.kit.metrics import METRICS
from services.kit.stores.redis import REDIS
from tests.service.conftest import Someone, System, must_be_documented
from tests.service.fanout.timelines import post
from tests.service.media.photos import jpeg, uploaded
from tests.service.waiting import until

COMPONENTS = (Component.AUTH, Component.UPLOAD, Component.MEDIA, Component.POSTS, Component.ENGAGEMENT)
_KEYS = itertools.count(1)


@pytest.fixture(scope="module")
async def photo(system: System, ann: Someone) -> str:
    return await uploaded(system, ann, jpeg(64, 64))


@pytest.fixture
async def post_id(system: System, ann: Someone, photo: str) -> str:
    return await post(system, ann, photo)


async def like(system: System, who: Someone | str, post_id: str) -> Any:
    answer = await system.call("like.add", user=who, post_id=post_id)
    assert answer.status == 200, answer.json
    return answer.json


async def unlike(system: System, who: Someone | str, post_id: str) -> Any:
    answer = await system.call("like.remove", user=who, post_id=post_id)
    assert answer.status == 200, answer.json
    return answer.json


async def counted(system: System, post_id: str, key: str = Key.LIKES) -> int | None:
    """The count that readers find in Redis."""
    value: Any = await system.apps["engagement"][REDIS].get(key.format(post=post_id))
    return None if value is None else int(value.partition(b":")[0])


async def read_post(system: System, who: Someone, post_id: str) -> Any:
    return (await system.call("post.read", user=who, post_id=post_id)).json["post"]


async def test_a_repeated_like_counts_once(system: System, ann: Someone, ben: Someone, post_id: str) -> None:
    answer = await system.call("like.add", user=ben, post_id=post_id)
    must_be_documented("like.add", answer)
    assert answer.json == {"liked": True, "like_count": 1}
    assert await like(system, ben, post_id) == {"liked": True, "like_count": 1}
    assert await like(system, ann, post_id) == {"liked": True, "like_count": 2}
    assert await counted(system, post_id) == 2
    assert (await read_post(system, ben, post_id))["viewer_has_liked"] is True
    assert await unlike(system, ben, post_id) == {"liked": False, "like_count": 1}
    assert await unlike(system, ben, post_id) == {"liked": False, "like_count": 1}
    assert await counted(system, post_id) == 1
    shown = await read_post(system, ben, post_id)
    assert (shown["viewer_has_liked"], shown["like_count"]) == (False, 1)


async def test_the_count_is_exact_after_200_likes_and_unlikes_at_once(
    system: System, ann: Someone, post_id: str
) -> None:
    people = [str((int(ann.id) >> 10 << 10) + number) for number in range(1, 101)]

    await asyncio.gather(*(like(system, who, post_id) for who in people for _ in range(2)))
    assert (await read_post(system, ann, post_id))["like_count"] == 100
    assert await counted(system, post_id) == 100

    await asyncio.gather(
        *(like(system, who, post_id) for who in people), *(unlike(system, who, post_id) for who in people[::2])
    )
    expected = sum([await _likes_now(system, who, post_id) for who in people])
    assert (await read_post(system, ann, post_id))["like_count"] == expected
    assert await counted(system, post_id) == expected
    await asyncio.gather(*(unlike(system, who, post_id) for who in people))
    assert (await read_post(system, ann, post_id))["like_count"] == 0
    assert await counted(system, post_id) == 0


async def _likes_now(system: System, who: str, post_id: str) -> bool:
    answer = await system.call("post.read", user=who, post_id=post_id)
    return bool(answer.json["post"]["viewer_has_liked"])


async def test_each_change_is_published_once(system: System, ann: Someone, ben: Someone, post_id: str) -> None:
    await like(system, ann, post_id)
    await like(system, ann, post_id)
    await like(system, ben, post_id)
    await unlike(system, ann, post_id)
    told = await outbox_events(system, post_id)
    assert told == [("like.created", int(ann.id)), ("like.created", int(ben.id)), ("like.deleted", int(ann.id))]


async def outbox_events(system: System, post_id: str) -> list[tuple[str, int]]:
    """Events of the post, in the order of each topic, read from the log by the test's own consumer."""
    seen: list[tuple[str, int]] = []

    async def note(events: list[LikeCreated | LikeDeleted]) -> None:
        seen.extend((each.topic, each.user_id) for each in events if each.post_id == int(post_id))

    await system.drain()
    source = system.apps["engagement"]
    app = web.Application()
    app[MEMBER], app[METRICS], app[SETTINGS] = source[MEMBER], source[METRICS], source[SETTINGS]
    consumer = consume_batches(app, f"test {post_id}", {LikeCreated: note, LikeDeleted: note})
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await until(consumer.caught_up)
    finally:
        await runner.cleanup()
    return sorted(seen)


@pytest.mark.parametrize("operation", ["like.add", "like.remove", "comment.add", "comment.list"])
async def test_an_id_of_no_post_is_not_found(system: System, ann: Someone, photo: str, operation: str) -> None:
    gone = await post(system, ann, photo)
    assert (await system.call("post.delete", user=ann, post_id=gone)).status == 204
    body = {"text": "hello"} if operation == "comment.add" else None
    for post_id, status in ((gone, 404), ("1024", 404), ("12x", 400)):
        answer = await system.call(operation, user=ann, post_id=post_id, json=body)
        assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.json
    assert (await system.call(operation, post_id=gone, json=body)).status == 401


async def test_comments_are_listed_newest_first_and_pages_neither_repeat_nor_skip(
    system: System, ann: Someone, ben: Someone, post_id: str
) -> None:
    made = []
    for number in range(7):
        answer = await comment(system, (ann, ben)[number % 2], post_id, f"  comment {number}  ")
        made.append(answer.json["comment"])
    assert made[0]["text"] == "comment 0"
    assert made[1]["author"] == {"id": ben.id, "username": ben.username, "display_name": ben.username}
    assert await counted(system, post_id, Key.COMMENTS) == 7
    assert (await read_post(system, ann, post_id))["comment_count"] == 7

    seen, cursor = [], None
    while True:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = await system.call("comment.list", user=ann, post_id=post_id, query=query)
        must_be_documented("comment.list", page)
        seen += page.json["items"]
        cursor = page.json["next_cursor"]
        assert (cursor is None) == ("Link" not in page.headers)
        await comment(system, ann, post_id, "meanwhile")
        if cursor is None:
            break
    assert seen == made[::-1]


async def comment(system: System, who: Someone, post_id: str, text: str, key: str = "") -> Any:
    answer = await system.call(
        "comment.add",
        user=who,
        post_id=post_id,
        json={"text": text},
        headers={"Idempotency-Key": key or f"comment {next(_KEYS)}"},
    )
    assert answer.status == 201, answer.json
    must_be_documented("comment.add", answer)
    return answer


async def test_one_key_makes_one_comment(system: System, ann: Someone, post_id: str) -> None:
    answers = await asyncio.gather(*(comment(system, ann, post_id, "once", key=f"once {post_id}") for _ in range(5)))
    assert len({answer.body for answer in answers}) == 1
    assert (await read_post(system, ann, post_id))["comment_count"] == 1
    other = await system.call(
        "comment.add",
        user=ann,
        post_id=post_id,
        json={"text": "twice"},
        headers={"Idempotency-Key": f"once {post_id}"},
    )
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    assert other.json["errors"][0]["field"] == "Idempotency-Key"


async def on_shard(system: System, shard: int) -> Someone:
    """A new person whose account is on this shard."""
    names = (f"shard.{time.time_ns() // 1000:x}.{number}" for number in itertools.count())
    return await system.person(next(name for name in names if ids.shard_of_name(name, 16) == shard))


async def test_a_key_of_one_comment_is_refused_for_another_post_whatever_its_shard(system: System) -> None:
    writer = await on_shard(system, 3)
    posts = []
    for shard in (3, 4, 5, 5):  # the writer's own shard, others on both instances, and one of them twice
        author = await on_shard(system, shard)
        posts.append(await post(system, author, await uploaded(system, author, jpeg(64, 64))))

    for first in posts:
        headers = {"Idempotency-Key": f"first on {first}"}
        statuses = {}
        for post_id in [first, *posts]:
            answer = await system.call("comment.add", user=writer, post_id=post_id, json={"text": "a"}, headers=headers)
            statuses[post_id] = answer.status
        assert statuses == {post_id: 201 if post_id == first else 422 for post_id in posts}
    for post_id in posts:
        assert (await read_post(system, writer, post_id))["comment_count"] == 1


async def test_a_refused_comment_frees_its_key_and_a_repeat_of_it_too(system: System, ann: Someone) -> None:
    headers = {"Idempotency-Key": "refused first"}
    for shard in range(4):
        gone = str(ids.compose(created_ms=ids.EPOCH_MS + 1, shard=shard, sequence=0))
        for _ in range(2):
            missing = await system.call("comment.add", user=ann, post_id=gone, json={"text": "a"}, headers=headers)
            assert missing.status == 404
    author = await system.person()
    post_id = await post(system, author, await uploaded(system, author, jpeg(64, 64)))
    added = await system.call("comment.add", user=ann, post_id=post_id, json={"text": "a"}, headers=headers)
    assert added.status == 201


async def test_of_two_comments_with_one_key_at_once_one_is_written(system: System, ann: Someone) -> None:
    posts = []
    for shard in (6, 7, 8, 9):
        author = await on_shard(system, shard)
        posts.append(await post(system, author, await uploaded(system, author, jpeg(64, 64))))
    answers = await asyncio.gather(
        *(
            system.call(
                "comment.add", user=ann, post_id=post_id, json={"text": "a"}, headers={"Idempotency-Key": "race"}
            )
            for post_id in posts * 3
        )
    )
    won = [post_id for post_id, answer in zip(posts * 3, answers, strict=True) if answer.status == 201]
    assert len(won) == 3
    assert len(set(won)) == 1
    assert sorted({answer.status for answer in answers}) == [201, 422]
    counts = [(await read_post(system, ann, post_id))["comment_count"] for post_id in posts]
    assert sorted(counts) == [0, 0, 0, 1]


async def test_comments_of_one_post_are_not_continued_by_those_of_another(
    system: System, ann: Someone, ben: Someone, photo: str
) -> None:
    first, second = await post(system, ann, photo), await post(system, ann, photo)
    for post_id in (first, first, second, second):
        await comment(system, ann, post_id, "hi")
    cursor = (await system.call("comment.list", user=ann, post_id=first, query={"limit": 1})).json["next_cursor"]

    async def status(who: Someone, post_id: str) -> int:
        return (await system.call("comment.list", user=who, post_id=post_id, query={"cursor": cursor})).status

    assert await status(ann, first) == 200
    assert await status(ann, second) == 400
    assert await status(ben, first) == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "   "}, "text"),
        ({"text": "\u200b"}, "text"),
        ({"text": "\u3164 \u2060"}, "text"),
        ({"text": "x" * 2201}, "text"),
        ({"text": 7}, "text"),
        ({}, "text"),
        ({"text": "a", "mood": "b"}, "mood"),
        ({"text": "nul \0"}, "body"),
    ],
)
async def test_a_wrong_comment_names_its_field(
    system: System, ann: Someone, post_id: str, body: Any, field: str
) -> None:
    answer = await system.call("comment.add", user=ann, post_id=post_id, json=body)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, field)
    assert (await read_post(system, ann, post_id))["comment_count"] == 0


async def test_a_cursor_of_somebody_elses_making_is_refused(system: System, ann: Someone, post_id: str) -> None:
    answer = await system.call("comment.list", user=ann, post_id=post_id, query={"cursor": "MTIz"})
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "cursor")


async def test_with_redis_cut_off_likes_are_accepted_and_redis_is_right_again_afterwards(
    system: System, servers: Any, ann: Someone, ben: Someone, post_id: str
) -> None:
    await like(system, ann, post_id)
    assert await counted(system, post_id) == 1
    redis = system.apps["engagement"][REDIS]
    with servers.broken("engagement_redis"):
        assert await like(system, ben, post_id) == {"liked": True, "like_count": 2}
        assert await unlike(system, ann, post_id) == {"liked": False, "like_count": 1}
        assert await like(system, ann, post_id) == {"liked": True, "like_count": 2}
        assert system.apps["engagement"][COUNTERS].owed > 0

    async def paid() -> bool:
        return system.apps["engagement"][COUNTERS].owed == 0

    await until(paid)
    assert await counted(system, post_id) == 2
    assert await redis.exists(Key.LIKED.format(user=ann.id)) == 0


async def test_with_the_log_down_likes_are_accepted_and_published_when_it_is_back(
    system: System, servers: Any, ann: Someone, ben: Someone, post_id: str
) -> None:
    with servers.broken("engagement_kafka"):
        assert await like(system, ann, post_id) == {"liked": True, "like_count": 1}
        assert await like(system, ben, post_id) == {"liked": True, "like_count": 2}
    assert await outbox_events(system, post_id) == [("like.created", int(ann.id)), ("like.created", int(ben.id))]


def test_a_batch_takes_the_first_change_of_each_person_and_post_and_no_more_than_its_bound() -> None:
    def change(user_id: int, post_id: int = 1, *, liked: bool = True) -> LikeChange:
        return LikeChange(post_id=post_id, user_id=user_id, liked=liked, request_id="")

    assert batch([change(1), change(2), change(1, liked=False), change(1, post_id=2)]) == [0, 1, 3]
    assert batch(change(number) for number in range(BATCH_MAX + 5)) == list(range(BATCH_MAX))
