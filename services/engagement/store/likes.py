"""Likes, group-committed: those of one shard that come while a statement is under way go together in the next one.

One statement in autocommit does it all: which posts exist, which likes are new, the counts, the events. A lone like
waits for nobody; two hundred at once cost about as much as one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from core import ids
from core.failures import Failure, NotFound, Overloaded
from core.messages import LikeCreated, LikeDeleted
from services.engagement.rules import Wish, batch
from services.engagement.store.counters import Counters
from services.kit import outbox as outbox_
from services.kit.outbox import Outbox
from services.kit.stores import hidden
from services.kit.stores.postgres import Shards, schema
from services.kit.stores.reactions import Mark, Tally

_WAITING_MAX: Final = 2_000  # wishes that wait for one shard; more are refused
_log = structlog.get_logger("likes")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ticket:
    """A wish on its way: ``written`` when it has committed, ``counted`` when Redis has been told or given up on."""

    wish: Wish
    written: asyncio.Future[Tally]
    counted: asyncio.Future[None]


class Likes:
    """All likes."""

    def __init__(self, app: web.Application, shards: Shards, outbox: Outbox, counters: Counters):
        self._app, self._shards, self._outbox, self._counters = app, shards, outbox, counters
        self._waiting: dict[int, deque[Ticket]] = {}
        self._workers: dict[int, asyncio.Task[None]] = {}

    def ask(self, wish: Wish) -> Ticket:
        """Hand in a wish; its futures tell NotFound, Unavailable, DeadlineExceeded. Raises Overloaded."""
        loop = asyncio.get_running_loop()
        shard = ids.shard_of(wish.post_id)
        waiting = self._waiting.setdefault(shard, deque())
        if len(waiting) >= _WAITING_MAX:
            raise Overloaded("Too many likes wait for their turn", retry_after_seconds=1.0)
        ticket = Ticket(wish=wish, written=loop.create_future(), counted=loop.create_future())
        waiting.append(ticket)
        if shard not in self._workers:
            self._workers[shard] = loop.create_task(self._work(shard, waiting))
        return ticket

    async def _work(self, shard: int, waiting: deque[Ticket]) -> None:
        try:
            while waiting:
                everybody = list(waiting)
                positions = set(batch(ticket.wish for ticket in everybody))
                waiting.clear()
                waiting.extend(ticket for index, ticket in enumerate(everybody) if index not in positions)
                await self._grant(shard, [everybody[index] for index in sorted(positions)])
        finally:
            del self._workers[shard]

    async def _grant(self, shard: int, tickets: Sequence[Ticket]) -> None:
        try:
            tallies = await self._write(shard, [ticket.wish for ticket in tickets])
        except Failure as failure:
            for ticket in tickets:
                _fail(ticket.written, failure)
                _settle(ticket.counted)
            return
        except Exception as error:  # noqa: BLE001 - a bug: whoever waits is told, and it is logged whole
            for ticket in tickets:
                _fail(ticket.written, error)
                _settle(ticket.counted)
            _log.error("likes_failed", shard=shard, exc_info=error)
            return
        marks = []
        for ticket in tickets:
            wish = ticket.wish
            tally = tallies.get((wish.post_id, wish.user_id))
            if tally is None:
                _fail(ticket.written, NotFound(f"No post {wish.post_id}"))
            elif not ticket.written.done():
                ticket.written.set_result(tally)
            if tally is not None:
                marks.append(Mark(user_id=wish.user_id, post_id=wish.post_id, liked=wish.liked))
        # before the next batch, so that Redis hears of one person's like and unlike in the order they were granted
        counts = {tally.post_id: tally for tally in tallies.values()}
        await self._counters.tell(likes=list(counts.values()), marks=marks)
        for ticket in tickets:
            _settle(ticket.counted)

    async def _write(self, shard: int, wishes: Sequence[Wish]) -> dict[tuple[int, int], Tally]:
        """Grant the wishes; returns the post's count by post and person, of those who see it."""
        s = schema(shard)
        # in one order everywhere, so that two processes cannot wait for each other's rows
        wishes = sorted(wishes, key=lambda wish: (wish.post_id, wish.user_id))
        values = [self._outbox.values(self._event(shard, wish)) for wish in wishes]
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                "WITH asked AS MATERIALIZED (SELECT * FROM unnest(%(posts)s::bigint[], %(users)s::bigint[],"
                " %(liked)s::boolean[], %(topics)s::text[], %(keys)s::bytea[], %(payloads)s::bytea[])"
                " AS a (post_id, user_id, liked, topic, key, payload)"
                f" WHERE EXISTS (SELECT FROM {s}.posts p WHERE p.id = a.post_id"
                f" AND {hidden.seen_by('a.user_id', shard)})),"
                f" added AS (INSERT INTO {s}.likes (post_id, user_id) SELECT post_id, user_id FROM asked WHERE liked"
                " ORDER BY post_id, user_id ON CONFLICT DO NOTHING RETURNING post_id, user_id),"
                f" removed AS (DELETE FROM {s}.likes l USING asked a WHERE NOT a.liked AND l.post_id = a.post_id"
                " AND l.user_id = a.user_id RETURNING l.post_id, l.user_id),"
                " changed AS (SELECT post_id, user_id, 1 AS step FROM added"
                " UNION ALL SELECT post_id, user_id, -1 FROM removed),"
                f" counted AS (INSERT INTO {s}.like_counts AS c (post_id, count, version)"
                " SELECT post_id, sum(step), 1 FROM changed GROUP BY post_id ORDER BY post_id"
                " ON CONFLICT (post_id) DO UPDATE SET count = c.count + excluded.count, version = c.version + 1"
                " RETURNING post_id, count, version),"
                f" told AS (INSERT INTO {s}.outbox (component, topic, key, payload)"
                " SELECT %(component)s, topic, key, payload FROM asked JOIN changed USING (post_id, user_id))"
                " SELECT post_id, a.user_id, coalesce(n.count, c.count, 0), coalesce(n.version, c.version, 0)"
                f" FROM asked a LEFT JOIN counted n USING (post_id) LEFT JOIN {s}.like_counts c USING (post_id)",
                {
                    "posts": [wish.post_id for wish in wishes],
                    "users": [wish.user_id for wish in wishes],
                    "liked": [wish.liked for wish in wishes],
                    "topics": [each["topic"] for each in values],
                    "keys": [each["key"] for each in values],
                    "payloads": [each["payload"] for each in values],
                    "component": values[0]["component"],
                },
            )
            rows = await cursor.fetchall()
        self._outbox.signal(shard)
        return {(row[0], row[1]): Tally(post_id=row[0], count=row[2], version=row[3]) for row in rows}

    def _event(self, shard: int, wish: Wish) -> LikeCreated | LikeDeleted:
        stamp = outbox_.stamp(self._app, shard)
        stamp["request_id"] = wish.request_id
        kind = LikeCreated if wish.liked else LikeDeleted
        return kind(**stamp, post_id=wish.post_id, user_id=wish.user_id)


def _fail(future: asyncio.Future[Tally], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
