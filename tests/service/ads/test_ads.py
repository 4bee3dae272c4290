"""House ads, from PostgreSQL to the key that the feed reads."""

from __future__ import annotations

from typing import Any

import msgspec

from core.names import Component, Key
from core.policies.ads import HOUSE_ADS
from services.ads.rules import DEFAULTS
from services.kit.stores.postgres import SHARDS
from services.kit.stores.redis import REDIS
from tests.service.conftest import System
from tests.service.waiting import until

COMPONENTS = (Component.ADS,)


async def published(system: System) -> list[Any]:
    redis: Any = system.apps["ads"][REDIS]
    return [msgspec.json.decode(each) for each in await redis.lrange(Key.HOUSE_ADS, 0, -1)]


async def test_house_ads_are_seeded_published_and_follow_what_an_operator_changes(system: System) -> None:
    async def seeded() -> bool:
        return len(await published(system)) == len(DEFAULTS)

    await until(seeded)
    ads = await published(system)
    assert [set(ad) for ad in ads] == [{"id", "headline", "image_url", "target_url"}] * len(DEFAULTS)
    assert len(DEFAULTS) == HOUSE_ADS  # as many as the model has
    assert all(ad["target_url"].startswith("http://127.0.0.1/api/v1/docs") for ad in ads)
    assert all(ad["image_url"].startswith("data:image/svg+xml;base64,") for ad in ads)

    await change(system, "UPDATE shard_0.house_ads SET active = false WHERE id = 'house-1'")
    await until(lambda: headlines(system, 4))
    await change(system, "UPDATE shard_0.house_ads SET active = true WHERE id = 'house-1'")
    await until(lambda: headlines(system, 5))


async def change(system: System, text: str) -> None:
    async with system.apps["ads"][SHARDS].connection(0) as connection:
        await connection.execute(text)


async def headlines(system: System, count: int) -> bool:
    return len(await published(system)) == count


async def test_a_list_that_redis_has_lost_is_published_again(system: System) -> None:
    redis: Any = system.apps["ads"][REDIS]
    await redis.delete(Key.HOUSE_ADS)
    await until(lambda: headlines(system, len(DEFAULTS)))


async def test_it_answers_its_health_and_nothing_else(system: System) -> None:
    assert (await system.send("ads", "GET", "/healthz")).status == 200
    answer = await system.send("ads", "GET", "/api/v1/feed", user="1024")
    assert (answer.status, answer.json["code"]) == (404, "not_found")
