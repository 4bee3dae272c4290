"""Timelines in Redis: the one module that writes and reads ``timeline:{user}`` and ``author_posts:{user}``.

Each is a sorted set of post ids by ``created_ms`` with a marker at rank 0 that says whether it is whole. Fan-out adds
to sets that exist and to no others, so a set that has expired is seen as missing and is refilled from PostgreSQL,
instead of showing the one post that came since. A refill sets the marker first, then reads, then adds: a post that is
made meanwhile is either in what was read or finds the marker and is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from core.names import Key
from services.kit.stores.redis import reaching

_MARKER: Final = b"~"
_FILLING: Final = -2
_WHOLE: Final = -1
_FILL_SECONDS: Final = 30  # a refill that died leaves a marker; it lives this long

_PUSH: Final = """
local delivered = 0
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then
    delivered = delivered + redis.call('ZADD', key, ARGV[1], ARGV[2])
    redis.call('ZREMRANGEBYRANK', key, 1, -(ARGV[3] + 1))
  end
end
return delivered
"""


class State(StrEnum):
    """What a set is worth."""

    WHOLE = "whole"
    FILLING = "filling"  # somebody is at it; what is there may be a part
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One post of a timeline."""

    post_id: int
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Newest first."""

    state: State
    entries: tuple[Entry, ...]


def timeline_key(user_id: int) -> str:
    """Key of a reader's timeline."""
    return Key.TIMELINE.format(user=user_id)


def author_key(user_id: int) -> str:
    """Key of an author's own posts, which readers of celebrities pull."""
    return Key.AUTHOR_POSTS.format(user=user_id)


def ask(pipe: Pipeline, key: str, *, count: int, before_ms: int | None = None) -> None:
    """Queue the reading of the newest ``count`` posts (those at or before ``before_ms``): two commands."""
    highest: Any = "+inf" if before_ms is None else before_ms
    pipe.zscore(key, _MARKER)
    pipe.zrevrangebyscore(key, highest, 0, start=0, num=count, withscores=True)


def told(results: Sequence[Any]) -> Timeline:
    """The timeline from the two results of `ask`."""
    score, rows = results
    state = State.MISSING if score is None else State.WHOLE if int(score) == _WHOLE else State.FILLING
    return Timeline(state=state, entries=tuple(Entry(post_id=int(post), created_ms=int(at)) for post, at in rows))


async def read(redis: Redis, key: str, *, count: int, before_ms: int | None = None) -> Timeline:
    """`ask` and `told` in a round trip of their own; raises Unavailable, DeadlineExceeded."""
    with reaching():
        async with redis.pipeline(transaction=False) as pipe:
            ask(pipe, key, count=count, before_ms=before_ms)
            return told(await pipe.execute())


class Timelines:
    """The writer's side; every method raises Unavailable or DeadlineExceeded and may be repeated."""

    def __init__(self, redis: Redis, *, depth: int, ttl_seconds: float, batch: int = 500):
        self._redis, self._depth, self._batch = redis, depth, batch
        self._ttl_seconds = max(1, round(ttl_seconds))
        self._push = redis.register_script(_PUSH)

    async def push(self, keys: Iterable[str], entry: Entry) -> int:
        """Add a post to those sets that exist, trimmed to depth; returns how many did not have it yet."""
        delivered, rest = 0, iter(keys)
        with reaching():
            while batch := list(islice(rest, self._batch)):
                delivered += int(await self._push(keys=batch, args=[entry.created_ms, entry.post_id, self._depth]))
        return delivered

    async def remove(self, keys: Iterable[str], post_id: int) -> None:
        """Take a post out."""
        rest = iter(keys)
        with reaching():
            while batch := list(islice(rest, self._batch)):
                async with self._redis.pipeline(transaction=False) as pipe:
                    for key in batch:
                        pipe.zrem(key, post_id)
                    await pipe.execute()

    async def begin_fill(self, key: str) -> None:
        """Say that a refill is under way; call it before reading PostgreSQL, then `fill`."""
        with reaching():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zadd(key, {_MARKER: _FILLING}, nx=True)
                pipe.expire(key, _FILL_SECONDS, nx=True)
                await pipe.execute()

    async def fill(self, key: str, entries: Iterable[Entry]) -> None:
        """Add what PostgreSQL holds and mark the set whole, for ``ttl_seconds``."""
        scores: dict[Any, int] = {str(entry.post_id): entry.created_ms for entry in entries}
        with reaching():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zadd(key, {**scores, _MARKER: _WHOLE})
                pipe.zremrangebyrank(key, 1, -(self._depth + 1))
                pipe.expire(key, self._ttl_seconds)
                await pipe.execute()

    async def forget(self, key: str) -> None:
        """Drop the set: the next reader refills it."""
        with reaching():
            await self._redis.delete(key)
