"""Counts of posts and what a person liked, in Redis: the one module that writes and reads those keys.

Engagement writes through after each commit; a reader that finds a key missing refills it from PostgreSQL. A count is
kept with the version of its row, ``<count>:<version>``, and only a newer version replaces it: writes may arrive in any
order. ``liked:{user}`` has a marker when it is complete; a change of an incomplete set drops it, even during a refill,
so that the refill cannot restore what it read before.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from core.names import Key
from services.kit.stores.redis import reaching

_LIKES: Final = Key.LIKES.partition("{")[0]
_COMMENTS: Final = Key.COMMENTS.partition("{")[0]
_WHOLE: Final = "~"
_COUNT_TTL_SECONDS: Final = 3_600  # how long a count may stay wrong after a crash between commit and write-through
_LIKED_TTL_SECONDS: Final = 86_400
_FILL_SECONDS: Final = 30
#: The likes of a person with more than this are not kept in Redis; readers ask PostgreSQL for the posts of a page.
LIKED_MAX: Final = 10_000

_PUT: Final = """
for index, key in ipairs(KEYS) do
  local old = redis.call('GET', key)
  local version = ARGV[2 * index + 1]
  if not old or tonumber(string.match(old, ':(%d+)$')) <= tonumber(version) then
    redis.call('SET', key, ARGV[2 * index] .. ':' .. version, 'EX', ARGV[1])
  end
end
return 1
"""
_MARK: Final = """
for index, key in ipairs(KEYS) do
  if redis.call('SISMEMBER', key, '~') == 1 then
    redis.call(ARGV[2 * index - 1] == '1' and 'SADD' or 'SREM', key, ARGV[2 * index])
  else
    redis.call('DEL', key)
  end
end
return 1
"""
_BEGIN: Final = """
if redis.call('SISMEMBER', KEYS[1], '~') == 1 then return 0 end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""
_FILL: Final = """
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SADD', KEYS[1], '~')
for index = 3, #ARGV do redis.call('SADD', KEYS[1], ARGV[index]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A count and the version of its row; version 0 is a row that does not exist yet."""

    post_id: int
    count: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeMark:
    """A person likes a post, or no longer does."""

    user_id: int
    post_id: int
    liked: bool


def likes_key(post_id: int | str) -> str:
    """Key of a post's count of likes."""
    return Key.LIKES.format(post=post_id)


def comments_key(post_id: int | str) -> str:
    """Key of a post's count of comments."""
    return Key.COMMENTS.format(post=post_id)


def liked_key(user_id: int) -> str:
    """Key of what a person liked."""
    return Key.LIKED.format(user=user_id)


def ask(pipe: Pipeline, post_ids: Sequence[int], *, viewer_id: int) -> None:
    """Queue the reading of both counts of each post and of the viewer's likes among them: two commands."""
    pipe.mget([f"{_LIKES}{post_id}" for post_id in post_ids] + [f"{_COMMENTS}{post_id}" for post_id in post_ids])
    pipe.smismember(liked_key(viewer_id), [_WHOLE, *post_ids])


def decode_counts(result: Sequence[bytes | None]) -> tuple[list[int | None], list[int | None]]:
    """Likes and comments in the order asked for, from the first result of `ask`; None where the key is missing."""
    counts = [None if value is None else int(value.partition(b":")[0]) for value in result]
    half = len(counts) // 2
    return counts[:half], counts[half:]


def decode_liked(result: Sequence[int]) -> list[bool] | None:
    """Whether the viewer likes each post, from the second result of `ask`; None when the set is incomplete."""
    if not result[0]:
        return None
    return [bool(flag) for flag in result[1:]]


class Reactions:
    """The writer's side; every method raises Unavailable or DeadlineExceeded and may be repeated."""

    def __init__(self, redis: Redis):
        self._redis = redis

    async def put(
        self, *, likes: Iterable[Tally] = (), comments: Iterable[Tally] = (), marks: Iterable[LikeMark] = ()
    ) -> None:
        """Write counts, unless newer ones are there, and marks, if the person's set is complete: one round trip."""
        counts = [(likes_key(each.post_id), each) for each in likes]
        counts += [(comments_key(each.post_id), each) for each in comments]
        noted = list(marks)
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                if counts:
                    values: list[Any] = [_COUNT_TTL_SECONDS]
                    for _, each in counts:
                        values += (each.count, each.version)
                    # EVAL rather than EVALSHA: a pipeline cannot recover from NOSCRIPT
                    pipe.eval(_PUT, len(counts), *(key for key, _ in counts), *values)
                if noted:
                    flags: list[Any] = []
                    for mark in noted:
                        flags += ("1" if mark.liked else "0", mark.post_id)
                    pipe.eval(_MARK, len(noted), *(liked_key(mark.user_id) for mark in noted), *flags)
                await pipe.execute()

    async def begin_fill(self, user_id: int) -> str | None:
        """Mark ``liked:{user}`` as being filled, before reading PostgreSQL; None when it is complete."""
        token = f"?{uuid.uuid4().hex}"
        with reaching():
            begun: Any = await self._redis.eval(_BEGIN, 1, liked_key(user_id), token, _FILL_SECONDS)
        return token if begun else None

    async def fill(self, user_id: int, token: str, post_ids: Sequence[int]) -> bool:
        """Write what PostgreSQL holds and mark the set complete; False when a like came in between: refill it later."""
        with reaching():
            done: Any = await self._redis.eval(_FILL, 1, liked_key(user_id), token, _LIKED_TTL_SECONDS, *post_ids)
        return bool(done)

    async def forget(self, user_ids: Iterable[int]) -> None:
        """Drop what persons liked: the next reader refills."""
        keys = [liked_key(user_id) for user_id in user_ids]
        if keys:
            with reaching():
                await self._redis.delete(*keys)
