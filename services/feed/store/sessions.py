"""Marks of the recommendations that a session has shown, beyond those in its cursor: ``feed_session:{user}:{start}``.

Only long sessions have any. If Redis loses them, a recommendation may appear twice in that session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis

from core.names import Key
from services.kit.stores.redis import reaching

_TTL_SECONDS: Final = 7 * 86_400


class Sessions:
    """Sessions of one Redis."""

    def __init__(self, redis: Redis):
        self._redis = redis

    async def given(self, viewer_id: int, start: int, *, more: Sequence[int]) -> frozenset[int]:
        """All stored marks, after adding ``more``, in one round trip; raises Unavailable, DeadlineExceeded."""
        key = Key.FEED_SESSION.format(user=viewer_id, start=start)
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                if more:
                    pipe.sadd(key, *more)
                    pipe.expire(key, _TTL_SECONDS)
                pipe.smembers(key)
                results: Any = await pipe.execute()
        return frozenset(map(int, results[-1]))
