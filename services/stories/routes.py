"""Stories over HTTP."""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import Final

import msgspec
from aiohttp import web

from core import ids, operations
from core.failures import Failure, Forbidden, NotFound
from core.messages import StoryCreated, StoryDeleted
from services.kit import body, idempotency, outbox
from services.kit.answers import JSON, empty
from services.kit.clock import now_ms
from services.kit.config import SETTINGS, new_id
from services.kit.fields import SentId
from services.kit.guard import Guard
from services.kit.routing import body_id, path_id, route, stage, viewer
from services.kit.stores.people import Person
from services.stories import rules
from services.stories.rules import TrayAuthor, TrayStory
from services.stories.store.cache import TrayCache
from services.stories.store.rows import MEDIA_HOST, Stories, StoryBody
from services.stories.store.stale import StaleViewers
from services.stories.store.trays import Trays

STORIES: Final = web.AppKey("STORIES", Stories)
CACHE: Final = web.AppKey("CACHE", TrayCache)
TRAYS: Final = web.AppKey("TRAYS", Trays)
STALE: Final = web.AppKey("STALE", StaleViewers)
GUARD: Final = web.AppKey("GUARD", Guard)
_PLACEHOLDER: Final = f'"url":"{MEDIA_HOST}/'.encode()


class NewStory(body.Body, frozen=True, kw_only=True):
    """A photo of the caller's own, which may still be processing."""

    media_id: SentId


class Story(StoryBody, frozen=True, kw_only=True):
    """The story that was made."""

    author: Person


class StoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One story."""

    story: Story


class StoryInTray(StoryBody, frozen=True, kw_only=True):
    """A story, and whether the viewer has seen it."""

    seen: bool


class TrayItem(msgspec.Struct, frozen=True, kw_only=True):
    """One author's stories, oldest first."""

    author: Person
    unseen: bool
    stories: list[StoryInTray]


class TrayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The viewer's own first, then those with something unseen, then the most recent."""

    items: list[TrayItem]


async def create(request: web.Request) -> web.Response:
    """Create a story; it ends after 24 hours, and its photo with it unless a post shows it."""
    with stage(request, "parse"):
        author_id = viewer(request)
        media_id = body_id(request, "media_id", (await body.read(request, NewStory)).media_id)
    shard = ids.shard_of(author_id)
    rows = request.app[STORIES]
    with stage(request, "load"):
        story_id = new_id(request.app, shard)
        event = StoryCreated(
            **outbox.stamp(request.app, shard),
            story_id=story_id,
            author_id=author_id,
            media_id=media_id,
            expires_ms=rules.expires_ms(ids.created_ms_of(story_id)),
        )
    with stage(request, "write"):
        async with rows.transaction(shard) as connection:
            replayed, story = await rows.create(request, connection, event)
            if story is None:
                assert replayed is not None
                return replayed
            author, _, members = story.card.partition(b"\n")
            made = _answered(request, b'{"story":{%s,"author":%s}}' % (members, author), status=201)
            response = await idempotency.finish(request, connection, shard, made)
        with suppress(Failure):  # the story's event repeats it
            await request.app[GUARD].call(functools.partial(request.app[CACHE].add, [story]))
    with stage(request, "present"):
        return response


async def tray(request: web.Request) -> web.Response:
    """The caller's own stories, and those of the users they follow."""
    viewer_id, now = viewer(request), now_ms()
    with stage(request, "load"):
        found = await request.app[TRAYS].read(viewer_id, now_ms=now)
    with stage(request, "rules"):
        authors = rules.tray(found.stories, viewer_id=viewer_id, seen=found.seen, now_ms=now)
    with stage(request, "present"):
        items = b",".join(_item(author, frozenset(found.seen)) for author in authors)
        return _answered(request, b'{"items":[%s]}' % items)


def _item(author: TrayAuthor, seen: frozenset[int]) -> bytes:
    stories = b",".join(_shown(story, seen=story.story_id in seen) for story in author.stories)
    card, _, _ = author.stories[-1].card.partition(b"\n")
    return b'{"author":%s,"unseen":%s,"stories":[%s]}' % (card, b"true" if author.unseen else b"false", stories)


def _shown(story: TrayStory, *, seen: bool) -> bytes:
    _, _, members = story.card.partition(b"\n")
    return b'{%s,"seen":%s}' % (members, b"true" if seen else b"false")


def _answered(request: web.Request, data: bytes, *, status: int = 200) -> web.Response:
    # quotes within texts are escaped, so nothing but a card's own url can match
    media_url = request.app[SETTINGS].media_url.rstrip("/")
    return web.Response(
        body=data.replace(_PLACEHOLDER, b'"url":"%s/' % media_url.encode()), status=status, content_type=JSON
    )


async def see(request: web.Request) -> web.Response:
    """Note that the viewer has seen a story."""
    story_id, viewer_id, now = path_id(request, "story_id"), viewer(request), now_ms()
    rows = request.app[STORIES]
    with stage(request, "write"):
        _, expires_ms = await _living(request, story_id, viewer_id, now)
        await rows.see(viewer_id, story_id, story_expires_ms=expires_ms, now_ms=now)
        try:
            await request.app[GUARD].call(
                functools.partial(request.app[CACHE].see, viewer_id, {story_id: expires_ms}, now_ms=now)
            )
        except Failure:
            request.app[STALE].add(viewer_id)
    with stage(request, "present"):
        return empty()


async def delete(request: web.Request) -> web.Response:
    """Delete one's own story, for good, with its photo.

    The photo stays while a post, or another story that has not ended, shows it; otherwise all its addresses are gone
    within five seconds.
    """
    story_id, viewer_id = path_id(request, "story_id"), viewer(request)
    with stage(request, "write"):
        author_id, expires_ms = await _living(request, story_id, viewer_id, now_ms())
        if author_id != viewer_id:
            raise Forbidden("Only its author may delete a story")
        stamp = outbox.stamp(request.app, ids.shard_of(story_id))
        event = StoryDeleted(**stamp, story_id=story_id, author_id=author_id, expires_ms=expires_ms)
        if not await request.app[STORIES].delete(event):
            raise NotFound(f"No story {story_id}")
        with suppress(Failure):  # the event repeats it
            await request.app[GUARD].call(functools.partial(request.app[CACHE].take_off, [event]))
    with stage(request, "present"):
        return empty()


async def _living(request: web.Request, story_id: int, viewer_id: int, now: int) -> tuple[int, int]:
    """Author and end of a story that the viewer may see; raises NotFound."""
    found = await request.app[STORIES].author_and_end(story_id, viewer_id=viewer_id)
    if found is None or not rules.alive(found[1], now_ms=now):
        raise NotFound(f"No story {story_id}")
    return found


ROUTES: Final = (
    route(operations.STORY_CREATE, create, body=NewStory, answer=StoryAnswer),
    route(operations.STORY_TRAY, tray, answer=TrayAnswer),
    route(operations.STORY_DELETE, delete, refuses=(Forbidden,)),
    route(operations.STORY_SEEN, see),
)
