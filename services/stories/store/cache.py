"""Stories in Redis, so that a tray is one round trip however many are followed.

``stories:{author}`` holds cards by the time they end, ``stories_seen:{viewer}`` what was seen. A marker distinguishes a
complete set from one that Redis has lost. Only additions count: a story with an empty card is deleted, whatever other
cards there are of it. So writes and refills may come in any order; a card with pictures is kept beside the one without
until that is removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from core.messages import StoryDeleted
from core.names import Key
from services.kit.stores import following
from services.kit.stores.following import Following
from services.kit.stores.redis import reaching
from services.stories.rules import LIVES_MS, TrayStory

_MARKER: Final = "~"
_MARKER_SCORE: Final = -1
_KEPT_SECONDS: Final = LIVES_MS // 1000 + 60
_SHOWN_MAX: Final = 100  # stories of one author, the newest

#: KEYS: followees of the viewer ('~': the set is complete, see `services.kit.stores.following`), stories that they have
#: seen. ARGV: now, stories of one author, the viewer, whose own stories are in the tray too. Returns nil when the set
#: of followees is missing or incomplete.
_TRAY: Final = """
local followed = redis.call('SMEMBERS', KEYS[1])
local whole = false
for _, each in ipairs(followed) do if each == '~' then whole = true end end
if not whole then return nil end
followed[#followed + 1] = ARGV[3]
local missing, stories = {}, {}
for _, each in ipairs(followed) do
  if string.match(each, '^%d+$') then
    local key = '{stories}' .. each
    local cards = redis.call('ZREVRANGEBYSCORE', key, '+inf', '(' .. ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
    if #cards > 0 then stories[#stories + 1] = each; stories[#stories + 1] = cards end
    if not redis.call('ZSCORE', key, '~') then missing[#missing + 1] = each end
  end
end
local seen = redis.call('ZSCORE', KEYS[2], '~') and redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf')
return {missing, stories, seen or false}
""".replace("{stories}", Key.STORIES.partition("{")[0])

#: KEYS: stories of one author. ARGV: a deleted story's member without its card, when it would have ended, seconds.
_TAKE_OFF: Final = """
for _, each in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[2], ARGV[2])) do
  if string.sub(each, 1, #ARGV[1]) == ARGV[1] then redis.call('ZREM', KEYS[1], each) end
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedTray:
    """The part of a tray that Redis holds."""

    stories: list[TrayStory]
    missing: list[int]  # authors whose stories Redis lacks
    seen: set[int] | None  # None: not known


class TrayCache:
    """The trays of all viewers in Redis. Every method raises Unavailable or DeadlineExceeded and may be repeated."""

    def __init__(self, redis: Redis):
        self._redis = redis
        self._following = Following(redis)
        self._tray = redis.register_script(_TRAY)
        self._take_off = redis.register_script(_TAKE_OFF)

    async def tray(self, viewer_id: int, *, now_ms: int) -> CachedTray | None:
        """Everything a tray needs, in one round trip; None when Redis lacks the viewer's followees."""
        with reaching():
            updates: Any = await self._tray(
                keys=[following.key(viewer_id), Key.STORIES_SEEN.format(user=viewer_id)],
                args=[now_ms, _SHOWN_MAX, viewer_id],
            )
        if updates is None:
            return None
        missing, stories, seen = updates
        return CachedTray(
            stories=[
                _tray_story(int(stories[index]), card, int(float(score)))
                for index in range(0, len(stories), 2)
                for card, score in _pairs(stories[index + 1])
            ],
            missing=[int(each) for each in missing],
            seen=None if seen is None else {int(each) for each in seen},
        )

    async def add(self, stories: Iterable[TrayStory], *, whole: Iterable[int] = ()) -> None:
        """Add stories; authors in ``whole`` have no others."""
        by_author: dict[int, dict[Any, int]] = {author_id: {_MARKER: _MARKER_SCORE} for author_id in whole}
        for story in stories:
            by_author.setdefault(story.author_id, {})[_member(story)] = story.expires_ms
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                for author_id, members in by_author.items():
                    key = Key.STORIES.format(user=author_id)
                    pipe.zadd(key, members)
                    pipe.expire(key, _KEPT_SECONDS)
                await pipe.execute()

    async def replace(self, old: Iterable[TrayStory], new: Iterable[TrayStory]) -> None:
        """Replace cached cards of stories."""
        with reaching():
            async with self._redis.pipeline(transaction=True) as pipe:
                for story in old:
                    pipe.zrem(Key.STORIES.format(user=story.author_id), _member(story))
                for story in new:
                    pipe.zadd(Key.STORIES.format(user=story.author_id), {_member(story): story.expires_ms})
                await pipe.execute()

    async def take_off(self, deleted: Sequence[StoryDeleted]) -> None:
        """Mark stories as deleted, and remove their cached cards."""
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                for event in deleted:
                    await self._take_off(
                        keys=[Key.STORIES.format(user=event.author_id)],
                        args=[b"%d|" % event.story_id, event.expires_ms, _KEPT_SECONDS],
                        client=pipe,
                    )
                await pipe.execute()

    async def clear(self, author_ids: Sequence[int], *, now_ms: int) -> None:
        """Remove stories that have ended, to free memory."""
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                for author_id in author_ids:
                    pipe.zremrangebyscore(Key.STORIES.format(user=author_id), 0, now_ms)
                await pipe.execute()

    async def see(self, viewer_id: int, seen: Mapping[int, int], *, now_ms: int, whole: bool = False) -> None:
        """Note stories seen (and when they end); ``whole`` when these are all."""
        members: dict[Any, int] = {str(story_id): expires_ms for story_id, expires_ms in seen.items()}
        if whole:
            members[_MARKER] = _MARKER_SCORE
        if not members:
            return
        key = Key.STORIES_SEEN.format(user=viewer_id)
        with reaching():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zadd(key, members)
                pipe.zremrangebyscore(key, 0, now_ms)
                pipe.expire(key, _KEPT_SECONDS)
                await pipe.execute()

    async def forget_seen(self, viewer_ids: Iterable[int]) -> None:
        """Drop what viewers have seen: the next tray refills it."""
        keys = [Key.STORIES_SEEN.format(user=viewer_id) for viewer_id in viewer_ids]
        if keys:
            with reaching():
                await self._redis.delete(*keys)

    async def refill_followees(self, viewer_id: int, followees: Iterable[int]) -> None:
        """Write whom the viewer follows; call `begin_followees` before reading them."""
        await self._following.fill(viewer_id, followees)

    async def begin_followees(self, viewer_id: int) -> None:
        """Mark the followees as being filled."""
        await self._following.begin_fill(viewer_id)


def _member(story: TrayStory) -> bytes:
    return b"%d|%s" % (story.story_id, story.card)


def _tray_story(author_id: int, member: bytes, expires_ms: int) -> TrayStory:
    story_id, _, card = member.partition(b"|")
    return TrayStory(story_id=int(story_id), author_id=author_id, expires_ms=expires_ms, card=card)


def _pairs(flat: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)
