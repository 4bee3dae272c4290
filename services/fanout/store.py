"""Posts and edges as fan-out reads them, and the celebrities: in PostgreSQL as the record, in Redis for readers.

Timelines themselves are written through the chassis' one module for them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from core import ids
from core.names import Key
from services.fanout.rules import FOLLOWERS_PAGE
from services.kit.stores import timelines
from services.kit.stores.postgres import Connection, Shards, schema
from services.kit.stores.redis import reaching
from services.kit.stores.timelines import Timeline, TimelineEntry, TimelineState

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.celebrities (author_id bigint PRIMARY KEY);
ALTER TABLE {s}.celebrities ADD COLUMN IF NOT EXISTS fallen_ms bigint;
"""
_WHOLE: Final = b"~"  # member of `Key.PULLED` which says that nobody is missing in it
_ASKED_MAX: Final = 500  # timelines looked at in one round trip


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorState:
    """The data that decides whether an author's posts are pushed or pulled."""

    author_id: int
    followers: int
    was_celebrity: bool


def entry(post_id: int) -> TimelineEntry:
    """A post as timelines hold it; its time is in its id."""
    return TimelineEntry(post_id=post_id, created_ms=ids.created_ms_of(post_id))


class Readers:
    """Authors, their posts, and those who follow them: tables ``posts`` (posts), ``followers``, ``follows`` and
    ``follow_counts`` (graph) are read; ``celebrities`` is this service's own."""

    def __init__(self, shards: Shards, redis: Redis):
        self._shards, self._redis = shards, redis

    async def authors(self, author_ids: Iterable[int]) -> list[AuthorState]:
        """Number of followers and present side of each."""
        by_shard = _by_shard(author_ids)

        async def read(connection: Connection, shard: int) -> list[AuthorState]:
            s = schema(shard)
            cursor = await connection.execute(
                "SELECT a.id, coalesce(f.followers, 0), c.author_id IS NOT NULL FROM unnest(%s::bigint[]) AS a (id)"
                f" LEFT JOIN {s}.follow_counts f ON f.user_id = a.id"
                f" LEFT JOIN {s}.celebrities c ON c.author_id = a.id AND c.fallen_ms IS NULL",
                (by_shard[shard],),
            )
            return [
                AuthorState(author_id=row[0], followers=row[1], was_celebrity=row[2]) for row in await cursor.fetchall()
            ]

        parts = await self._shards.for_each_shard(read, by_shard)
        return [author for part in parts.values() for author in part]

    async def author(self, author_id: int) -> AuthorState:
        """One of `authors`."""
        return (await self.authors([author_id]))[0]

    async def author_of(self, post_id: int) -> AuthorState | None:
        """The post's author; None when the post is gone."""
        rows = await self._rows(
            post_id,
            "SELECT p.author_id, coalesce(f.followers, 0), c.author_id IS NOT NULL FROM {s}.posts p"
            " LEFT JOIN {s}.follow_counts f ON f.user_id = p.author_id"
            " LEFT JOIN {s}.celebrities c ON c.author_id = p.author_id AND c.fallen_ms IS NULL WHERE p.id = %s",
            (post_id,),
        )
        return AuthorState(author_id=rows[0][0], followers=rows[0][1], was_celebrity=rows[0][2]) if rows else None

    async def exists(self, post_id: int) -> bool:
        """Whether the post is still there."""
        rows = await self._rows(post_id, "SELECT 1 FROM {s}.posts WHERE id = %s", (post_id,))
        return bool(rows)

    async def recent_posts(self, author_id: int, *, count: int, since_ms: int = 0) -> tuple[list[TimelineEntry], int]:
        """The author's newest ``count`` posts, newest first, and the time from which on these are all of them."""
        oldest = ids.compose(created_ms=since_ms, shard=0, sequence=0) if since_ms > ids.EPOCH_MS else 0
        rows = await self._rows(
            author_id,
            "SELECT id FROM {s}.posts WHERE author_id = %s AND id >= %s ORDER BY id DESC LIMIT %s",
            (author_id, oldest, count + 1),
        )
        found = [entry(row[0]) for row in rows]
        return found[:count], found[count].created_ms + 1 if len(found) > count else 0

    async def posts_among(self, author_id: int, post_ids: Sequence[int]) -> list[int]:
        """Those of ``post_ids`` that the author made."""
        rows = await self._rows(
            author_id, "SELECT id FROM {s}.posts WHERE author_id = %s AND id = ANY(%s)", (author_id, list(post_ids))
        )
        return [row[0] for row in rows]

    async def follows(self, follower_id: int, followee_id: int) -> bool:
        """Whether the edge is there now."""
        rows = await self._rows(
            follower_id,
            "SELECT 1 FROM {s}.follows WHERE follower_id = %s AND followee_id = %s AND active",
            (follower_id, followee_id),
        )
        return bool(rows)

    async def half_written(self, pairs: Iterable[tuple[int, int]]) -> bool:
        """Whether the two directions of one of these (follower, followee) edges do not agree yet."""
        wanted = list(pairs)
        forward = await self._active("follows", "follower_id", "followee_id", wanted)
        reverse = await self._active("followers", "followee_id", "follower_id", [(b, a) for a, b in wanted])
        return forward != {(follower, followee) for followee, follower in reverse}

    async def _active(self, table: str, mine: str, theirs: str, edges: list[tuple[int, int]]) -> set[tuple[int, int]]:
        by_shard: dict[int, list[tuple[int, int]]] = {}
        for edge in edges:
            by_shard.setdefault(ids.shard_of(edge[0]), []).append(edge)

        async def read(connection: Connection, shard: int) -> list[tuple[int, int]]:
            ours, others = zip(*by_shard[shard], strict=True)
            cursor = await connection.execute(
                f"SELECT {mine}, {theirs} FROM {schema(shard)}.{table}"
                f" JOIN unnest(%s::bigint[], %s::bigint[]) AS e ({mine}, {theirs}) USING ({mine}, {theirs})"
                " WHERE active",
                (list(ours), list(others)),
            )
            return [(row[0], row[1]) for row in await cursor.fetchall()]

        parts = await self._shards.for_each_shard(read, by_shard)
        return {edge for part in parts.values() for edge in part}

    async def followers(self, author_id: int) -> AsyncIterator[list[int]]:
        """Everybody who follows the author, in pages; somebody who comes meanwhile may or may not be among them."""
        after = 0
        while True:
            rows = await self._rows(
                author_id,
                "SELECT follower_id FROM {s}.followers WHERE followee_id = %s AND active AND follower_id > %s"
                " ORDER BY follower_id LIMIT %s",
                (author_id, after, FOLLOWERS_PAGE),
            )
            if rows:
                yield [row[0] for row in rows]
            if len(rows) < FOLLOWERS_PAGE:
                return
            after = rows[-1][0]

    async def mark_celebrity(self, author_id: int, *, celebrity: bool, now_ms: int) -> None:
        """Keep the author's side for good; one who falls stays known for a while, see `rules.pulled_seconds`."""
        values: tuple[int, ...] = (author_id,)
        if celebrity:
            text = "INSERT INTO {s}.celebrities (author_id) VALUES (%s)"
            text += " ON CONFLICT (author_id) DO UPDATE SET fallen_ms = NULL"
        else:
            text = "UPDATE {s}.celebrities SET fallen_ms = %s WHERE author_id = %s AND fallen_ms IS NULL"
            values = (now_ms, author_id)
        shard = ids.shard_of(author_id)
        async with self._shards.connection(shard) as connection:
            await connection.execute(text.replace("{s}", schema(shard)), values)

    async def publish_celebrity(self, author_id: int, *, celebrity: bool) -> None:
        """Tell readers the author's side."""
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                if celebrity:
                    pipe.sadd(Key.PULLED, author_id)
                    pipe.sadd(Key.CELEBRITIES, author_id)
                else:  # readers go on pulling for a while
                    pipe.srem(Key.CELEBRITIES, author_id)
                await pipe.execute()

    async def publish_all_celebrities(self, *, fallen_before_ms: int) -> int:
        """Bring the celebrities in Redis in line with PostgreSQL, after Redis lost them or a process crashed half-way.

        Authors who fell before ``fallen_before_ms`` are no longer pulled. Redis is read first: an author is marked in
        PostgreSQL before being published in Redis, so one that PostgreSQL then does not know has fallen. If that author
        rises at this very moment, the second look sees it. Returns how many changed.
        """
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.smembers(Key.CELEBRITIES)
                pipe.smembers(Key.PULLED)
                published, pulled = [{int(each) for each in members - {_WHOLE}} for members in await pipe.execute()]
        celebrities, wanted = await self._celebrities(fallen_before_ms)
        lost, gone = wanted - pulled, pulled - wanted
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                if gone:
                    pipe.srem(Key.PULLED, *map(str, gone))
                pipe.sadd(Key.PULLED, *map(str, lost), _WHOLE)  # at once: never whole without them
                if risen := celebrities - published:
                    pipe.sadd(Key.CELEBRITIES, *map(str, risen))
                if fallen := published - celebrities:
                    pipe.srem(Key.CELEBRITIES, *map(str, fallen))
                await pipe.execute()
        if gone:
            _, wanted = await self._celebrities(fallen_before_ms)
            if risen_now := gone & wanted:
                with reaching():
                    adding: Any = self._redis.sadd(Key.PULLED, *map(str, risen_now))
                    await adding
        return len(lost) + len(gone) + len(risen) + len(fallen)

    async def _celebrities(self, fallen_before_ms: int) -> tuple[set[int], set[int]]:
        """Celebrities, and everybody to be pulled; who fell before that time is forgotten."""
        celebrities: set[int] = set()
        pulled: set[int] = set()
        for index, mine in self._shards.by_instance().items():
            text = " UNION ALL ".join(f"SELECT author_id, fallen_ms FROM {schema(shard)}.celebrities" for shard in mine)
            async with self._shards.on_instance(index) as connection:
                rows = await (await connection.execute(text)).fetchall()
                for author_id, fallen_ms in rows:
                    if fallen_ms is None:
                        celebrities.add(author_id)
                        pulled.add(author_id)
                    elif fallen_ms >= fallen_before_ms:
                        pulled.add(author_id)
                    else:
                        await connection.execute(
                            f"DELETE FROM {schema(ids.shard_of(author_id))}.celebrities"
                            " WHERE author_id = %s AND fallen_ms < %s",
                            (author_id, fallen_before_ms),
                        )
        return celebrities, pulled

    async def with_timelines(self, user_ids: Iterable[int]) -> set[int]:
        """Those whose timeline is in Redis, whole or being filled; the others' is made when they next read it."""
        wanted, found = list(set(user_ids)), set()
        for start in range(0, len(wanted), _ASKED_MAX):
            part = wanted[start : start + _ASKED_MAX]
            with reaching():
                async with self._redis.pipeline(transaction=False) as pipe:
                    for user_id in part:
                        timelines.ask(pipe, timelines.timeline_key(user_id), count=1)
                    results = await pipe.execute()
            for at, user_id in enumerate(part):
                if timelines.decode(results[2 * at : 2 * at + 2]).state is not TimelineState.MISSING:
                    found.add(user_id)
        return found

    async def timeline(self, key: str, *, count: int) -> Timeline:
        """The present content of a set."""
        return await timelines.read(self._redis, key, count=count)

    async def _rows(self, any_id: int, text: str, values: tuple[Any, ...]) -> list[Any]:
        shard = ids.shard_of(any_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(text.replace("{s}", schema(shard)), values)
            rows: list[Any] = await cursor.fetchall()
            return rows


def _by_shard(user_ids: Iterable[int]) -> dict[int, list[int]]:
    grouped: dict[int, list[int]] = {}
    for user_id in set(user_ids):
        grouped.setdefault(ids.shard_of(user_id), []).append(user_id)
    return grouped
