"""Popular posts and house ads: the same for all viewers, kept in this process and refreshed every second.

No request waits for them. While Redis is unreachable, the last snapshot is used for up to 30 seconds; after that the
source counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from redis.asyncio import Redis

from core.names import Key
from services.feed.rules.popular import PopularPost
from services.feed.rules.session import mark
from services.feed.store.cards import Cards
from services.kit.stores.redis import reaching

EVERY_SECONDS: Final = 1.0
_SERVES_SECONDS: Final = 30.0
_POPULAR_MAX: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The two lists as of ``at_seconds`` (monotonic clock)."""

    at_seconds: float
    popular: Sequence[PopularPost]  # most popular first
    ads: Sequence[bytes]  # JSON of each

    @property
    def serves(self) -> bool:
        """Whether it is recent enough to be shown."""
        return monotonic() - self.at_seconds < _SERVES_SECONDS


class Snapshots:
    """Reads snapshots; `latest` is the last one that could be read."""

    def __init__(self, redis: Redis, cards: Cards):
        self._redis, self._cards = redis, cards
        self._authors: Mapping[int, int] = {}
        self.latest = Snapshot(at_seconds=float("-inf"), popular=(), ads=())

    async def refresh(self) -> None:
        """Read both in one round trip, and the authors of posts not seen before."""
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zrevrange(Key.POPULAR, 0, _POPULAR_MAX - 1)
                pipe.lrange(Key.HOUSE_ADS, 0, -1)
                popular, ads = await pipe.execute()
        post_ids = [int(each) for each in popular]
        authors = {post_id: self._authors[post_id] for post_id in post_ids if post_id in self._authors}
        cards: Any = await self._cards.read([post_id for post_id in post_ids if post_id not in authors])
        authors.update((post_id, card.author_id) for post_id, card in cards.items())
        self._authors = authors
        self.latest = Snapshot(
            at_seconds=monotonic(),
            popular=tuple(
                PopularPost(post_id, authors[post_id], mark(post_id)) for post_id in post_ids if post_id in authors
            ),
            ads=tuple(ads),
        )
