"""Posts of followed authors and of the viewer: from Redis, where fan-out pushes them and celebrities' posts are pulled,
or from PostgreSQL.

Ids sort by time, so every list here is newest first by id, and "older than" is "smaller than". Each list says how far
back it is complete (``bound``: nothing is missing from that id on), so that lists of different depths can be merged
without a gap.
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
from services.feed.rules.merge import Part
from services.feed.rules.session import Span
from services.kit.clock import now_ms
from services.kit.stores import following, timelines
from services.kit.stores.following import READ_MAX, Following
from services.kit.stores.postgres import Shards, schema
from services.kit.stores.redis import reaching
from services.kit.stores.timelines import TimelineEntry, Timelines, TimelineState, marked

WINDOW_MS: Final = 7 * 86_400_000  # how far back a timeline is refilled, if that gives `_ENOUGH` posts
_ENOUGH: Final = 200  # posts with which a refill needs no older ones
_LEFT_MAX: Final = 1_000  # most recent unfollows that are read
_PULLED_MAX: Final = 1_000  # celebrities of one viewer: their script blocks Redis
_SAME_MS_MAX: Final = 16  # posts of one millisecond that a page's edge may have to skip
_LEFT_SECONDS: Final = 86_400  # an author unfollowed within this time is not recommended

#: One round trip: the newest posts of those followed authors whose posts are pulled, and which of the other authors the
#: viewer follows or unfollowed recently. '~' is in both sets if both are complete; without it, or with more than
#: `_PULLED_MAX` such authors, nothing more is read, and PostgreSQL answers. The cost grows with the number of followed
#: celebrities, not of all celebrities.
#: ARGV: count, highest ms; late posts' highest ms, lowest ms and count (0: none are requested); the other authors.
_PULL: Final = (
    following.FLAGGED
    + """
local both, whole = redis.call('SINTER', KEYS[1], KEYS[2]), false
for _, each in ipairs(both) do if each == '~' then whole = true end end
if not whole or #both > {pulled_max} + 1 then return {0, redis.call('SISMEMBER', KEYS[1], '~')} end
local answer = {1, flagged(KEYS[1], {unpack(ARGV, 6)})}
for _, each in ipairs(both) do
  if each ~= '~' then
    local key = '{author_posts}' .. each
    answer[#answer + 1] = each
    answer[#answer + 1] = redis.call('ZSCORE', key, '~')
    answer[#answer + 1] = redis.call('ZREVRANGEBYSCORE', key, ARGV[2], 0, 'LIMIT', 0, ARGV[1])
    if ARGV[5] == '0' then
      answer[#answer + 1] = {}
    else
      answer[#answer + 1] = redis.call('ZREVRANGEBYSCORE', key, ARGV[3], ARGV[4], 'LIMIT', 0, ARGV[5])
    end
  end
end
return answer
""".replace("{author_posts}", Key.AUTHOR_POSTS.partition("{")[0]).replace("{pulled_max}", str(_PULLED_MAX))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedQuery:
    """Which followed posts to read: the newest ``count`` older than ``before_id``, and late ones within ``late``."""

    before_id: int
    count: int
    late: Span | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """Posts from the viewer's timeline."""

    state: TimelineState
    part: Part
    late: list[int]
    floor: int  # the timeline is complete from this id on


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """Followed celebrities' posts, and which of the other authors are not to be recommended."""

    whole: bool  # False: Redis lacks one of the two sets, or the viewer follows too many celebrities
    knows_followees: bool
    part: Part
    late: list[int]
    floor: int  # the sets of all these celebrities are complete from this id on
    missing: list[int]  # followed celebrities whose posts Redis does not have
    followed: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followees:
    """The authors a viewer follows, and those unfollowed recently."""

    followed: list[int]
    left: list[int]


class Followed:
    """Reads followed posts from Redis and PostgreSQL, and refills Redis."""

    def __init__(self, redis: Redis, shards: Shards, *, depth: int, ttl_seconds: float):
        self._redis, self._shards, self._depth = redis, shards, depth
        self._timelines = Timelines(redis, depth=depth, ttl_seconds=ttl_seconds)
        self._following = Following(redis)
        self._pull = redis.register_script(_PULL)

    async def pushed(self, viewer_id: int, ask: FollowedQuery) -> Pushed:
        """Read the timeline in one round trip."""
        key, asked, highest = timelines.timeline_key(viewer_id), _asked(ask), _highest_ms(ask.before_id)
        late: list[int] = []
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                timelines.ask(pipe, key, count=asked, before_ms=highest)
                if ask.late is not None:
                    timelines.ask_between(pipe, key, *_between_ms(ask.late), count=ask.late.count)
                results = await pipe.execute()
        found = timelines.decode(results[:2])
        post_ids = [entry.post_id for entry in found.entries]
        if ask.late is not None:
            late = [post_id for post_id in map(int, results[2]) if ask.late.holds(post_id)]
        bound, cut = _bound(post_ids, full=len(post_ids) == asked, floor_ms=found.floor_ms)
        kept = [post_id for post_id in post_ids if bound <= post_id < ask.before_id]
        return Pushed(
            state=found.state, part=Part(post_ids=kept, bound=bound, cut=cut), late=late, floor=_floor(found.floor_ms)
        )

    async def pulled(self, viewer_id: int, ask: FollowedQuery, *, others: Sequence[int]) -> Pulled:
        """The newest posts of each followed celebrity, and which of ``others`` are followed or recently unfollowed."""
        asked, highest = _asked(ask), _highest_ms(ask.before_id)
        late_ms = (0, 0, 0)
        if ask.late is not None:
            late_ms = (*_between_ms(ask.late), ask.late.count)
        with reaching():
            answer: Any = await self._pull(
                keys=[following.key(viewer_id), Key.PULLED],
                args=[asked, "+inf" if highest is None else highest, *late_ms, *others],
            )
        if not answer[0]:
            return Pulled(
                whole=False,
                knows_followees=bool(answer[1]),
                part=Part(post_ids=[], bound=ID_MAX, cut=False),
                late=[],
                floor=0,
                missing=[],
                followed=frozenset(),
            )
        post_ids: list[int] = []
        late: list[int] = []
        missing: list[int] = []
        bound, any_cut, floor = 0, False, 0
        for index in range(2, len(answer), 4):
            author_id, marker, rows, late_rows = answer[index : index + 4]
            state, floor_ms = marked(marker)
            if state is not TimelineState.WHOLE:  # evicted, or being filled
                missing.append(int(author_id))
                continue
            mine = list(map(int, rows))
            floor = max(floor, _floor(floor_ms))
            their_bound, cut = _bound(mine, full=len(mine) == asked, floor_ms=floor_ms)
            if their_bound > bound:
                bound, any_cut = their_bound, cut
            post_ids += mine
            if ask.late is not None:
                late += filter(ask.late.holds, map(int, late_rows))
        kept = [post_id for post_id in post_ids if bound <= post_id < ask.before_id]
        return Pulled(
            whole=True,
            knows_followees=True,
            part=Part(post_ids=kept, bound=bound, cut=any_cut),
            late=late,
            floor=floor,
            missing=missing,
            followed=frozenset(author for author, flag in zip(others, answer[1], strict=True) if flag),
        )

    async def followees(self, viewer_id: int) -> Followees:
        """The authors the viewer follows, from PostgreSQL (table ``follows``, which graph owns)."""
        shard = ids.shard_of(viewer_id)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"(SELECT followee_id, active FROM {schema(shard)}.follows WHERE follower_id = %s AND active LIMIT %s)"
                f" UNION ALL (SELECT followee_id, active FROM {schema(shard)}.follows"
                " WHERE follower_id = %s AND NOT active AND at_ms > %s ORDER BY at_ms DESC LIMIT %s)",
                (viewer_id, READ_MAX, viewer_id, now_ms() - 1000 * _LEFT_SECONDS, _LEFT_MAX),
            )
            rows = await cursor.fetchall()
        return Followees(
            followed=[followee for followee, active in rows if active],
            left=[followee for followee, active in rows if not active],
        )

    async def posts_of(
        self, author_ids: Iterable[int], *, before_id: int = ID_MAX, from_id: int = 0, count: int
    ) -> list[int]:
        """The authors' newest posts between the ids, from PostgreSQL (table ``posts``): one query per instance.

        Each author's posts are read by index, at most ``count``: the cost grows with the authors, not with the table.
        """
        by_shard: dict[int, list[int]] = {}
        for author_id in author_ids:
            by_shard.setdefault(ids.shard_of(author_id), []).append(author_id)
        found: list[int] = []

        async def on(index: int, mine: list[int]) -> None:
            text = " UNION ALL ".join(POSTS_OF.replace("{s}", schema(shard)) for shard in mine)
            values: list[Any] = []
            for shard in mine:
                values += (by_shard[shard], before_id, from_id, count)
            async with self._shards.on_instance(index) as connection:
                cursor = await connection.execute(f"{text} ORDER BY id DESC LIMIT %s", [*values, count])
                found.extend(row[0] for row in await cursor.fetchall())

        await asyncio.gather(*(on(index, mine) for index, mine in self._shards.by_instance(by_shard).items()))
        found.sort(reverse=True)
        return found[:count]

    async def refill(self, viewer_id: int) -> None:
        """Refill the viewer's timeline in Redis with their own posts and those of all followed authors.

        Celebrities' posts are included, in case an author falls below the threshold later.
        """
        key = timelines.timeline_key(viewer_id)
        began = await self._timelines.begin_fill(key)
        authors = [viewer_id, *(await self.followees(viewer_id)).followed]
        since_ms = max(ids.EPOCH_MS, now_ms() - WINDOW_MS)
        oldest = ids.compose(created_ms=since_ms, shard=0, sequence=0)
        found = await self.posts_of(authors, from_id=oldest, count=self._depth + 1)
        floor_ms = since_ms
        wanted = min(self._depth, _ENOUGH)
        if len(found) > self._depth:
            floor_ms = created_ms_of(found[self._depth]) + 1
        elif len(found) < wanted:
            older = await self.posts_of(authors, before_id=oldest, count=wanted - len(found) + 1)
            found += older
            floor_ms = created_ms_of(found[wanted]) + 1 if len(found) > wanted else 0
        await self._fill(key, found, began=began, floor_ms=floor_ms)

    async def refill_author(self, author_id: int) -> None:
        """Refill an author's own posts in Redis."""
        key = timelines.author_key(author_id)
        began = await self._timelines.begin_fill(key)
        found = await self.posts_of([author_id], count=self._depth + 1)
        floor_ms = created_ms_of(found[self._depth]) + 1 if len(found) > self._depth else 0
        await self._fill(key, found, began=began, floor_ms=floor_ms)

    async def _fill(self, key: str, post_ids: Iterable[int], *, began: float, floor_ms: int) -> None:
        entries = [TimelineEntry(post_id=each, created_ms=created_ms_of(each)) for each in post_ids]
        await self._timelines.fill(
            key, [each for each in entries if each.created_ms >= floor_ms], began=began, floor_ms=floor_ms
        )

    async def refill_followees(self, viewer_id: int) -> None:
        """Refill the viewer's set of followees in Redis."""
        await self._following.begin_fill(viewer_id)
        await self._following.fill(viewer_id, (await self.followees(viewer_id)).followed)


#: Values: authors, before, from, count.
POSTS_OF: Final = """
SELECT p.id FROM unnest(%s::bigint[]) AS a (id) CROSS JOIN LATERAL (
    SELECT id FROM {s}.posts WHERE author_id = a.id AND id < %s AND id >= %s ORDER BY id DESC LIMIT %s
) p
"""


def _asked(ask: FollowedQuery) -> int:
    return ask.count + _SAME_MS_MAX if ask.before_id < ID_MAX else ask.count


def _highest_ms(before_id: int) -> int | None:
    return None if before_id >= ID_MAX else created_ms_of(before_id)


def _between_ms(span: Span) -> tuple[int, int]:
    return created_ms_of(span.newest), created_ms_of(span.oldest)


def _floor(floor_ms: int) -> int:
    """The lowest id of that millisecond; 0 for a set that reaches back to the beginning."""
    return ids.compose(created_ms=floor_ms, shard=0, sequence=0) if floor_ms > ids.EPOCH_MS else 0


def _bound(post_ids: Sequence[int], *, full: bool, floor_ms: int) -> tuple[int, bool]:
    """The id from which on a list is complete, and whether older posts follow: a list as long as requested is cut."""
    floor = _floor(floor_ms)
    if full and post_ids[-1] > floor:
        return post_ids[-1], True
    return floor, False
