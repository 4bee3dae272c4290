"""The feed while Redis is stopped, killed, empty, or cut off: slower, from PostgreSQL, and complete."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.names import DEGRADED_HEADER, Component, Key
from services.kit.stores.redis import REDIS
from stack import ports
from tests.children import WITH_US
from tests.service.conftest import Running, Someone, System
from tests.service.feed.people import follower_of, page, photographer, posts, shown
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
RECOVERS_SECONDS = 5.0


class OwnRedis:
    """A Redis of this module's own, which may be stopped and killed."""

    def __init__(self, folder: Path):
        self._folder = folder
        self.port = ports.choose(("redis",), {})["redis"]
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        binary = shutil.which("redis-server")
        assert binary is not None
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        return subprocess.Popen([*WITH_US, binary, *arguments], stdout=subprocess.DEVNULL)

    def pause(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        self.process = self._started()


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    redis = OwnRedis(tmp_path_factory.mktemp("redis"))
    yield redis
    redis.kill()


@pytest.fixture(scope="module")
async def system(running: Running, servers: Any, own_redis: OwnRedis) -> AsyncIterator[System]:
    stores = {}
    for component in COMPONENTS:
        own = servers.stores(component)
        if own.redis is not None:
            stores[component] = msgspec.structs.replace(
                own, redis=msgspec.structs.replace(own.redis, host="127.0.0.1", port=own_redis.port)
            )
    async with running(*COMPONENTS, stores=stores) as system:
        yield system


@pytest.fixture
async def reader(system: System) -> tuple[Someone, list[str]]:
    """Somebody who follows two people with ten posts each, and what they have posted, newest first."""
    authors = [await photographer(system) for _ in range(2)]
    who = await follower_of(system, *(author for author, _ in authors))
    mine: list[str] = []
    for author, photo in authors:
        mine += await posts(system, author, photo, 10)

    async def warm() -> bool:
        answer = await page(system, who, mode="chronological")
        return DEGRADED_HEADER not in answer.headers and shown(answer) == sorted(mine, key=int, reverse=True)

    await until(warm, within_seconds=20)
    return who, sorted(mine, key=int, reverse=True)


async def recovered(system: System, who: Someone, mine: list[str]) -> None:
    async def whole() -> bool:
        answer = await page(system, who, mode="chronological")
        assert shown(answer) == mine
        return DEGRADED_HEADER not in answer.headers

    await until(whole, within_seconds=RECOVERS_SECONDS)


async def test_while_redis_hangs_feeds_come_complete_from_postgresql_and_likes_are_accepted(
    system: System, own_redis: OwnRedis, reader: tuple[Someone, list[str]]
) -> None:
    who, mine = reader
    own_redis.pause()
    try:
        for _ in range(8):
            answer = await page(system, who, mode="chronological")
            assert shown(answer) == mine
            assert "timeline" in answer.headers[DEGRADED_HEADER].split(",")
        liked = await system.call("like.add", user=who, post_id=mine[3])
        assert liked.json == {"liked": True, "like_count": 1}

        async def counted() -> bool:
            answer = await page(system, who, mode="chronological")
            item = next(each["post"] for each in answer.json["items"] if each.get("post", {}).get("id") == mine[3])
            return (item["like_count"], item["viewer_has_liked"]) == (1, True)

        await until(counted, within_seconds=RECOVERS_SECONDS)
        many = await asyncio.gather(*(page(system, who) for _ in range(30)))
        assert all(len(shown(each)) >= len(mine) for each in many)
    finally:
        own_redis.go_on()
    await recovered(system, who, mine)


async def test_a_session_continues_without_repeat_or_gap_when_redis_hangs(
    system: System, own_redis: OwnRedis, reader: tuple[Someone, list[str]]
) -> None:
    who, mine = reader
    first = await page(system, who, mode="chronological", limit=6)
    own_redis.pause()
    try:
        second = await page(system, who, limit=6, cursor=first.json["next_cursor"])
    finally:
        own_redis.go_on()
    await recovered(system, who, mine)
    third = await page(system, who, limit=20, cursor=second.json["next_cursor"])
    assert shown(first) + shown(second) + shown(third) == mine


async def test_a_redis_that_comes_back_empty_is_filled_and_nothing_is_missing_meanwhile(
    system: System, own_redis: OwnRedis, reader: tuple[Someone, list[str]]
) -> None:
    who, mine = reader
    own_redis.kill()
    answer = await page(system, who, mode="chronological")
    assert shown(answer) == mine
    assert answer.headers[DEGRADED_HEADER]
    own_redis.start_again()
    await recovered(system, who, mine)
    redis: Any = system.apps["feed"][REDIS]

    async def filled() -> bool:
        await page(system, who)
        return bool(
            await redis.exists(Key.TIMELINE.format(user=who.id))
            and await redis.exists(Key.POST_CARD.format(post=mine[0]))
            and await redis.exists(Key.LIKED.format(user=who.id))
            and await redis.llen(Key.HOUSE_ADS)
            and await redis.zcard(Key.POPULAR)
        )

    await until(filled, within_seconds=15)


async def test_a_post_deleted_while_redis_hangs_is_not_shown_then_nor_afterwards(
    system: System, own_redis: OwnRedis, reader: tuple[Someone, list[str]]
) -> None:
    who, mine = reader
    authors = await page(system, who, mode="chronological")
    doomed = authors.json["items"][0]["post"]
    own_redis.pause()
    try:
        deleted = await system.call("post.delete", user=doomed["author"]["id"], post_id=doomed["id"])
        assert deleted.status == 204

        async def gone() -> bool:
            return doomed["id"] not in shown(await page(system, who, mode="chronological"))

        await until(gone, within_seconds=RECOVERS_SECONDS)
    finally:
        own_redis.go_on()

    async def gone_for_good() -> bool:
        answer = await page(system, who, mode="chronological")
        return DEGRADED_HEADER not in answer.headers and doomed["id"] not in shown(answer)

    await until(gone_for_good, within_seconds=RECOVERS_SECONDS)
    await recovered(system, who, mine[1:])
