"""Fan-out over the real log into real timelines; a celebrity here has three followers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core import ids, scenario
from core.messages import FollowCreated, FollowDeleted, PostCreated, PostDeleted
from core.names import Component, Key
from core.policies.partition import partition_of
from records import scenarios
from services.fanout.events import FANOUT
from services.kit import outbox
from services.kit.config import MEMBER
from tests.service.conftest import SCENARIO, Running, Someone, System
from tests.service.fanout.timelines import (
    author_posts,
    follow,
    has_timeline,
    is_celebrity,
    is_pulled,
    post,
    reads,
    redis_of,
    timeline,
    unfollow,
)
from tests.service.media.photos import jpeg, uploaded
from tests.service.waiting import until

COMPONENTS = (Component.AUTH, Component.GRAPH, Component.POSTS, Component.UPLOAD, Component.MEDIA, Component.FANOUT)


@pytest.fixture(scope="module")
async def system(running: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The module's components with a threshold of 3 followers, and of 1.5 on the way down."""
    read = scenarios.read(SCENARIO)
    fanout = replace(read.system.fanout, threshold=3, hysteresis_ratio=0.5, batch=2)
    text = scenario.explain(replace(read, system=replace(read.system, fanout=fanout)))
    path: Path = tmp_path_factory.mktemp("fanout") / "scenario.yaml"
    path.write_text(text, encoding="utf-8")  # noqa: ASYNC240 - before anything runs
    async with running(*COMPONENTS, scenario=path) as system:
        yield system


@pytest.fixture
async def author(system: System) -> Someone:
    return await system.person()


@pytest.fixture
async def photo(system: System, author: Someone) -> str:
    return await uploaded(system, author, jpeg(64, 64))


@pytest.fixture
async def fans(system: System) -> list[Someone]:
    """Three people who read."""
    people = [await system.person() for _ in range(3)]
    await reads(system, *people)
    return people


async def test_a_post_reaches_those_who_follow_and_read_and_nobody_else(
    system: System, author: Someone, photo: str, fans: list[Someone]
) -> None:
    sleeper = await system.person()
    await follow(system, fans[0], author)
    await follow(system, sleeper, author)

    made = await post(system, author, photo)
    await system.drain()

    assert await timeline(system, fans[0]) == [made]
    assert await timeline(system, fans[1]) == []
    assert not await has_timeline(system, sleeper)
    assert await author_posts(system, author) == [made]


async def test_a_new_follower_gets_recent_posts_and_loses_them_by_leaving(
    system: System, author: Someone, photo: str, fans: list[Someone]
) -> None:
    other = await system.person()
    other_photo = await uploaded(system, other, jpeg(64, 65))
    made = [await post(system, author, photo) for _ in range(3)]
    kept = await post(system, other, other_photo)
    await follow(system, fans[0], other)
    await follow(system, fans[0], author)
    await system.drain()
    assert await timeline(system, fans[0]) == [kept, *reversed(made)]

    await unfollow(system, fans[0], author)
    await system.drain()
    assert await timeline(system, fans[0]) == [kept]


async def test_a_deleted_post_leaves_every_timeline(
    system: System, author: Someone, photo: str, fans: list[Someone]
) -> None:
    for fan in fans[:2]:
        await follow(system, fan, author)
    first, second = await post(system, author, photo), await post(system, author, photo)
    for fan in fans[:2]:
        await until(partial(timeline, system, fan), [second, first])

    await system.call("post.delete", user=author, post_id=first)

    for fan in fans[:2]:
        await until(partial(timeline, system, fan), [second])
    assert await author_posts(system, author) == [second]


async def test_above_the_threshold_nothing_is_pushed_and_readers_can_pull(
    system: System, author: Someone, photo: str, fans: list[Someone]
) -> None:
    for fan in fans:
        await follow(system, fan, author)
    made = await post(system, author, photo)
    await system.drain()
    assert [await timeline(system, fan) for fan in fans] == [[], [], []]
    assert await author_posts(system, author) == [made]
    assert await is_celebrity(system, author)


async def test_changing_sides_leaves_no_gap_and_wavering_does_not_change_them(
    system: System, author: Someone, photo: str, fans: list[Someone]
) -> None:
    for fan in fans[:2]:
        await follow(system, fan, author)
    pushed = await post(system, author, photo)
    await system.drain()  # a post that is handled only after the third follow is a celebrity's: pulled, not pushed
    assert [await timeline(system, fan) for fan in fans] == [[pushed], [pushed], []]
    assert not await is_celebrity(system, author)

    await follow(system, fans[2], author)  # three: a celebrity
    await until(lambda: is_celebrity(system, author), True)
    assert await is_pulled(system, author)
    pulled = await post(system, author, photo)
    await until(lambda: author_posts(system, author), [pulled, pushed])

    await unfollow(system, fans[2], author)  # two: still one, by hysteresis
    await system.drain()
    assert await is_celebrity(system, author)
    assert await timeline(system, fans[0]) == [pushed]

    await unfollow(system, fans[1], author)  # one: no longer
    await until(lambda: is_celebrity(system, author), False)
    both = await post(system, author, photo)
    await until(lambda: timeline(system, fans[0]), [both, pushed])  # pushed again …
    assert await is_pulled(system, author)  # … and pulled, while there are timelines that lack what was only pulled
    assert await author_posts(system, author) == [both, pulled, pushed]
    await until(lambda: timeline(system, fans[1]), [])


async def test_a_new_follower_gets_every_post_that_the_timeline_reaches_back_to(
    system: System, author: Someone, photo: str, fans: list[Someone]
) -> None:
    made = [await post(system, author, photo) for _ in range(55)]
    await system.drain()
    await reads(system, fans[1], floor_ms=ids.created_ms_of(int(made[30])))
    for fan in fans[:2]:
        await follow(system, fan, author)
    await system.drain()
    assert await timeline(system, fans[0]) == made[::-1]
    assert await timeline(system, fans[1]) == made[:29:-1]


async def test_ones_own_posts_are_in_ones_own_timeline_until_they_are_deleted(
    system: System, author: Someone, photo: str, fans: list[Someone]
) -> None:
    await reads(system, author)
    for fan in fans:
        await follow(system, fan, author)
    await until(lambda: is_celebrity(system, author), True)
    kept, gone = await post(system, author, photo), await post(system, author, photo)
    await until(lambda: timeline(system, author), [gone, kept])
    await system.call("post.delete", user=author, post_id=gone)
    await until(lambda: timeline(system, author), [kept])


async def test_repeated_or_late_or_reordered_events_change_nothing(
    system: System, author: Someone, photo: str, fans: list[Someone]
) -> None:
    fanout = system.apps["fanout"][FANOUT]
    await follow(system, fans[0], author)
    gone, kept = await post(system, author, photo), await post(system, author, photo)
    await system.call("post.delete", user=author, post_id=gone)
    await system.drain()
    stamp = outbox.stamp(system.apps["posts"], ids.shard_of(int(author.id)))

    def created(post_id: str) -> PostCreated:
        return PostCreated(
            **stamp, post_id=int(post_id), author_id=int(author.id), media_ids=(int(photo),), caption="", hashtags=()
        )

    edge: dict[str, int] = {"follower_id": int(fans[0].id), "followee_id": int(author.id)}
    await fanout.on_post(created(kept))
    await fanout.on_post(created(gone))  # its deletion came first
    await fanout.on_post_deleted(PostDeleted(**stamp, post_id=int(gone), author_id=int(author.id)))
    await fanout.on_follows([FollowDeleted(**stamp, **edge), FollowCreated(**stamp, **edge)])
    await fanout.on_follows([FollowDeleted(**stamp, **edge)])  # the edge is there: an old event

    assert await timeline(system, fans[0]) == [kept]
    assert await author_posts(system, author) == [kept]


async def test_what_redis_has_lost_or_made_up_about_celebrities_is_put_right(
    system: System, author: Someone, photo: str, fans: list[Someone]
) -> None:
    redis = redis_of(system)
    for fan in fans:
        await follow(system, fan, author)
    first = await post(system, author, photo)
    await until(lambda: is_celebrity(system, author), True)
    nobody = await system.person()
    async with redis.pipeline(transaction=True) as pipe:  # at once: else the worker may repair the first change
        pipe.delete(Key.PULLED, Key.AUTHOR_POSTS.format(user=author.id))
        pipe.sadd(Key.PULLED, nobody.id)  # so there is a set, but an incomplete one
        await pipe.execute()

    # by the worker's own timer
    await until(lambda: is_celebrity(system, author), True)
    await until(lambda: is_pulled(system, nobody), False)

    second = await post(system, author, photo)
    await system.drain()
    assert await author_posts(system, author) == [second, first]


async def test_what_was_posted_while_the_log_was_down_arrives_when_it_is_back(
    servers: Any, system: System, author: Someone, photo: str, fans: list[Someone]
) -> None:
    await follow(system, fans[0], author)
    await system.drain()  # else a late follow brings the author's recent posts, which needs no log
    with servers.broken("posts_kafka"):
        made = [await post(system, author, photo) for _ in range(3)]
        assert await timeline(system, fans[0]) == []
    await until(lambda: timeline(system, fans[0]), made[::-1])


async def test_delivery_is_measured_under_the_shared_names(system: System, author: Someone, photo: str) -> None:
    made = await post(system, author, photo)
    await until(lambda: author_posts(system, author), [made])
    await system.drain()
    page = (await system.send("fanout", "GET", "/metrics")).body.decode()
    assert 'windtunnel_request_seconds_count{component="fanout",operation="fanout.deliver",outcome="ok"}' in page
    assert 'operation="fanout.deliver",stage="push"' in page
    assert 'windtunnel_consumer_lag_seconds_count{component="fanout",topic="post.created"}' in page


async def test_a_huge_account_delays_no_other_author_of_its_partition(system: System, photo: str) -> None:
    partitions = system.apps["fanout"][MEMBER].stores.kafka.partitions  # type: ignore[union-attr]
    people = [await system.person() for _ in range(partitions + 1)]
    huge, other = next(
        (one, two)
        for place, one in enumerate(people)
        for two in people[place + 1 :]
        if partition_of(one.id.encode(), partitions) == partition_of(two.id.encode(), partitions)
    )
    fan = await system.person()
    await reads(system, fan)
    await follow(system, fan, huge)
    await follow(system, fan, other)
    await system.drain()
    photos = {each.id: await uploaded(system, each, jpeg(64, 65)) for each in (huge, other)}

    # as if it had endless followers: all work for the huge account waits
    async with system.apps["fanout"][FANOUT].locks.of(int(huge.id)):
        first = await post(system, huge, photos[huge.id])
        second = await post(system, other, photos[other.id])
        await until(partial(timeline, system, fan), [second])
    await system.drain()
    assert sorted(await timeline(system, fan)) == sorted([first, second])
