"""Likes with group commit: those of one shard that arrive while a statement runs are written together by the next one.

One statement in autocommit mode does everything: which posts exist, which likes are new, the counts, the events. A
single like does not wait; two hundred at once cost about as much as one.
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
from services.engagement.rules import LikeChange, batch
from services.engagement.store.counters import Counters
from services.kit import outbox as outbox_
from services.kit.outbox import Outbox
from services.kit.stores import hidden
from services.kit.stores.postgres import Shards, schema
from services.kit.stores.reactions import LikeMark, Tally

_WAITING_MAX: Final = 2_000  # changes that wait for one shard; more are refused
_log = structlog.get_logger("likes")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PendingLike:
    """A pending change: ``written`` is set once it has committed, ``counted`` once Redis has it or has failed."""

    change: LikeChange
    written: asyncio.Future[Tally]
    counted: asyncio.Future[None]


class Likes:
    """All likes; changes are queued for each shard."""

    def __init__(self, app: web.Application, shards: Shards, outbox: Outbox, counters: Counters):
        self._app, self._shards, self._outbox, self._counters = app, shards, outbox, counters
        self._waiting: dict[int, deque[PendingLike]] = {}
        self._workers: dict[int, asyncio.Task[None]] = {}

    def submit(self, change: LikeChange) -> PendingLike:
        """Queue a change; its futures raise NotFound, Unavailable, DeadlineExceeded. Raises Overloaded."""
        loop = asyncio.get_running_loop()
        shard = ids.shard_of(change.post_id)
        waiting = self._waiting.setdefault(shard, deque())
        if len(waiting) >= _WAITING_MAX:
            raise Overloaded("Too many likes are waiting", retry_after_seconds=1.0)
        pending = PendingLike(change=change, written=loop.create_future(), counted=loop.create_future())
        waiting.append(pending)
        if shard not in self._workers:
            self._workers[shard] = loop.create_task(self._work(shard, waiting))
        return pending

    async def _work(self, shard: int, waiting: deque[PendingLike]) -> None:
        try:
            while waiting:
                everybody = list(waiting)
                positions = set(batch(pending.change for pending in everybody))
                waiting.clear()
                waiting.extend(pending for index, pending in enumerate(everybody) if index not in positions)
                await self._commit(shard, [everybody[index] for index in sorted(positions)])
        finally:
            del self._workers[shard]

    async def _commit(self, shard: int, together: Sequence[PendingLike]) -> None:
        try:
            tallies = await self._write(shard, [pending.change for pending in together])
        except Failure as failure:
            for pending in together:
                _fail(pending.written, failure)
                _settle(pending.counted)
            return
        except Exception as error:  # noqa: BLE001 - a bug: all waiting requests get it, and it is logged in full
            for pending in together:
                _fail(pending.written, error)
                _settle(pending.counted)
            _log.error("likes_failed", shard=shard, exc_info=error)
            return
        marks = []
        for pending in together:
            change = pending.change
            tally = tallies.get((change.post_id, change.user_id))
            if tally is None:
                _fail(pending.written, NotFound(f"No post {change.post_id}"))
            elif not pending.written.done():
                pending.written.set_result(tally)
            if tally is not None:
                marks.append(LikeMark(user_id=change.user_id, post_id=change.post_id, liked=change.liked))
        # before the next batch, so that Redis gets a person's like and unlike in the order they were written
        counts = {tally.post_id: tally for tally in tallies.values()}
        await self._counters.publish(likes=list(counts.values()), marks=marks)
        for pending in together:
            _settle(pending.counted)

    async def _write(self, shard: int, changes: Sequence[LikeChange]) -> dict[tuple[int, int], Tally]:
        """Write the changes; returns the post's count by post and person, for those who see the post."""
        s = schema(shard)
        # in the same order everywhere, so that two processes cannot deadlock
        changes = sorted(changes, key=lambda change: (change.post_id, change.user_id))
        values = [self._outbox.values(self._event(shard, change)) for change in changes]
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
                f" published AS (INSERT INTO {s}.outbox (component, topic, key, payload)"
                " SELECT %(component)s, topic, key, payload FROM asked JOIN changed USING (post_id, user_id))"
                " SELECT post_id, a.user_id, coalesce(n.count, c.count, 0), coalesce(n.version, c.version, 0)"
                f" FROM asked a LEFT JOIN counted n USING (post_id) LEFT JOIN {s}.like_counts c USING (post_id)",
                {
                    "posts": [change.post_id for change in changes],
                    "users": [change.user_id for change in changes],
                    "liked": [change.liked for change in changes],
                    "topics": [each["topic"] for each in values],
                    "keys": [each["key"] for each in values],
                    "payloads": [each["payload"] for each in values],
                    "component": values[0]["component"],
                },
            )
            rows = await cursor.fetchall()
        self._outbox.signal(shard)
        return {(row[0], row[1]): Tally(post_id=row[0], count=row[2], version=row[3]) for row in rows}

    def _event(self, shard: int, change: LikeChange) -> LikeCreated | LikeDeleted:
        stamp = outbox_.stamp(self._app, shard)
        stamp["request_id"] = change.request_id
        kind = LikeCreated if change.liked else LikeDeleted
        return kind(**stamp, post_id=change.post_id, user_id=change.user_id)


def _fail(future: asyncio.Future[Tally], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
