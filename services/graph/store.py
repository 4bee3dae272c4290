"""Edges in PostgreSQL, both directions, and whom a user follows in Redis.

The forward edge lives on the follower's shard and is the source of truth; the reverse edge lives on the followee's
shard and is written right after it. The event of the change (an outbox row of the forward transaction) makes sure of
it: `mend` brings the reverse edge to the forward edge's state. Edges have a version and stay as inactive rows after an
unfollow, so that a late repair cannot undo a newer change. Counts change in the same statement as the edge they count,
and only when that edge changed.

Readers in other services: ``follows`` and ``followers`` hold an edge only ``WHERE active``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from core import ids
from core.failures import Failure
from core.messages import FollowCreated, FollowDeleted
from services.kit.outbox import Outbox, insert_from
from services.kit.stores.following import FOLLOWING_MAX, READ_MAX, Following
from services.kit.stores.people import Person, people
from services.kit.stores.postgres import Connection, Shards, schema

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.follows (
    follower_id bigint NOT NULL,
    followee_id bigint NOT NULL,
    active boolean NOT NULL,
    version int NOT NULL,
    at_ms bigint NOT NULL,
    PRIMARY KEY (follower_id, followee_id)
);
CREATE INDEX IF NOT EXISTS follows_newest ON {s}.follows (follower_id, at_ms, followee_id) WHERE active;
CREATE TABLE IF NOT EXISTS {s}.followers (
    followee_id bigint NOT NULL,
    follower_id bigint NOT NULL,
    active boolean NOT NULL,
    was_active boolean NOT NULL DEFAULT false,
    version int NOT NULL,
    at_ms bigint NOT NULL,
    PRIMARY KEY (followee_id, follower_id)
);
CREATE INDEX IF NOT EXISTS followers_newest ON {s}.followers (followee_id, at_ms, follower_id) WHERE active;
CREATE TABLE IF NOT EXISTS {s}.follow_counts (
    user_id bigint PRIMARY KEY,
    followers int NOT NULL DEFAULT 0,
    following int NOT NULL DEFAULT 0
);
"""
_log = structlog.get_logger("graph")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserProfile:
    """A user as a viewer sees them."""

    id: int
    username: str
    display_name: str
    followers_count: int
    following_count: int
    viewer_follows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One row of a list of followers or followees, newest first."""

    user_id: int
    at_ms: int


class Graph:
    """All edges."""

    def __init__(self, shards: Shards, redis: Redis, outbox: Outbox):
        self._shards, self._outbox = shards, outbox
        self._following = Following(redis)

    async def profile(self, user_id: int, *, viewer_id: int) -> UserProfile | None:
        """One user; None when there is none. The name is read from ``users``, which auth owns."""
        shard = ids.shard_of(user_id)
        s = schema(shard)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                "SELECT u.username, u.display_name, coalesce(c.followers, 0), coalesce(c.following, 0),"
                f" EXISTS (SELECT FROM {s}.followers f WHERE f.followee_id = u.id AND f.follower_id = %s AND f.active)"
                f" FROM {s}.users u LEFT JOIN {s}.follow_counts c ON c.user_id = u.id WHERE u.id = %s",
                (viewer_id, user_id),
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        return UserProfile(
            id=user_id,
            username=row[0],
            display_name=row[1],
            followers_count=row[2],
            following_count=row[3],
            viewer_follows=row[4],
        )

    async def has_no_room(self, follower_id: int, followee_id: int) -> bool:
        """Whether the edge is not there because the follower follows `FOLLOWING_MAX` people."""
        shard = ids.shard_of(follower_id)
        s = schema(shard)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT 1 FROM {s}.follow_counts WHERE user_id = %s AND following >= %s AND NOT EXISTS"
                f" (SELECT FROM {s}.follows WHERE follower_id = %s AND followee_id = %s AND active)",
                (follower_id, FOLLOWING_MAX, follower_id, followee_id),
            )
            return await cursor.fetchone() is not None

    async def followers_count(self, user_id: int) -> int | None:
        """Number of the user's followers; None when there is no such user."""
        shard = ids.shard_of(user_id)
        s = schema(shard)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT coalesce(c.followers, 0) FROM {s}.users u LEFT JOIN {s}.follow_counts c ON c.user_id = u.id"
                " WHERE u.id = %s",
                (user_id,),
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else None

    async def change(self, event: FollowCreated | FollowDeleted) -> int | None:
        """Make or remove the edge; returns how many then follow the followee, or None when there was nothing to do, or
        the follower follows `FOLLOWING_MAX` people.

        After Unavailable or DeadlineExceeded the edge may have changed; repeating the call is safe.
        """
        follower, followee, active = event.follower_id, event.followee_id, isinstance(event, FollowCreated)
        version = await self._forward(event, active=active)
        if version is None:
            return None
        counts = await self._reverse([(followee, follower, active, version, event.at_ms)])
        try:
            await self._write_through(follower, followee, active=active)
        except Failure as failure:  # the event repairs it
            _log.warning("following_late", follower=follower, followee=followee, error=str(failure))
        return counts.get(followee)

    async def _forward(self, event: FollowCreated | FollowDeleted, *, active: bool) -> int | None:
        """Bring the forward edge to ``active``, with its count and event, in one statement: its version if changed."""
        shard = ids.shard_of(event.follower_id)
        s = schema(shard)
        if active:
            edge = (
                f"INSERT INTO {s}.follows AS f (follower_id, followee_id, active, version, at_ms)"
                " SELECT %(follower)s, %(followee)s, true, 1, %(at)s"
                f" WHERE coalesce((SELECT following FROM {s}.follow_counts WHERE user_id = %(follower)s), 0) < %(most)s"
                " ON CONFLICT (follower_id, followee_id) DO UPDATE SET active = true, version = f.version + 1,"
                " at_ms = excluded.at_ms WHERE NOT f.active RETURNING version"
            )
        else:
            edge = (
                f"UPDATE {s}.follows SET active = false, version = version + 1, at_ms = %(at)s"
                " WHERE follower_id = %(follower)s AND followee_id = %(followee)s AND active RETURNING version"
            )
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"WITH edge AS ({edge}),"
                f" counted AS (INSERT INTO {s}.follow_counts AS c (user_id, following)"
                f" SELECT %(follower)s, {1 if active else -1} FROM edge"
                " ON CONFLICT (user_id) DO UPDATE SET following = c.following + excluded.following),"
                f" published AS ({insert_from(shard, 'edge')})"
                " SELECT version FROM edge",
                {
                    "follower": event.follower_id,
                    "followee": event.followee_id,
                    "at": event.at_ms,
                    "most": FOLLOWING_MAX,
                    **self._outbox.values(event),
                },
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        self._outbox.signal(shard)
        return int(row[0])

    async def _reverse(self, edges: Iterable[tuple[int, int, bool, int, int]]) -> dict[int, int]:
        """Bring reverse edges (followee, follower, active, version, at_ms) to a state, unless they have a newer one.

        Returns the new count of followers of those whose count changed.
        """
        by_shard: dict[int, list[tuple[int, int, bool, int, int]]] = {}
        for edge in edges:
            by_shard.setdefault(ids.shard_of(edge[0]), []).append(edge)

        async def write(connection: Connection, shard: int) -> dict[int, int]:
            s = schema(shard)
            rows = sorted(by_shard[shard])
            if len(rows) == 1:  # the hot path: arrays cost more to encode than the row
                given, values = "SELECT %s::bigint, %s::bigint, %s::boolean, %s::int, %s::bigint", list[Any](rows[0])
            else:
                given = "SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::boolean[], %s::int[], %s::bigint[])"
                values = [list(column) for column in zip(*rows, strict=True)]
            # rows are locked in the order of their keys, edges before counts, so two of these cannot deadlock
            cursor = await connection.execute(
                f"WITH changed AS (INSERT INTO {s}.followers AS f (followee_id, follower_id, active, version, at_ms)"
                f" {given} ON CONFLICT (followee_id, follower_id) DO UPDATE SET was_active = f.active,"
                " active = excluded.active, version = excluded.version, at_ms = excluded.at_ms"
                " WHERE f.version < excluded.version"
                " RETURNING followee_id, active::int - was_active::int AS step)"
                f" INSERT INTO {s}.follow_counts AS c (user_id, followers)"
                " SELECT followee_id, sum(step) FROM changed GROUP BY 1 HAVING sum(step) <> 0 ORDER BY 1"
                " ON CONFLICT (user_id) DO UPDATE SET followers = c.followers + excluded.followers"
                " RETURNING user_id, followers",
                values,
            )
            return {row[0]: row[1] for row in await cursor.fetchall()}

        parts = await self._shards.for_each_shard(write, by_shard)
        return {user_id: count for part in parts.values() for user_id, count in part.items()}

    async def mend(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Bring the reverse edges, and the sets in Redis, of (follower, followee) in line with the forward edges."""
        by_shard: dict[int, list[tuple[int, int]]] = {}
        for pair in pairs:
            by_shard.setdefault(ids.shard_of(pair[0]), []).append(pair)

        async def read(connection: Connection, shard: int) -> list[Any]:
            followers, followees = zip(*by_shard[shard], strict=True)
            cursor = await connection.execute(
                f"SELECT followee_id, follower_id, active, version, at_ms FROM {schema(shard)}.follows"
                " JOIN unnest(%s::bigint[], %s::bigint[]) AS g (follower_id, followee_id)"
                " USING (follower_id, followee_id)",
                (list(followers), list(followees)),
            )
            rows: list[Any] = await cursor.fetchall()
            return rows

        edges = [edge for part in (await self._shards.for_each_shard(read, by_shard)).values() for edge in part]
        await self._reverse(edges)
        await self._following.forget_wrong((follower, followee, active) for followee, follower, active, *_ in edges)

    async def _write_through(self, follower: int, followee: int, *, active: bool) -> None:
        write = self._following.add if active else self._following.remove
        if await write(follower, followee):
            return
        await self._following.begin_fill(follower)
        await self._following.fill(follower, [edge.user_id for edge in await self.following(follower, limit=READ_MAX)])

    async def following(self, user_id: int, *, limit: int, before: tuple[int, int] | None = None) -> list[Edge]:
        """Whom the user follows, newest first, from the position ``before`` (at_ms, id) on."""
        return await self._edges("follows", "follower_id", "followee_id", user_id, limit, before)

    async def followers(self, user_id: int, *, limit: int, before: tuple[int, int] | None = None) -> list[Edge]:
        """Who follows the user, newest first, from the position ``before`` (at_ms, id) on."""
        return await self._edges("followers", "followee_id", "follower_id", user_id, limit, before)

    async def _edges(
        self, table: str, mine: str, theirs: str, user_id: int, limit: int, before: tuple[int, int] | None
    ) -> list[Edge]:
        shard = ids.shard_of(user_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT {theirs}, at_ms FROM {schema(shard)}.{table} WHERE {mine} = %s AND active"
                f" AND (at_ms, {theirs}) < (%s, %s) ORDER BY at_ms DESC, {theirs} DESC LIMIT %s",
                (user_id, *(before or (ids.ID_MAX, ids.ID_MAX)), limit),
            )
            return [Edge(user_id=row[0], at_ms=row[1]) for row in await cursor.fetchall()]

    async def people(self, user_ids: Iterable[int]) -> dict[int, Person]:
        """Names of users (read from ``users``, which auth owns)."""
        return await people(self._shards, user_ids)
