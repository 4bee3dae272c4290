"""Post cards: what a feed shows of a post, encoded once and spliced into answers undecoded.

A card in Redis is ``<build>|<author id>|<JSON members>``. ``build`` stands for the format and the media URL, so that
cards of an older stack are not shown. A deleted post leaves a tombstone, which nothing replaces: a request that read
the post just before it was deleted cannot restore its card.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from core import ids
from core.names import Key, PhotoState
from services.kit.clock import rfc3339
from services.kit.fields import Id, Time
from services.kit.photos import Photo, Variant, address
from services.kit.stores.people import Person
from services.kit.stores.postgres import Connection, Shards, schema
from services.kit.stores.reactions import Tally
from services.kit.stores.redis import reaching

TOMBSTONE: Final = b"-"
_KEY: Final = Key.POST_CARD.partition("{")[0]
_FORMAT: Final = "1"
_TOMBSTONE_SECONDS: Final = 86_400
_UNREADY_SECONDS: Final = 2  # a photo is still being processed: load it again soon
_REMEMBERED_SECONDS: Final = 1.0  # how long loaded posts serve further requests while Redis is unreachable
_REMEMBERED_MAX: Final = 5_000
_encode: Final = msgspec.json.Encoder().encode

_REPLACE: Final = """
if redis.call('GET', KEYS[1]) == '-' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""


class CardBody(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a post that are the same for every reader and seldom change."""

    id: Id
    caption: str
    hashtags: list[str]
    media: list[Photo]
    created_at: Time


@dataclass(frozen=True, slots=True)
class Card:
    """One card: JSON members of the post without braces, and who made it."""

    author_id: int
    members: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A post as PostgreSQL has it."""

    card: Card
    author: bytes  # JSON of the author
    ready: bool  # no photo is still being processed
    likes: Tally
    comments: Tally


class Cards:
    """Cards in Redis, loaded from PostgreSQL on a miss; one load serves all requests that wait for the post."""

    def __init__(self, redis: Redis, shards: Shards, *, media_url: str, ttl_seconds: float):
        self._redis, self._shards = redis, shards
        self._media_url = media_url.rstrip("/")
        self._ttl_seconds = max(1, round(ttl_seconds))
        digest = hashlib.blake2b(f"{_FORMAT} {self._media_url}".encode(), digest_size=6).hexdigest()
        self._build = digest.encode() + b"|"
        self._under_way: dict[int, asyncio.Future[Loaded | None]] = {}
        self._remembered: dict[int, tuple[float, Loaded]] = {}
        self._loading: set[asyncio.Task[None]] = set()  # the loop holds tasks weakly

    @staticmethod
    def key(post_id: int) -> str:
        """Key of a post's card."""
        return f"{_KEY}{post_id}"

    def decode(self, value: bytes | None) -> Card | bool:
        """Decode a value from Redis: a card, False for a post that is gone, True for one that must be loaded."""
        if value is None:
            return True
        if value.startswith(self._build):
            _, author, members = value.split(b"|", 2)
            return Card(int(author), members)
        return value != TOMBSTONE

    async def load(self, post_ids: Iterable[int]) -> dict[int, Loaded]:
        """Load the posts that exist from PostgreSQL; raises Unavailable, Overloaded, DeadlineExceeded."""
        now = monotonic()
        found: dict[int, Loaded] = {}
        waits: dict[int, asyncio.Future[Loaded | None]] = {}
        fresh: list[int] = []
        for post_id in post_ids:
            remembered = self._remembered.get(post_id)
            if remembered is not None and remembered[0] > now:
                found[post_id] = remembered[1]
            elif post_id in self._under_way:
                waits[post_id] = self._under_way[post_id]
            else:
                waits[post_id] = self._under_way[post_id] = asyncio.get_running_loop().create_future()
                fresh.append(post_id)
        if fresh:
            # a task of its own: when the first request is cancelled, the others still wait
            task = asyncio.create_task(self._load_fresh(fresh))
            self._loading.add(task)
            task.add_done_callback(self._loading.discard)
        for post_id, future in waits.items():
            loaded = await asyncio.shield(future)
            if loaded is not None:
                found[post_id] = loaded
        return found

    async def _load_fresh(self, post_ids: list[int]) -> None:
        try:
            rows = await self._read(post_ids)
        except Exception as error:  # noqa: BLE001 - passed on to every waiting request
            for post_id in post_ids:
                future = self._under_way.pop(post_id)
                future.set_exception(error)
                future.exception()  # mark it as retrieved: perhaps nobody waits any more
            return
        until = monotonic() + _REMEMBERED_SECONDS
        for post_id in post_ids:
            loaded = rows.get(post_id)
            self._under_way.pop(post_id).set_result(loaded)
            if loaded is not None:
                self._remembered.pop(post_id, None)
                self._remembered[post_id] = (until, loaded)
        while len(self._remembered) > _REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]

    async def _read(self, post_ids: Sequence[int]) -> dict[int, Loaded]:
        by_shard: dict[int, list[int]] = {}
        for post_id in post_ids:
            by_shard.setdefault(ids.shard_of(post_id), []).append(post_id)
        found: dict[int, Loaded] = {}

        async def on(index: int, mine: list[int]) -> None:
            text = " UNION ALL ".join(_READ.replace("{s}", schema(shard)) for shard in mine)
            async with self._shards.on_instance(index) as connection:
                cursor = await connection.execute(text, [by_shard[shard] for shard in mine])
                for row in await cursor.fetchall():
                    if (loaded := self._loaded(row)) is not None:
                        found[row[0]] = loaded

        await asyncio.gather(*(on(index, mine) for index, mine in self._shards.by_instance(by_shard).items()))
        return found

    def _loaded(self, row: Sequence[Any]) -> Loaded | None:
        """None for a post that no feed shows, because all its photos have failed."""
        post_id, author_id = row[0], row[1]
        states = {int(media_id): state for media_id, state in row[7] or ()}
        variants: dict[int, list[Variant]] = {}
        for media_id, name, object_key, content_type, width, height, size_bytes in row[8] or ():
            variants.setdefault(int(media_id), []).append(
                Variant(
                    name=name,
                    url=address(self._media_url, object_key),
                    width=int(width),
                    height=int(height),
                    content_type=content_type,
                    size_bytes=int(size_bytes),
                )
            )
        photos = [
            Photo(id=str(media_id), state=PhotoState(states[media_id]), variants=variants.get(media_id, []))
            for media_id in row[6]
            if states.get(media_id, PhotoState.FAILED) != PhotoState.FAILED
        ]
        if not photos:
            return None
        body = CardBody(
            id=str(post_id),
            caption=row[4],
            hashtags=row[5],
            media=photos,
            created_at=rfc3339(ids.created_ms_of(post_id)),
        )
        person = Person(id=str(author_id), username=row[2], display_name=row[3])
        return Loaded(
            card=Card(author_id, _encode(body)[1:-1]),
            author=_encode(person),
            ready=all(photo.state is PhotoState.SUCCEEDED for photo in photos),
            likes=Tally(post_id=post_id, count=row[9], version=row[10]),
            comments=Tally(post_id=post_id, count=row[11], version=row[12]),
        )

    def _encoded(self, card: Card) -> bytes:
        return b"%s%d|%s" % (self._build, card.author_id, card.members)

    async def keep(self, asked: Iterable[int], loaded: Mapping[int, Loaded]) -> None:
        """Write loaded cards to Redis, unless a value is there; posts that do not exist get a tombstone."""
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                for post_id in asked:
                    each = loaded.get(post_id)
                    if each is None:
                        pipe.set(self.key(post_id), TOMBSTONE, nx=True, ex=_TOMBSTONE_SECONDS)
                    else:
                        seconds = self._ttl_seconds if each.ready else _UNREADY_SECONDS
                        pipe.set(self.key(post_id), self._encoded(each.card), nx=True, ex=seconds)
                await pipe.execute()

    async def replace(self, post_ids: Sequence[int]) -> None:
        """Reload the posts and replace their cards; deleted or hidden posts get tombstones."""
        for post_id in post_ids:
            self._remembered.pop(post_id, None)
        loaded = await self._read(post_ids)
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                for post_id, each in loaded.items():
                    seconds = self._ttl_seconds if each.ready else _UNREADY_SECONDS
                    pipe.eval(_REPLACE, 1, self.key(post_id), self._encoded(each.card), seconds)
                for post_id in set(post_ids) - loaded.keys():
                    pipe.set(self.key(post_id), TOMBSTONE, ex=_TOMBSTONE_SECONDS)
                await pipe.execute()

    async def bury(self, post_ids: Sequence[int]) -> None:
        """Write tombstones for deleted posts."""
        for post_id in post_ids:
            self._remembered.pop(post_id, None)
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                for post_id in post_ids:
                    pipe.set(self.key(post_id), TOMBSTONE, ex=_TOMBSTONE_SECONDS)
                await pipe.execute()

    async def read(self, post_ids: Sequence[int]) -> dict[int, Card]:
        """Cards of the posts that exist, from Redis or else PostgreSQL, for work that no request waits for."""
        with reaching():
            values: Any = await self._redis.mget([self.key(post_id) for post_id in post_ids]) if post_ids else []
        decoded = {post_id: self.decode(value) for post_id, value in zip(post_ids, values, strict=True)}
        found = {post_id: card for post_id, card in decoded.items() if isinstance(card, Card)}
        missing = [post_id for post_id, card in decoded.items() if card is True]
        if missing:
            loaded = await self.load(missing)
            await self.keep(missing, loaded)
            found.update((post_id, each.card) for post_id, each in loaded.items())
        return found

    async def showing(self, media_ids: Iterable[int]) -> list[int]:
        """Posts that show these photos (table ``post_media``, which posts owns; a photo is on its posts' shard)."""
        by_shard: dict[int, list[int]] = {}
        for media_id in media_ids:
            by_shard.setdefault(ids.shard_of(media_id), []).append(media_id)

        async def read(connection: Connection, shard: int) -> list[int]:
            cursor = await connection.execute(
                f"SELECT post_id FROM {schema(shard)}.post_media WHERE media_id = ANY(%s)", (by_shard[shard],)
            )
            return [row[0] for row in await cursor.fetchall()]

        parts = await self._shards.for_each_shard(read, by_shard)
        return sorted({post_id for part in parts.values() for post_id in part})


#: Reads other services' tables: posts (posts), users (auth), media (upload), media_variants (media), like_counts and
#: comment_counts (engagement); all rows of a post are on one shard.
_READ: Final = """
SELECT p.id, p.author_id, u.username, u.display_name, p.caption, p.hashtags, p.media_ids,
    (SELECT array_agg(ARRAY[m.id::text, m.state]) FROM {s}.media m WHERE m.id = ANY(p.media_ids)),
    (SELECT array_agg(ARRAY[v.media_id::text, v.name, v.object_key, v.content_type,
        v.width::text, v.height::text, v.size_bytes::text] ORDER BY v.media_id, v.place)
        FROM {s}.media_variants v WHERE v.media_id = ANY(p.media_ids)),
    coalesce(l.count, 0), coalesce(l.version, 0), coalesce(c.count, 0), coalesce(c.version, 0)
FROM {s}.posts p JOIN {s}.users u ON u.id = p.author_id
LEFT JOIN {s}.like_counts l ON l.post_id = p.id LEFT JOIN {s}.comment_counts c ON c.post_id = p.id
WHERE p.id = ANY(%s)
"""
