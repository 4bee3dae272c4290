"""A fan-out that dies in the middle of a post is continued by the next process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from core.names import Component
from services.fanout.events import FANOUT
from services.kit.stores.timelines import TimelineEntry
from tests.service.conftest import Running, System
from tests.service.fanout.timelines import follow, post, reads, timeline
from tests.service.media.photos import jpeg, uploaded

COMPONENTS = (Component.AUTH, Component.GRAPH, Component.POSTS, Component.UPLOAD)


async def test_a_crash_in_the_middle_of_a_fan_out_is_made_good_by_the_next_worker(
    running: Running, system: System
) -> None:
    author = await system.person()
    fans = [await system.person() for _ in range(5)]
    photo = await uploaded(system, author, jpeg(64, 66))
    for fan in fans:
        await follow(system, fan, author)

    async with running(Component.FANOUT, worker=1) as first:
        async with asyncio.timeout(60):
            await first.drain()
        await reads(system, *fans)
        timelines = first.apps["fanout"][FANOUT]._timelines
        push, reached = timelines.push, asyncio.Event()

        async def push_some_and_hang(keys: Iterable[str], entry: TimelineEntry) -> int:
            wanted = list(keys)
            if len(wanted) == 1:  # the author's own list
                return await push(wanted, entry)
            await push(wanted[:2], entry)
            reached.set()
            await asyncio.sleep(3600)
            raise AssertionError("unreachable")

        timelines.push = push_some_and_hang  # type: ignore[method-assign]
        made = await post(system, author, photo)
        async with asyncio.timeout(30):
            await reached.wait()
    delivered = [len(await timeline(system, fan)) for fan in fans]
    assert sorted(delivered) == [0, 0, 0, 1, 1]  # it did die in the middle

    async with running(Component.FANOUT, worker=2) as second:
        async with asyncio.timeout(60):
            await system.drain()
            await second.drain()
    assert [await timeline(system, fan) for fan in fans] == [[made]] * 5
