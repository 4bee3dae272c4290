"""Authors whose posts readers pull: marked in PostgreSQL (table ``celebrities``), published in Redis (`Key.PULLED`).

Posts of a celebrity are pulled from the rise on, and for a while after a fall (`services.fanout.rules.pulled_seconds`).
A change is first marked, then published. `Celebrities.keep` makes up for a process that crashes in between: every two
seconds it reads recent changes; it reads all marks only at start, once an hour, and after Redis has lost the set. Its
cost therefore grows with the changes, not with the number of celebrities.

Readers trust the set if it has the member ``~``, which says that it is complete. Two cases need care:

- Redis may lose the set while it is rebuilt. So the rebuilding process leaves a token in it, and adds ``~`` only if the
  token is still there.
- An author may rise just when pulling their posts ends. So the end is announced, PostgreSQL is read again, and the
  author is removed only if the announcement still stands: a rise withdraws it.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from redis.asyncio import Redis

from core import ids
from core.names import Key
from services.kit.stores.postgres import Connection, Shards, schema
from services.kit.stores.redis import reaching

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.celebrities (author_id bigint PRIMARY KEY);
ALTER TABLE {s}.celebrities ADD COLUMN IF NOT EXISTS fallen_ms bigint;
ALTER TABLE {s}.celebrities ADD COLUMN IF NOT EXISTS changed_ms bigint NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS celebrities_changed ON {s}.celebrities (changed_ms);
CREATE INDEX IF NOT EXISTS celebrities_fallen ON {s}.celebrities (fallen_ms) WHERE fallen_ms IS NOT NULL;
"""
WHOLE: Final = "~"
_BUILDING: Final = "building:"  # and a token
_PAGE: Final = 2_000  # authors in one statement or command
_MARGIN_MS: Final = 60_000  # for clock differences, and statements that commit late
_EVERYBODY_MS: Final = 3_600_000

#: KEYS: the set. ARGV: the token's member.
_DECLARE_WHOLE: Final = """
if redis.call('SREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('SADD', KEYS[1], '~')
return 1
"""
#: KEYS: the set, announced ends. ARGV: the announcement's token, authors.
_END: Final = """
local ended = 0
for index = 2, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[index]) == ARGV[1] then
    redis.call('HDEL', KEYS[2], ARGV[index])
    ended = ended + redis.call('SREM', KEYS[1], ARGV[index])
  end
end
return ended
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullEnd:
    """Authors for whom the end of pulling was announced, and the token of the announcement."""

    author_ids: frozenset[int]
    token: str


class Celebrities:
    """The marks of all authors, and the set in Redis."""

    def __init__(self, shards: Shards, redis: Redis):
        self._shards, self._redis = shards, redis
        self._declare_whole, self._end = redis.register_script(_DECLARE_WHOLE), redis.register_script(_END)
        self._changes_read_ms = self._everybody_read_ms = 0  # 0: not yet by this process

    async def mark(self, author_id: int, *, celebrity: bool, now_ms: int) -> None:
        """Store durably whether the author is a celebrity."""
        if celebrity:
            text = (
                "INSERT INTO {s}.celebrities (author_id, changed_ms) VALUES (%(author)s, %(now)s)"
                " ON CONFLICT (author_id) DO UPDATE SET fallen_ms = NULL, changed_ms = excluded.changed_ms"
            )
        else:
            text = (
                "UPDATE {s}.celebrities SET fallen_ms = %(now)s, changed_ms = %(now)s"
                " WHERE author_id = %(author)s AND fallen_ms IS NULL"
            )
        shard = ids.shard_of(author_id)
        async with self._shards.connection(shard) as connection:
            await connection.execute(text.replace("{s}", schema(shard)), {"author": author_id, "now": now_ms})

    async def publish(self, author_ids: Collection[int]) -> None:
        """Let readers pull these authors' posts; call it after `mark`."""
        for part in _parts(author_ids):
            with reaching():
                async with self._redis.pipeline(transaction=True) as pipe:
                    pipe.hdel(Key.PULL_ENDS, *map(str, part))
                    pipe.sadd(Key.PULLED, *map(str, part))
                    await pipe.execute()

    async def keep(self, *, now_ms: int, fallen_before_ms: int) -> int:
        """Bring the set in line with the marks; authors who fell before ``fallen_before_ms`` are removed.

        Returns how many authors were added or removed.
        """
        with reaching():
            asking: Any = self._redis.sismember(Key.PULLED, WHOLE)  # typed for both kinds of client
            whole = bool(await asking)
        if not whole or now_ms - self._everybody_read_ms >= _EVERYBODY_MS:
            changed = await self._rebuild(fallen_before_ms)
            self._everybody_read_ms = now_ms
        else:
            changed = await self._add(await self._changed(self._changes_read_ms - _MARGIN_MS, fallen_before_ms))
        self._changes_read_ms = now_ms
        return changed + await self.end(await self.expired(fallen_before_ms), fallen_before_ms)

    async def end(self, author_ids: Collection[int], fallen_before_ms: int) -> int:
        """Remove authors from the set, except those who rise meanwhile, and delete their marks; returns how many."""
        ended = 0
        for part in _parts(author_ids):
            ending = await self.announce(part)
            ended += await self.carry_out(ending, await self.still_fallen(ending.author_ids, fallen_before_ms))
            await self._forget(part, fallen_before_ms)
        return ended

    async def announce(self, author_ids: Iterable[int]) -> PullEnd:
        """Announce that pulling these authors' posts is about to end; replaces any earlier announcement."""
        ending = PullEnd(author_ids=frozenset(author_ids), token=secrets.token_hex(8))
        with reaching():
            announcing: Any = self._redis.hset(
                Key.PULL_ENDS, mapping={str(author_id): ending.token for author_id in ending.author_ids}
            )
            await announcing
        return ending

    async def still_fallen(self, author_ids: Iterable[int], fallen_before_ms: int) -> frozenset[int]:
        """Those of the authors whose posts are not to be pulled, by the present state of PostgreSQL."""
        wanted = frozenset(author_ids)
        by_shard: dict[int, list[int]] = {}
        for author_id in wanted:
            by_shard.setdefault(ids.shard_of(author_id), []).append(author_id)
        pulled = await self._rows(
            "SELECT author_id FROM {s}.celebrities WHERE author_id = ANY(%s)"
            " AND (fallen_ms IS NULL OR fallen_ms >= %s)",
            {shard: (mine, fallen_before_ms) for shard, mine in by_shard.items()},
        )
        return wanted - frozenset(pulled)

    async def carry_out(self, ending: PullEnd, author_ids: Iterable[int]) -> int:
        """Remove those whose announcement still stands; returns how many."""
        with reaching():
            return int(await self._end(keys=[Key.PULLED, Key.PULL_ENDS], args=[ending.token, *map(str, author_ids)]))

    async def expired(self, fallen_before_ms: int) -> list[int]:
        """Authors who fell before that time and are still marked, at most one page of each shard."""
        return await self._rows(
            "SELECT author_id FROM {s}.celebrities WHERE fallen_ms < %s ORDER BY fallen_ms LIMIT %s",
            dict.fromkeys(range(self._shards.count), (fallen_before_ms, _PAGE)),
        )

    async def _forget(self, author_ids: Sequence[int], fallen_before_ms: int) -> None:
        by_shard: dict[int, list[int]] = {}
        for author_id in author_ids:
            by_shard.setdefault(ids.shard_of(author_id), []).append(author_id)

        async def forget(connection: Connection, shard: int) -> None:
            await connection.execute(
                f"DELETE FROM {schema(shard)}.celebrities WHERE author_id = ANY(%s) AND fallen_ms < %s",
                (by_shard[shard], fallen_before_ms),
            )

        await self._shards.for_each_shard(forget, by_shard)

    async def _rebuild(self, fallen_before_ms: int) -> int:
        """Rebuild the set from PostgreSQL and mark it complete.

        Redis is read first: authors are marked before they are published, so one without a mark has fallen.
        """
        token = f"{_BUILDING}{secrets.token_hex(8)}"
        with reaching():
            adding: Any = self._redis.sadd(Key.PULLED, token)
            await adding
            published = {int(each) async for each in self._redis.sscan_iter(Key.PULLED, count=_PAGE) if each.isdigit()}
        wanted: set[int] = set()
        async for page in self._marked(fallen_before_ms):
            wanted.update(page)
        changed = await self._add(wanted - published)
        changed += await self.end(published - wanted, fallen_before_ms)
        with reaching():
            await self._declare_whole(keys=[Key.PULLED], args=[token])
        return changed

    async def _marked(self, fallen_before_ms: int) -> AsyncIterator[list[int]]:
        """All authors whose posts are to be pulled, in pages."""
        for shard in range(self._shards.count):
            after = -1
            while True:
                page = await self._rows(
                    "SELECT author_id FROM {s}.celebrities WHERE author_id > %s"
                    " AND (fallen_ms IS NULL OR fallen_ms >= %s) ORDER BY author_id LIMIT %s",
                    {shard: (after, fallen_before_ms, _PAGE)},
                )
                yield page
                if len(page) < _PAGE:
                    break
                after = page[-1]

    async def _changed(self, since_ms: int, fallen_before_ms: int) -> list[int]:
        return await self._rows(
            "SELECT author_id FROM {s}.celebrities WHERE changed_ms >= %s AND (fallen_ms IS NULL OR fallen_ms >= %s)",
            dict.fromkeys(range(self._shards.count), (since_ms, fallen_before_ms)),
        )

    async def _add(self, author_ids: Collection[int]) -> int:
        """Add authors to the set; returns how many were missing."""
        added = 0
        with reaching():
            for part in _parts(author_ids):
                adding: Any = self._redis.sadd(Key.PULLED, *map(str, part))
                added += int(await adding)
        return added

    async def _rows(self, text: str, values: dict[int, tuple[Any, ...]]) -> list[int]:
        """The first column of ``text`` on every shard of ``values``: one statement for each instance."""
        found: list[int] = []
        for index, mine in self._shards.by_instance(values).items():
            if len(mine) > 1:
                whole = " UNION ALL ".join(f"({text.replace('{s}', schema(shard))})" for shard in mine)
            else:
                whole = text.replace("{s}", schema(mine[0]))
            async with self._shards.on_instance(index) as connection:
                cursor = await connection.execute(whole, [value for shard in mine for value in values[shard]])
                found += [row[0] for row in await cursor.fetchall()]
        return found


def _parts(author_ids: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(author_ids)
    while part := list(islice(rest, _PAGE)):
        yield part
