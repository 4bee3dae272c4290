"""Popular posts: scores in this process, and the sorted set in Redis that the feed reads.

The process holds the scores and Redis a copy for readers: a set that Redis has lost is written again in full. A process
that dies loses what it had not written yet: a fraction of a second of likes, which changes the order only a little.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

from redis.asyncio import Redis

from core.names import Key
from services.discovery.rules import POSTS_MAX, kept, together
from services.kit.stores.redis import reaching

_REMEMBERED_MAX: Final = 50_000  # counted events, and deleted posts


class PopularScores:
    """Scores of at most `POSTS_MAX` posts, and as many again between two writings."""

    def __init__(self, redis: Redis):
        self._redis = redis
        self._scores: dict[int, float] = {}
        self._changed: set[int] = set()
        self._gone: set[int] = set()
        self._counted: OrderedDict[int, None] = OrderedDict()  # oldest first: the log may bring an event again
        self._deleted: OrderedDict[int, None] = OrderedDict()
        self._loaded = False

    def add(self, post_id: int, score: float, *, event_id: int) -> None:
        """Count an act on a post, once."""
        if post_id in self._gone or post_id in self._deleted or event_id in self._counted:
            return
        _remember(self._counted, event_id)
        before = self._scores.get(post_id)
        self._scores[post_id] = score if before is None else together(before, score)
        self._changed.add(post_id)
        if len(self._scores) > 2 * POSTS_MAX:
            self._trim()

    def remove(self, post_ids: Iterable[int]) -> None:
        """Remove posts for good: a late act does not bring them back."""
        for post_id in post_ids:
            self._scores.pop(post_id, None)
            self._changed.discard(post_id)
            self._gone.add(post_id)
            _remember(self._deleted, post_id)

    def _trim(self) -> None:
        best = kept(self._scores)
        self._gone |= {post_id for post_id in self._scores if post_id not in best}
        self._changed &= best.keys()
        self._scores = dict(best)

    async def write(self) -> None:
        """Bring Redis up to date; raises Unavailable or DeadlineExceeded, and then the next call writes everything."""
        with reaching():
            if not self._loaded:
                await self._load()
            reading: Any = self._redis.exists(Key.POPULAR)
            lost = not await reading
            self._trim()
            changed = self._scores.keys() if lost else self._changed
            if not (changed or self._gone):
                return
            writing = {str(post_id): self._scores[post_id] for post_id in changed}
            gone = set(self._gone)
            async with self._redis.pipeline(transaction=True) as pipe:
                if writing:
                    pipe.zadd(Key.POPULAR, writing)
                if gone:
                    pipe.zrem(Key.POPULAR, *(str(post_id) for post_id in gone))
                # bounds the set even if another process writes too
                pipe.zremrangebyrank(Key.POPULAR, 0, -(POSTS_MAX + 1))
                await pipe.execute()
        self._gone -= gone
        self._changed -= {int(post_id) for post_id, score in writing.items() if self._scores.get(int(post_id)) == score}

    async def _load(self) -> None:
        """Load what an earlier process wrote, and add what was counted meanwhile."""
        reading: Any = self._redis.zrange(Key.POPULAR, 0, -1, withscores=True)
        rows: Any = await reading
        for post_id, score in ((int(member), float(score)) for member, score in rows):
            if post_id in self._gone:
                continue
            mine = self._scores.get(post_id)
            self._scores[post_id] = score if mine is None else together(mine, score)
        self._loaded = True


def _remember(known: OrderedDict[int, None], identifier: int) -> None:
    known[identifier] = None
    if len(known) > _REMEMBERED_MAX:
        known.popitem(last=False)
