"""Timelines in Redis: the one module that writes and reads ``timeline:{user}`` and ``author_posts:{user}``.

Each is a sorted set of post ids by ``created_ms`` with a marker at rank 0 that says whether it is complete, and how far
back: it holds every post from its ``floor_ms`` on; older posts are in PostgreSQL only. Trimming raises the floor, so
that a set never looks complete where it was cut.

Fan-out adds only to existing sets, so an expired set is seen as missing and is refilled from PostgreSQL, instead of
showing only the posts that came since. A refill sets the marker first, then reads, then adds: a post created meanwhile
is either among those read, or finds the marker and is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from time import monotonic
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from core.names import Key
from services.kit.stores.redis import reaching

_MARKER: Final = b"~"
#: Scores of the marker: complete from the beginning, being filled, or -(floor_ms + 2).
_WHOLE: Final = -1
_FILLING: Final = -2
FILL_SECONDS: Final = 30  # time to live of the marker that a crashed refill leaves
_LATE_SECONDS: Final = 20  # a refill that takes longer is given up: its marker may be another's by now

#: Cuts a set to ``depth`` posts; answers the marker's score, raised to just above what was cut off.
_TRIM: Final = """
local function trimmed(key, depth, marker)
  local excess = redis.call('ZCARD', key) - 1 - depth
  if excess <= 0 then return marker end
  local newest_cut = redis.call('ZRANGE', key, excess, excess, 'WITHSCORES')[2]
  redis.call('ZREMRANGEBYRANK', key, 1, excess)
  return math.min(marker, -(tonumber(newest_cut) + 3))
end
"""
#: A set that is being filled is trimmed once it is filled. Posts below the floor are in PostgreSQL only.
_PUSH: Final = (
    _TRIM
    + """
local delivered, score, depth = 0, tonumber(ARGV[1]), tonumber(ARGV[3])
for _, key in ipairs(KEYS) do
  local marker = tonumber(redis.call('ZSCORE', key, '~') or nil)
  if marker and score >= -marker - 2 and redis.call('ZADD', key, score, ARGV[2]) == 1 then
    delivered = delivered + 1
    if marker ~= -2 then
      local raised = trimmed(key, depth, marker)
      if raised < marker then redis.call('ZADD', key, raised, '~') end
    end
  end
end
return delivered
"""
)
#: ARGV: depth, floor_ms of what is added, time to live (0: not a refill), then alternately score and post. During a
#: refill an author's posts cannot be added unless they are complete: the set is deleted, so that it is refilled again.
_ADD: Final = (
    _TRIM
    + """
local key, depth, floor, seconds = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local marker = tonumber(redis.call('ZSCORE', key, '~') or nil)
if not marker then return -1 end
if marker == -2 and seconds == 0 and floor > 0 then
  redis.call('DEL', key)
  return -1
end
local added = 0
for first = 4, #ARGV, 2000 do
  added = added + redis.call('ZADD', key, unpack(ARGV, first, math.min(first + 1999, #ARGV)))
end
if marker == -2 and seconds == 0 then return added end
if marker == -2 then marker = -1 end
if floor > 0 then marker = math.min(marker, -(floor + 2)) end
redis.call('ZADD', key, trimmed(key, depth, marker), '~')
if seconds > 0 then redis.call('EXPIRE', key, seconds) end
return added
"""
)


class TimelineState(StrEnum):
    """Whether a set is complete."""

    WHOLE = "whole"
    FILLING = "filling"  # a refill is in progress; the set may be incomplete
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One post of a timeline."""

    post_id: int
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Newest first: every post from ``floor_ms`` on, where the state is WHOLE."""

    state: TimelineState
    entries: tuple[TimelineEntry, ...]
    floor_ms: int = 0


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


def ask_between(pipe: Pipeline, key: str, newest_ms: int, oldest_ms: int, *, count: int) -> None:
    """Queue the reading of the ids of at most ``count`` posts of that time, newest first: one command."""
    pipe.zrevrangebyscore(key, newest_ms, oldest_ms, start=0, num=count)


def decode(results: Sequence[Any]) -> Timeline:
    """The timeline from the two results of `ask`."""
    score, rows = results
    state, floor_ms = marked(score)
    entries = tuple(TimelineEntry(post_id=int(post), created_ms=int(at)) for post, at in rows if at >= floor_ms)
    return Timeline(state=state, entries=entries, floor_ms=floor_ms)


def marked(score: Any) -> tuple[TimelineState, int]:
    """State and ``floor_ms`` of a set by its marker's score (None if it has no marker)."""
    if score is None:
        return TimelineState.MISSING, 0
    value = int(float(score))
    if value == _FILLING:
        return TimelineState.FILLING, 0
    return TimelineState.WHOLE, max(0, -value - 2)


async def read(redis: Redis, key: str, *, count: int, before_ms: int | None = None) -> Timeline:
    """`ask` and `decode` in a round trip of their own; raises Unavailable, DeadlineExceeded."""
    with reaching():
        async with redis.pipeline(transaction=False) as pipe:
            ask(pipe, key, count=count, before_ms=before_ms)
            return decode(await pipe.execute())


class Timelines:
    """The writer's side; every method raises Unavailable or DeadlineExceeded and may be repeated."""

    def __init__(self, redis: Redis, *, depth: int, ttl_seconds: float, batch: int = 500):
        self._redis, self._depth, self._batch = redis, depth, batch
        self._ttl_seconds = max(1, round(ttl_seconds))
        self._push, self._add = redis.register_script(_PUSH), redis.register_script(_ADD)

    async def push(self, keys: Iterable[str], entry: TimelineEntry) -> int:
        """Add a post to the sets that exist, trimmed to depth; returns how many did not have it yet."""
        delivered, rest = 0, iter(keys)
        with reaching():
            while batch := list(islice(rest, self._batch)):
                delivered += int(await self._push(keys=batch, args=[entry.created_ms, entry.post_id, self._depth]))
        return delivered

    async def merge(self, key: str, entries: Iterable[TimelineEntry], *, floor_ms: int = 0) -> None:
        """Add an author's posts, all of those from ``floor_ms`` on, to a set if it exists."""
        await self._added(key, entries, floor_ms=floor_ms, seconds=0)

    async def remove(self, keys: Iterable[str], post_id: int) -> None:
        """Take a post out."""
        rest = iter(keys)
        with reaching():
            while batch := list(islice(rest, self._batch)):
                async with self._redis.pipeline(transaction=False) as pipe:
                    for key in batch:
                        pipe.zrem(key, post_id)
                    await pipe.execute()

    async def begin_fill(self, key: str) -> float:
        """Mark a set as being filled; call it before reading PostgreSQL, then `fill` with what it returns."""
        began = monotonic()
        with reaching():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zadd(key, {_MARKER: _FILLING}, nx=True)
                pipe.expire(key, FILL_SECONDS, nx=True)
                await pipe.execute()
        return began

    async def fill(self, key: str, entries: Iterable[TimelineEntry], *, began: float, floor_ms: int = 0) -> None:
        """Add what PostgreSQL holds from ``floor_ms`` on and mark the set complete, for ``ttl_seconds``.

        Does nothing if the set has gone since, or the refill took too long: the next reader refills it.
        """
        if monotonic() - began < _LATE_SECONDS:
            await self._added(key, entries, floor_ms=floor_ms, seconds=self._ttl_seconds)

    async def forget(self, key: str) -> None:
        """Drop the set: the next reader refills it."""
        with reaching():
            await self._redis.delete(key)

    async def _added(self, key: str, entries: Iterable[TimelineEntry], *, floor_ms: int, seconds: int) -> None:
        arguments: list[int] = [self._depth, floor_ms, seconds]
        for entry in entries:
            arguments += (entry.created_ms, entry.post_id)
        with reaching():
            await self._add(keys=[key], args=arguments)
