"""Hydrate: cards, counts and the viewer's likes of the candidates, in one pipelined round trip to Redis.

What Redis lacks is loaded from PostgreSQL, once for all requests that wait for it, and written back. If Redis does not
answer in time, everything is read from PostgreSQL.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from core.failures import Failure
from core.names import Cache
from services.feed.store.authors import Authors
from services.feed.store.background import Background
from services.feed.store.cards import Card, Cards, Loaded
from services.feed.store.liked import Liked
from services.kit.bulkhead import Bulkhead
from services.kit.guard import Guard
from services.kit.metrics import Metrics
from services.kit.stores import reactions
from services.kit.stores.reactions import Reactions
from services.kit.stores.redis import reaching


@dataclass(slots=True, kw_only=True)
class Hydrated:
    """The content of each post that exists."""

    cards: dict[int, Card] = field(default_factory=dict)
    authors: dict[int, bytes] = field(default_factory=dict)
    likes: dict[int, int] = field(default_factory=dict)
    comments: dict[int, int] = field(default_factory=dict)
    liked: set[int] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)  # what is missing

    def add(self, other: Hydrated) -> None:
        """Add the posts that another try has hydrated."""
        self.cards.update(other.cards)
        self.authors.update(other.authors)
        self.likes.update(other.likes)
        self.comments.update(other.comments)
        self.liked |= other.liked
        self.reasons += other.reasons


class Hydration:
    """Reads everything that a page shows."""

    def __init__(
        self,
        redis: Redis,
        cards: Cards,
        authors: Authors,
        liked: Liked,
        *,
        guard: Guard,
        bulkhead: Bulkhead,
        metrics: Metrics,
        background: Background,
    ):
        self._redis, self._cards, self._authors, self._liked = redis, cards, authors, liked
        self._reactions = Reactions(redis)
        self._guard, self._bulkhead, self._metrics, self._background = guard, bulkhead, metrics, background

    async def read(self, viewer_id: int, post_ids: Sequence[int]) -> Hydrated:
        """Hydrate the posts; raises Unavailable when neither Redis nor PostgreSQL can."""
        if not post_ids:
            return Hydrated()
        try:
            values, counts, flags = await self._guard.call(functools.partial(self._from_redis, viewer_id, post_ids))
        except Failure:
            with self._bulkhead.entered():
                hydrated = await self._from_postgres(viewer_id, post_ids)
        else:
            hydrated = await self._decoded(viewer_id, post_ids, values, counts, flags)
        await self._add_authors(hydrated)
        return hydrated

    async def _from_redis(self, viewer_id: int, post_ids: Sequence[int]) -> list[Any]:
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.mget([self._cards.key(post_id) for post_id in post_ids])
                reactions.ask(pipe, post_ids, viewer_id=viewer_id)
                return await pipe.execute()

    async def _decoded(self, viewer_id: int, post_ids: Sequence[int], values: Any, counts: Any, flags: Any) -> Hydrated:
        hydrated = Hydrated()
        likes, comments = reactions.decode_counts(counts)
        cold: list[int] = []  # posts without a card
        uncounted: list[int] = []
        for post_id, value, like_count, comment_count in zip(post_ids, values, likes, comments, strict=True):
            card = self._cards.decode(value)
            if card is True:
                cold.append(post_id)
            elif card is not False:
                hydrated.cards[post_id] = card
                if like_count is None or comment_count is None:
                    uncounted.append(post_id)
                else:
                    hydrated.likes[post_id], hydrated.comments[post_id] = like_count, comment_count
        self._metrics.lookups(Cache.POST_CARD, hits=len(post_ids) - len(cold), misses=len(cold))
        liked = reactions.decode_liked(flags)
        if liked is not None:
            hydrated.liked = {post_id for post_id, flag in zip(post_ids, liked, strict=True) if flag}
            if not (cold or uncounted):
                return hydrated
        await self._fill_gaps(hydrated, viewer_id, post_ids if liked is None else (), cold, uncounted)
        return hydrated

    async def _fill_gaps(
        self,
        hydrated: Hydrated,
        viewer_id: int,
        unknown_likes: Sequence[int],
        cold: Sequence[int],
        uncounted: Sequence[int],
    ) -> None:
        """Load from PostgreSQL what Redis lacks and write it back; what cannot be loaded is missing from the page."""
        loads = self._load((*cold, *uncounted))
        flags = self._liked.among(viewer_id, unknown_likes)
        loaded, liked = await asyncio.gather(loads, flags, return_exceptions=True)
        if isinstance(loaded, Failure):
            hydrated.reasons.append("cards")
            for post_id in uncounted:
                hydrated.likes[post_id] = hydrated.comments[post_id] = 0
        elif isinstance(loaded, BaseException):
            raise loaded
        else:
            self._take(hydrated, loaded)
            for post_id in uncounted:
                if post_id not in loaded:
                    del hydrated.cards[post_id]  # deleted since its card was written
            self._background.start("cards", functools.partial(self._keep, (*cold, *uncounted), loaded))
        if isinstance(liked, Failure):
            hydrated.reasons.append("likes")
        elif isinstance(liked, BaseException):
            raise liked
        elif unknown_likes:
            hydrated.liked = liked
            self._background.start("liked", functools.partial(self._liked.refill, viewer_id))

    async def _load(self, post_ids: Sequence[int]) -> dict[int, Loaded]:
        if not post_ids:
            return {}
        with self._bulkhead.entered():
            return await self._cards.load(post_ids)

    async def _from_postgres(self, viewer_id: int, post_ids: Sequence[int]) -> Hydrated:
        self._metrics.lookups(Cache.POST_CARD, hits=0, misses=len(post_ids))
        hydrated = Hydrated(reasons=["cache"])
        loaded, liked = await asyncio.gather(self._cards.load(post_ids), self._liked.among(viewer_id, post_ids))
        self._take(hydrated, loaded)
        hydrated.liked = liked
        return hydrated

    def _take(self, hydrated: Hydrated, loaded: dict[int, Loaded]) -> None:
        for post_id, each in loaded.items():
            hydrated.cards[post_id] = each.card
            hydrated.likes[post_id], hydrated.comments[post_id] = each.likes.count, each.comments.count
            hydrated.authors[each.card.author_id] = each.author

    async def _keep(self, post_ids: Iterable[int], loaded: dict[int, Loaded]) -> None:
        await self._cards.keep(post_ids, loaded)
        await self._reactions.put(
            likes=[each.likes for each in loaded.values()], comments=[each.comments for each in loaded.values()]
        )

    async def _add_authors(self, hydrated: Hydrated) -> None:
        for author_id, card in hydrated.authors.items():
            self._authors.remember(author_id, card)
        near, missing = self._authors.near({card.author_id for card in hydrated.cards.values()})
        hydrated.authors.update(near)
        hits = len(near)
        if missing:
            try:
                found = await self._guard.call(functools.partial(self._authors.read, missing))
            except Failure:
                found = {}
            hits += len(found)
            hydrated.authors.update(found)
            cold = missing - found.keys()
            if cold:
                loaded = await self._authors.load(cold)
                hydrated.authors.update(loaded)
                self._background.start("authors", functools.partial(self._authors.keep, list(loaded.items())))
            missing = cold
        self._metrics.lookups(Cache.AUTHOR_CARD, hits=hits, misses=len(missing))
