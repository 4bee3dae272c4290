"""Whom a user follows, as a set in Redis: the one module that writes and reads ``following:{user}``.

Graph writes through on every follow and unfollow; a reader that finds the set missing may refill it from PostgreSQL. A
marker distinguishes a complete set from one that was evicted or is being filled. An unfollow leaves a tombstone: a
refill in progress cannot restore what it read before, and the feed does not recommend an author just unfollowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from core.names import Key
from services.kit.stores.redis import reaching

#: Most authors that a user may follow. Concurrent requests may exceed it by their number.
FOLLOWING_MAX: Final = 10_000
#: Followees read from PostgreSQL for a set.
READ_MAX: Final = FOLLOWING_MAX + 1_000

_WHOLE: Final = b"~"
_FILLING: Final = b"?"
_TTL_SECONDS: Final = 86_400
_FILL_SECONDS: Final = 30

_ADD: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SREM', KEYS[1], '-' .. ARGV[1])
redis.call('SADD', KEYS[1], ARGV[1])
return 1
"""
#: '!' says that there are tombstones, the only case in which a reader needs to look for them.
_REMOVE: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[1], '!', '-' .. ARGV[1])
return 1
"""
#: For scripts: ``flagged(key, authors)`` returns, for each author, 1 if followed or recently unfollowed, else 0.
FLAGGED: Final = """
local function flagged(key, authors)
  if #authors == 0 then return {} end
  local flags = redis.call('SMISMEMBER', key, unpack(authors))
  if redis.call('SISMEMBER', key, '!') == 1 then
    for index, author in ipairs(authors) do
      if flags[index] == 0 then flags[index] = redis.call('SISMEMBER', key, '-' .. author) end
    end
  end
  return flags
end
"""
_FILL: Final = """
for index = 2, #ARGV do
  if redis.call('SREM', KEYS[1], '-' .. ARGV[index]) == 0 then redis.call('SADD', KEYS[1], ARGV[index]) end
end
redis.call('SREM', KEYS[1], '?')
redis.call('SADD', KEYS[1], '~')
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""


def key(user_id: int) -> str:
    """Key of the set."""
    return Key.FOLLOWING.format(user=user_id)


def ask(pipe: Pipeline, user_id: int) -> None:
    """Queue the reading of the set in the caller's pipeline: one command."""
    pipe.smembers(key(user_id))


def decode(members: Any) -> frozenset[int] | None:
    """Followed ids from the result of `ask`; None when the set is missing or incomplete: ask PostgreSQL."""
    if _WHOLE not in members:
        return None
    return frozenset(int(each) for each in members if each.isdigit())


class Following:
    """The sets of one Redis; every method raises Unavailable or DeadlineExceeded and may be repeated."""

    def __init__(self, redis: Redis):
        self._redis = redis
        self._add, self._remove, self._fill = (redis.register_script(text) for text in (_ADD, _REMOVE, _FILL))

    async def read(self, user_id: int) -> frozenset[int] | None:
        """`ask` and `decode` in a round trip of their own."""
        with reaching():
            members: Any = await self._redis.smembers(key(user_id))
        return decode(members)

    async def add(self, user_id: int, followee_id: int) -> bool:
        """Write through a follow; False when the set is missing, and so may be refilled."""
        with reaching():
            return bool(await self._add(keys=[key(user_id)], args=[followee_id]))

    async def remove(self, user_id: int, followee_id: int) -> bool:
        """Write through an unfollow; False when the set is missing."""
        with reaching():
            return bool(await self._remove(keys=[key(user_id)], args=[followee_id]))

    async def begin_fill(self, user_id: int) -> None:
        """Mark the set as being filled; call it before reading PostgreSQL, then `fill`."""
        with reaching():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.sadd(key(user_id), _FILLING)
                pipe.expire(key(user_id), _FILL_SECONDS, nx=True)
                await pipe.execute()

    async def fill(self, user_id: int, followee_ids: Iterable[int]) -> None:
        """Add what PostgreSQL holds and mark the set complete."""
        with reaching():
            await self._fill(keys=[key(user_id)], args=[_TTL_SECONDS, *followee_ids])

    async def forget_wrong(self, states: Iterable[tuple[int, int, bool]]) -> int:
        """Drop every set that disagrees with a (user, followee, follows) of ``states``; returns how many it dropped.

        Dropping is always safe: the next reader refills.
        """
        wanted = list(states)
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                for user_id, followee_id, _ in wanted:
                    pipe.smismember(key(user_id), [_WHOLE, _FILLING, str(followee_id)])
                found = await pipe.execute()
            wrong = {
                key(user_id)
                for (user_id, _, follows), (whole, filling, member) in zip(wanted, found, strict=True)
                if (whole or filling) and bool(member) != follows
            }
            if wrong:
                await self._redis.delete(*wrong)
        return len(wrong)
