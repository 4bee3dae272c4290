"""Author cards, cached in this process and in Redis, and loaded from PostgreSQL.

Most posts of a page are by few authors, and names seldom change. Cached in the process for five minutes, author cards
usually cost a page no round trip; reading them from Redis would add one (a post's author is known only once its card
has been read).
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from core.names import Key
from services.kit.stores.people import Person, people
from services.kit.stores.postgres import Shards
from services.kit.stores.redis import reaching

_NEAR_SECONDS: Final = 300.0
_NEAR_MAX: Final = 20_000
_encode: Final = msgspec.json.Encoder().encode


class Authors:
    """JSON of authors by id."""

    def __init__(self, redis: Redis, shards: Shards, *, ttl_seconds: float):
        self._redis, self._shards = redis, shards
        self._ttl_seconds = max(1, round(ttl_seconds))
        self._near: dict[int, tuple[float, bytes]] = {}

    def near(self, author_ids: Iterable[int]) -> tuple[dict[int, bytes], set[int]]:
        """Cards cached in this process, and the ids of the other authors."""
        now, found, missing = monotonic(), {}, set()
        for author_id in author_ids:
            kept = self._near.get(author_id)
            if kept is not None and kept[0] > now:
                found[author_id] = kept[1]
            else:
                missing.add(author_id)
        return found, missing

    def remember(self, author_id: int, card: bytes) -> None:
        """Cache a card in this process."""
        self._near.pop(author_id, None)
        self._near[author_id] = (monotonic() + _NEAR_SECONDS, card)
        if len(self._near) > _NEAR_MAX:
            del self._near[next(iter(self._near))]

    async def read(self, author_ids: Iterable[int]) -> dict[int, bytes]:
        """Those that Redis has; raises Unavailable, DeadlineExceeded."""
        wanted = list(author_ids)
        with reaching():
            values: Any = await self._redis.mget([Key.AUTHOR_CARD.format(user=each) for each in wanted])
        found = {author_id: value for author_id, value in zip(wanted, values, strict=True) if value is not None}
        for author_id, card in found.items():
            self.remember(author_id, card)
        return found

    async def load(self, author_ids: Iterable[int]) -> dict[int, bytes]:
        """Those that exist, from PostgreSQL."""
        found = {author_id: _encode(each) for author_id, each in (await people(self._shards, author_ids)).items()}
        for author_id, card in found.items():
            self.remember(author_id, card)
        return found

    async def keep(self, cards: Iterable[tuple[int, bytes]]) -> None:
        """Write cards to Redis."""
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                for author_id, card in cards:
                    pipe.set(Key.AUTHOR_CARD.format(user=author_id), card, ex=self._ttl_seconds)
                await pipe.execute()

    async def created(self, everybody: Iterable[Person]) -> None:
        """Write the cards of new users to Redis."""
        await self.keep([(int(person.id), _encode(person)) for person in everybody])
