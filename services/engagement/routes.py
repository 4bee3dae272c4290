"""Likes and comments over HTTP."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from aiohttp import web

from core import ids, operations
from core.failures import Unauthenticated
from core.messages import CommentCreated
from services.engagement import rules
from services.engagement.rules import LikeChange
from services.engagement.store.comments import Comments
from services.engagement.store.counters import Counters
from services.engagement.store.likes import Likes
from services.kit import body, outbox, pages
from services.kit.answers import answer
from services.kit.clock import rfc3339
from services.kit.config import new_id
from services.kit.fields import Count, Id, Time, stated
from services.kit.routing import CALL, path_id, route, stage, viewer
from services.kit.stores.people import Person

LIKES: Final = web.AppKey("LIKES", Likes)
COMMENTS: Final = web.AppKey("COMMENTS", Comments)
COUNTERS: Final = web.AppKey("COUNTERS", Counters)


class LikeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the caller now likes the post, and how many do."""

    liked: bool
    like_count: Count


class NewComment(body.Body, frozen=True, kw_only=True):
    """A new comment."""

    text: Annotated[str, stated(minLength=1, maxLength=rules.COMMENT_CHARACTERS_MAX)]


class CommentItem(msgspec.Struct, frozen=True, kw_only=True):
    """One comment."""

    id: Id
    post_id: Id
    author: Person
    text: str
    created_at: Time


class CommentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The comment that was made."""

    comment: CommentItem


async def add_like(request: web.Request) -> web.Response:
    """Like a post; liking twice is liking once."""
    return await _like(request, liked=True)


async def remove_like(request: web.Request) -> web.Response:
    """Remove a like; it is no error if there is none."""
    return await _like(request, liked=False)


async def _like(request: web.Request, *, liked: bool) -> web.Response:
    change = LikeChange(
        post_id=path_id(request, "post_id"),
        user_id=viewer(request),
        liked=liked,
        request_id=request[CALL].request_id,
    )
    with stage(request, "write"):
        pending = request.app[LIKES].submit(change)
        tally = await pending.written
    with stage(request, "count"):
        await pending.counted
    with stage(request, "present"):
        return answer(LikeAnswer(liked=liked, like_count=tally.count))


async def add_comment(request: web.Request) -> web.Response:
    """Comment on a post."""
    with stage(request, "parse"):
        post_id, user_id = path_id(request, "post_id"), viewer(request)
        text = rules.comment_text((await body.read(request, NewComment)).text)
    comments = request.app[COMMENTS]
    with stage(request, "write"):
        author = (await comments.people([user_id])).get(user_id)
        if author is None:
            raise Unauthenticated("This account no longer exists")
        shard = ids.shard_of(post_id)
        event = CommentCreated(
            **outbox.stamp(request.app, shard),
            comment_id=new_id(request.app, shard),
            post_id=post_id,
            user_id=user_id,
            text=text,
        )
        made = answer(CommentAnswer(comment=_item(event.comment_id, post_id, author, text)), status=201)
        response, tally = await comments.add(request, event, made)
    with stage(request, "count"):
        if tally is not None:
            await request.app[COUNTERS].publish(comments=[tally])
    with stage(request, "present"):
        return response


async def list_comments(request: web.Request) -> web.Response:
    """Comments on a post, newest first."""
    post_id, viewer_id = path_id(request, "post_id"), viewer(request)
    asked = pages.query(request, pages.PageQuery)
    before_id = pages.cursor_of(request, asked.cursor, int)
    comments = request.app[COMMENTS]
    with stage(request, "load"):
        found = await comments.newest(post_id, viewer_id=viewer_id, limit=asked.limit + 1, before_id=before_id)
        shown = found[: asked.limit]
        authors = await comments.people(comment.user_id for comment in shown)
    with stage(request, "present"):
        items = [_item(each.id, post_id, authors[each.user_id], each.text) for each in shown if each.user_id in authors]
        cursor = pages.next_cursor(request, shown[-1].id) if len(found) > asked.limit else None
        return answer(pages.Page(items=items, next_cursor=cursor), headers=pages.link(request, cursor))


def _item(comment_id: int, post_id: int, author: Person, text: str) -> CommentItem:
    return CommentItem(
        id=str(comment_id),
        post_id=str(post_id),
        author=author,
        text=text,
        created_at=rfc3339(ids.created_ms_of(comment_id)),
    )


ROUTES: Final = (
    route(operations.LIKE_ADD, add_like, answer=LikeAnswer),
    route(operations.LIKE_REMOVE, remove_like, answer=LikeAnswer),
    route(operations.COMMENT_ADD, add_comment, body=NewComment, answer=CommentAnswer),
    route(operations.COMMENT_LIST, list_comments, query=pages.PageQuery, answer=pages.Page[CommentItem]),
)
