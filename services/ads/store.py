"""House ads: rows in PostgreSQL, on the first shard, and a list in Redis that the feed reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from core.names import Key
from services.ads.rules import HouseAd
from services.kit.stores.postgres import Shards, schema
from services.kit.stores.redis import reaching

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.house_ads (
    id text PRIMARY KEY,
    headline text NOT NULL,
    image_url text NOT NULL,
    target_path text NOT NULL,
    active boolean NOT NULL DEFAULT true
);
"""
#: There are few of them and they belong to nobody, so one shard has them all.
_SHARD: Final = 0


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An ad as readers get it."""

    id: str
    headline: str
    image_url: str
    target_url: str


class HouseAds:
    """All house ads."""

    def __init__(self, shards: Shards, redis: Redis, *, public_url: str):
        self._shards, self._redis, self._public_url = shards, redis, public_url.rstrip("/")

    async def seed(self, ads: Sequence[HouseAd]) -> None:
        """Write those that are not there yet; what an operator has changed stays."""
        async with self._shards.connection(_SHARD) as connection:
            await connection.execute(
                f"INSERT INTO {schema(_SHARD)}.house_ads (id, headline, image_url, target_path)"
                " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING",
                (
                    [ad.id for ad in ads],
                    [ad.headline for ad in ads],
                    [ad.image_url for ad in ads],
                    [ad.target_path for ad in ads],
                ),
            )

    async def encoded(self) -> list[bytes]:
        """Active ads as JSON, in order of id."""
        async with self._shards.connection(_SHARD) as connection:
            cursor = await connection.execute(
                f"SELECT id, headline, image_url, target_path FROM {schema(_SHARD)}.house_ads WHERE active ORDER BY id"
            )
            rows = await cursor.fetchall()
        return [
            msgspec.json.encode(
                _Shown(id=row[0], headline=row[1], image_url=row[2], target_url=self._public_url + row[3])
            )
            for row in rows
        ]

    async def publish(self) -> bool:
        """Bring the list in Redis in line with PostgreSQL; True when it had to be changed."""
        wanted = await self.encoded()
        with reaching():
            reading: Any = self._redis.lrange(Key.HOUSE_ADS, 0, -1)
            if await reading == wanted:
                return False
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.delete(Key.HOUSE_ADS)
                if wanted:
                    pipe.rpush(Key.HOUSE_ADS, *wanted)
                await pipe.execute()
        return True
