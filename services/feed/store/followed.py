"""Posts of followed authors: from Redis, where fan-out pushes them and celebrities' are pulled, or from PostgreSQL.

Ids sort by time, so every list here is newest first by id, and "older than" is "smaller than".
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from core import ids
from core.ids import ID_MAX, created_ms_of
from core.names import Key
from services.kit.clock import now_ms
from services.kit.stores import following, timelines
from services.kit.stores.following import Following
from services.kit.stores.postgres import Shards, schema
from services.kit.stores.redis import reaching
from services.kit.stores.timelines import Entry, State, Timelines

WINDOW_MS: Final = 7 * 86_400_000  # how far back a timeline is made anew
_FOLLOWEES_MAX: Final = 10_000
_SAME_MS_MAX: Final = 16  # posts of one millisecond that a page's edge may have to skip

#: One round trip: which of these authors the reader follows, and the newest posts of those who are celebrities.
#: Without a whole set of followees ('~', see `services.kit.stores.following`) nothing more is read.
_PULL: Final = """
local flags = redis.call('SMISMEMBER', KEYS[1], '~', unpack(ARGV, 4))
local answer = {flags}
if flags[1] == 1 then
  for index = 1, tonumber(ARGV[3]) do
    if flags[index + 1] == 1 then
      local key = '{author_posts}' .. ARGV[index + 3]
      answer[#answer + 1] = ARGV[index + 3]
      answer[#answer + 1] = redis.call('ZSCORE', key, '~')
      answer[#answer + 1] = redis.call('ZREVRANGEBYSCORE', key, ARGV[2], 0, 'LIMIT', 0, ARGV[1])
    end
  end
end
return answer
""".replace("{author_posts}", Key.AUTHOR_POSTS.partition("{")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a reader's timeline holds; ``ended`` when there is nothing older in it."""

    state: State
    post_ids: list[int]
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """Followed celebrities' posts, and which of the other authors asked about are followed."""

    whole: bool  # False: Redis does not know whom the reader follows
    post_ids: list[int]
    missing: list[int]  # followed celebrities whose posts Redis does not have
    ended: bool
    followed: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authored:
    """A post and its author, as PostgreSQL has them."""

    post_id: int
    author_id: int


class Followed:
    """Reads of both kinds."""

    def __init__(self, redis: Redis, shards: Shards, *, depth: int, ttl_seconds: float):
        self._redis, self._shards, self._depth = redis, shards, depth
        self._timelines = Timelines(redis, depth=depth, ttl_seconds=ttl_seconds)
        self._following = Following(redis)
        self._pull = redis.register_script(_PULL)

    async def pushed(self, viewer_id: int, *, before_id: int, count: int) -> Pushed:
        """The newest ``count`` posts of the timeline that are older than ``before_id``: one round trip."""
        asked = count + _SAME_MS_MAX if before_id < ID_MAX else count
        found = await timelines.read(
            self._redis, timelines.timeline_key(viewer_id), count=asked, before_ms=_before_ms(before_id)
        )
        post_ids = [entry.post_id for entry in found.entries if entry.post_id < before_id]
        return Pushed(state=found.state, post_ids=post_ids[:count], ended=_ended(found.entries, asked, post_ids, count))

    async def pulled(
        self, viewer_id: int, *, celebrities: Sequence[int], others: Sequence[int], before_id: int, count: int
    ) -> Pulled:
        """The newest ``count`` posts of each followed one of ``celebrities``, and who of ``others`` is followed."""
        asked = count + _SAME_MS_MAX if before_id < ID_MAX else count
        before_ms = _before_ms(before_id)
        with reaching():
            answer: Any = await self._pull(
                keys=[following.key(viewer_id)],
                args=[asked, "+inf" if before_ms is None else before_ms, len(celebrities), *celebrities, *others],
            )
        flags = answer[0]
        if not flags[0]:
            return Pulled(whole=False, post_ids=[], missing=[], ended=False, followed=frozenset())
        post_ids: list[int] = []
        missing: list[int] = []
        ended = True
        for index in range(1, len(answer), 3):
            author_id, marker, rows = answer[index : index + 3]
            if marker is None or int(float(marker)) != -1:  # evicted, or being filled
                missing.append(int(author_id))
                continue
            mine = [each for each in map(int, rows) if each < before_id]
            ended = ended and _ended(rows, asked, mine, count)
            post_ids += mine[:count]
        follows = flags[1 + len(celebrities) :]
        return Pulled(
            whole=True,
            post_ids=post_ids,
            missing=missing,
            ended=ended,
            followed=frozenset(author for author, flag in zip(others, follows, strict=True) if flag),
        )

    async def followees(self, viewer_id: int) -> list[int]:
        """Whom the reader follows, from PostgreSQL (table ``follows``, which graph owns)."""
        shard = ids.shard_of(viewer_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT followee_id FROM {schema(shard)}.follows WHERE follower_id = %s AND active LIMIT %s",
                (viewer_id, _FOLLOWEES_MAX),
            )
            return [row[0] for row in await cursor.fetchall()]

    async def posts_of(
        self, author_ids: Iterable[int], *, before_id: int = ID_MAX, after_id: int = 0, count: int
    ) -> list[Authored]:
        """The authors' newest posts between the ids, from PostgreSQL (table ``posts``): one query per instance."""
        by_shard: dict[int, list[int]] = {}
        for author_id in author_ids:
            by_shard.setdefault(ids.shard_of(author_id), []).append(author_id)
        found: list[Authored] = []

        async def on(index: int, mine: list[int]) -> None:
            text = " UNION ALL ".join(
                f"SELECT * FROM (SELECT id, author_id FROM {schema(shard)}.posts WHERE author_id = ANY(%s)"
                f" AND id < %s AND id > %s ORDER BY id DESC LIMIT %s) s{shard}"
                for shard in mine
            )
            values: list[Any] = []
            for shard in mine:
                values += (by_shard[shard], before_id, after_id, count)
            async with self._shards.on_instance(index) as connection:
                cursor = await connection.execute(
                    f"SELECT id, author_id FROM ({text}) every ORDER BY id DESC LIMIT %s", [*values, count]
                )
                found.extend(Authored(post_id=row[0], author_id=row[1]) for row in await cursor.fetchall())

        await asyncio.gather(*(on(index, mine) for index, mine in self._shards.by_instance(by_shard).items()))
        found.sort(key=lambda each: -each.post_id)
        return found[:count]

    async def refill(self, viewer_id: int, *, celebrities: frozenset[int]) -> None:
        """Make the reader's timeline anew in Redis: what those followed have posted in the last seven days."""
        key = timelines.timeline_key(viewer_id)
        await self._timelines.begin_fill(key)
        authors = [each for each in await self.followees(viewer_id) if each not in celebrities]
        await self._fill(key, authors, after_id=oldest_id())

    async def refill_author(self, author_id: int) -> None:
        """Make an author's own posts anew in Redis."""
        key = timelines.author_key(author_id)
        await self._timelines.begin_fill(key)
        await self._fill(key, [author_id], after_id=0)

    async def _fill(self, key: str, author_ids: Sequence[int], *, after_id: int) -> None:
        found = await self.posts_of(author_ids, after_id=after_id, count=self._depth) if author_ids else []
        await self._timelines.fill(
            key, [Entry(post_id=each.post_id, created_ms=created_ms_of(each.post_id)) for each in found]
        )

    async def refill_followees(self, viewer_id: int) -> None:
        """Make the reader's set of followees anew in Redis."""
        await self._following.begin_fill(viewer_id)
        await self._following.fill(viewer_id, await self.followees(viewer_id))

    async def length(self, viewer_id: int) -> int:
        """How many posts the reader's timeline holds."""
        with reaching():
            held: Any = await self._redis.zcard(timelines.timeline_key(viewer_id))
        return max(0, int(held) - 1)  # without the marker


def oldest_id() -> int:
    """The smallest id that a post within the window may have."""
    return ids.compose(created_ms=max(ids.EPOCH_MS, now_ms() - WINDOW_MS), shard=0, sequence=0)


def _before_ms(before_id: int) -> int | None:
    return None if before_id >= ID_MAX else created_ms_of(before_id)


def _ended(rows: Sequence[Any], asked: int, kept: Sequence[int], count: int) -> bool:
    """Nothing older: fewer rows than asked for, and all of those kept fit in."""
    return len(rows) < asked and len(kept) <= count
