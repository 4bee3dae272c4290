"""People with posts, for the tests of everything that reads posts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from tests.service.conftest import Someone, System
from tests.service.fanout.timelines import follow, post
from tests.service.media.photos import jpeg, uploaded
from tests.service.waiting import until


async def photographer(system: System) -> tuple[Someone, str]:
    """Somebody with a photo to post."""
    who = await system.person()
    return who, await uploaded(system, who, jpeg(64, 64))


async def follower_of(system: System, *authors: Someone) -> Someone:
    """Somebody who follows these."""
    who = await system.person()
    await asyncio.gather(*(follow(system, who, author) for author in authors))
    return who


async def posts(system: System, author: Someone, photo: str, count: int) -> list[str]:
    """So many posts, one after another, oldest first."""
    return [await post(system, author, photo) for _ in range(count)]


async def page(system: System, who: Someone, **query: Any) -> Any:
    """One page of the feed: the whole answer."""
    answer = await system.call("feed.read", user=who, query=query)
    assert answer.status == 200, answer.json
    return answer


def shown(answer: Any) -> list[str]:
    """Post ids of a page."""
    return [item["post"]["id"] for item in answer.json["items"] if item["kind"] == "post"]


async def arrived(system: System, reader: Someone, post_ids: Iterable[str]) -> None:
    """Wait until these followed posts are in the reader's feed."""
    wanted = set(post_ids)

    async def there() -> bool:
        return wanted <= set(shown(await page(system, reader, mode="chronological", limit=100)))

    await until(there)
