"""The fault of the reference scenario: calls from the feed to Redis are slowed by 300 ms ± 100 ms."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from core.names import BREAKER_OPEN, DEGRADED_HEADER, Component
from tests.service.conftest import System
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


@contextmanager
def slow(servers: Any, link: str) -> Iterator[None]:
    """Adds latency to every answer on the link."""
    base = f"{servers.running.toxiproxy_url}/proxies/{servers.running.proxies[link][0]}/toxics"
    toxic = {"name": "slow", "type": "latency", "attributes": {"latency": 300, "jitter": 100}}
    _send("POST", base, toxic)
    try:
        yield
    finally:
        _send("DELETE", f"{base}/slow", None)


def _send(method: str, url: str, value: Any) -> None:
    data = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=5):
        pass


async def test_while_redis_is_slow_every_feed_is_complete_and_degraded_and_then_it_recovers(
    system: System, servers: Any
) -> None:
    authors = [await photographer(system) for _ in range(3)]
    readers = [await follower_of(system, *(who for who, _ in authors)) for _ in range(4)]
    mine: list[str] = []
    for who, photo in authors:
        mine += await posts(system, who, photo, 6)
    for reader in readers:
        await arrived(system, reader, mine)
    newest = sorted(mine, key=int, reverse=True)

    with slow(servers, "feed_redis"):
        for _ in range(5):
            answers = await asyncio.gather(*(page(system, reader, mode="chronological") for reader in readers * 5))
            assert all(shown(answer) == newest for answer in answers)
            assert all("timeline" in answer.headers.get(DEGRADED_HEADER, "") for answer in answers)
        async with system.session.get(system.urls["feed"] + "/metrics") as response:
            measured = await response.text()
        assert f'{BREAKER_OPEN}{{component="feed",dependency="timeline"}} 1.0' in measured

    async def well() -> bool:
        answers = [await page(system, reader, mode="chronological") for reader in readers]
        assert all(shown(answer) == newest for answer in answers)
        return not any(DEGRADED_HEADER in answer.headers for answer in answers)

    await until(well, within_seconds=5)
