"""Reads authors, posts, edges and timelines for fan-out.

Timelines are written through the chassis' module `services.kit.stores.timelines`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from core import ids
from services.fanout.rules import FOLLOWERS_PAGE
from services.kit.stores import timelines
from services.kit.stores.postgres import Connection, Shards, schema
from services.kit.stores.redis import reaching
from services.kit.stores.timelines import Timeline, TimelineEntry, TimelineState

_ASKED_MAX: Final = 500  # timelines read in one round trip


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
    ``follow_counts`` (graph) are read, and ``celebrities``, which `store.celebrities` writes."""

    def __init__(self, shards: Shards, redis: Redis):
        self._shards, self._redis = shards, redis

    async def authors(self, author_ids: Iterable[int]) -> list[AuthorState]:
        """Number of followers of each, and whether it is a celebrity."""
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
        """The author's newest ``count`` posts, newest first, and the time from which on they are complete."""
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
        """Everybody who follows the author, in pages; those who follow meanwhile may or may not be included."""
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

    async def with_timelines(self, user_ids: Iterable[int]) -> set[int]:
        """Users whose timeline is in Redis, complete or being filled; others' are filled at their next read."""
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
