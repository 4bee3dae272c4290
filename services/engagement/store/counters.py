"""Writes new counts and likes to Redis within a deadline; what could not be written is remembered and written later.

A like is accepted while Redis is down. What Redis then lacks is read again from PostgreSQL and written once Redis
answers. Their number is bounded; beyond the bound, and after a crash, the keys' time to live ends the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

import structlog

from core import ids
from core.failures import Failure
from services.kit.guard import Guard
from services.kit.stores.postgres import Connection, Shards, schema
from services.kit.stores.reactions import LikeMark, Reactions, Tally

_OWED_MAX: Final = 20_000
_SETTLED_MAX: Final = 500  # written at once
_PATIENCE_SECONDS: Final = 1.5  # longer than a late command can still be running
_log = structlog.get_logger("counters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """Both counts of posts."""

    likes: tuple[Tally, ...]
    comments: tuple[Tally, ...]


class Counters:
    """Counts and likes in Redis, for readers."""

    def __init__(self, shards: Shards, reactions: Reactions, guard: Guard):
        self._shards, self._reactions, self._guard = shards, reactions, guard
        self._owed_posts: dict[int, float] = {}  # post → when it may be written again
        self._owed_people: dict[int, float] = {}

    async def publish(
        self, *, likes: Sequence[Tally] = (), comments: Sequence[Tally] = (), marks: Sequence[LikeMark] = ()
    ) -> None:
        """Write to Redis, or remember to do it later; raises no store's failure."""
        if not (likes or comments or marks):
            return
        try:
            await self._guard.call(lambda: self._reactions.put(likes=likes, comments=comments, marks=marks))
        except Failure as failure:
            _log.info("counts_owed", posts=len(likes) + len(comments), error=str(failure))
            self._owe((each.post_id for each in (*likes, *comments)), (mark.user_id for mark in marks))

    def _owe(self, post_ids: Iterable[int], user_ids: Iterable[int]) -> None:
        due = monotonic() + _PATIENCE_SECONDS
        for owed, wanted in ((self._owed_posts, post_ids), (self._owed_people, user_ids)):
            for identifier in wanted:
                if identifier in owed or len(owed) < _OWED_MAX:
                    owed[identifier] = due

    @property
    def owed(self) -> int:
        """How many posts and people Redis may be wrong about."""
        return len(self._owed_posts) + len(self._owed_people)

    async def settle(self) -> None:
        """Write what is due; raises Unavailable or DeadlineExceeded, and the rest stays owed."""
        now = monotonic()
        posts = [post_id for post_id, due in self._owed_posts.items() if due <= now][:_SETTLED_MAX]
        people = [user_id for user_id, due in self._owed_people.items() if due <= now][:_SETTLED_MAX]
        if not (posts or people):
            return
        tallies = await self.tallies(posts)
        await self._guard.call(lambda: self._reactions.put(likes=tallies.likes, comments=tallies.comments))
        await self._guard.call(lambda: self._reactions.forget(people))
        for owed, done in ((self._owed_posts, posts), (self._owed_people, people)):
            for identifier in done:
                if owed[identifier] <= now:  # not owed again meanwhile
                    del owed[identifier]

    async def tallies(self, post_ids: Iterable[int]) -> Tallies:
        """Counts of posts as PostgreSQL has them."""
        by_shard: dict[int, list[int]] = {}
        for post_id in post_ids:
            by_shard.setdefault(ids.shard_of(post_id), []).append(post_id)

        async def read(connection: Connection, shard: int) -> list[tuple[int, int, int, int, int]]:
            s = schema(shard)
            cursor = await connection.execute(
                "SELECT a.id, coalesce(l.count, 0), coalesce(l.version, 0), coalesce(c.count, 0),"
                f" coalesce(c.version, 0) FROM unnest(%s::bigint[]) AS a (id) LEFT JOIN {s}.like_counts l"
                f" ON l.post_id = a.id LEFT JOIN {s}.comment_counts c ON c.post_id = a.id",
                (by_shard[shard],),
            )
            return [(row[0], row[1], row[2], row[3], row[4]) for row in await cursor.fetchall()]

        rows = [row for part in (await self._shards.for_each_shard(read, by_shard)).values() for row in part]
        return Tallies(
            likes=tuple(Tally(post_id=row[0], count=row[1], version=row[2]) for row in rows),
            comments=tuple(Tally(post_id=row[0], count=row[3], version=row[4]) for row in rows),
        )
