"""Following over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from core import ids, operations
from core.failures import Conflict, NotFound
from core.messages import FollowCreated, FollowDeleted
from services.graph import rules
from services.graph.store import Edge, Graph
from services.kit import outbox, pages
from services.kit.answers import answer
from services.kit.fields import Count, DisplayName, Id, Username
from services.kit.routing import path_id, route, stage, viewer
from services.kit.stores.following import FOLLOWING_MAX
from services.kit.stores.people import Person

GRAPH: Final = web.AppKey("GRAPH", Graph)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as the caller sees them."""

    id: Id
    username: Username
    display_name: DisplayName
    followers_count: Count
    following_count: Count
    viewer_follows: bool


class UserAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One user."""

    user: User


class FollowAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the caller now follows, and how many do."""

    following: bool
    followers_count: Count


async def read_user(request: web.Request) -> web.Response:
    """One user, with counts."""
    user_id, viewer_id = path_id(request, "user_id"), viewer(request)
    with stage(request, "load"):
        profile = await request.app[GRAPH].profile(user_id, viewer_id=viewer_id)
    if profile is None:
        raise NotFound(f"No user {user_id}")
    with stage(request, "present"):
        user = User(
            id=str(profile.id),
            username=profile.username,
            display_name=profile.display_name,
            followers_count=profile.followers_count,
            following_count=profile.following_count,
            viewer_follows=profile.viewer_follows,
        )
        return answer(UserAnswer(user=user))


async def follow(request: web.Request) -> web.Response:
    """Follow a user; following twice is following once."""
    followee_id, follower_id = path_id(request, "user_id"), viewer(request)
    rules.check_follow(follower_id=follower_id, followee_id=followee_id)
    graph = request.app[GRAPH]
    with stage(request, "load"):
        count = await graph.followers_count(followee_id)
    if count is None:
        raise NotFound(f"No user {followee_id}")
    with stage(request, "write"):
        stamp = outbox.stamp(request.app, ids.shard_of(follower_id))
        changed = await graph.change(FollowCreated(**stamp, follower_id=follower_id, followee_id=followee_id))
        if changed is None and await graph.has_no_room(follower_id, followee_id):
            raise rules.follows_the_most(FOLLOWING_MAX)
    with stage(request, "present"):
        return answer(FollowAnswer(following=True, followers_count=count if changed is None else changed))


async def unfollow(request: web.Request) -> web.Response:
    """Unfollow a user; it is no error if the caller does not follow them."""
    followee_id, follower_id = path_id(request, "user_id"), viewer(request)
    rules.check_follow(follower_id=follower_id, followee_id=followee_id)
    graph = request.app[GRAPH]
    with stage(request, "write"):
        stamp = outbox.stamp(request.app, ids.shard_of(follower_id))
        count = await graph.change(FollowDeleted(**stamp, follower_id=follower_id, followee_id=followee_id))
        if count is None:
            count = await graph.followers_count(followee_id)
    if count is None:
        raise NotFound(f"No user {followee_id}")
    with stage(request, "present"):
        return answer(FollowAnswer(following=False, followers_count=count))


async def followers(request: web.Request) -> web.Response:
    """Who follows a user, newest first."""
    return await _list(request, request.app[GRAPH].followers)


async def following(request: web.Request) -> web.Response:
    """Whom a user follows, newest first."""
    return await _list(request, request.app[GRAPH].following)


async def _list(request: web.Request, read: Callable[..., Awaitable[list[Edge]]]) -> web.Response:
    user_id, _ = path_id(request, "user_id"), viewer(request)
    asked = pages.query(request, pages.PageQuery)
    before = pages.cursor_of(request, asked.cursor, tuple[int, int])
    graph = request.app[GRAPH]
    with stage(request, "load"):
        edges = await read(user_id, limit=asked.limit + 1, before=before)
        if not edges and await graph.followers_count(user_id) is None:
            raise NotFound(f"No user {user_id}")
        names = await graph.people(edge.user_id for edge in edges[: asked.limit])
    with stage(request, "present"):
        shown = edges[: asked.limit]
        more = len(edges) > asked.limit
        cursor = pages.next_cursor(request, (shown[-1].at_ms, shown[-1].user_id)) if more else None
        items = [names[edge.user_id] for edge in shown if edge.user_id in names]
        return answer(pages.Page(items=items, next_cursor=cursor), headers=pages.link(request, cursor))


ROUTES: Final = (
    route(operations.USER_READ, read_user, answer=UserAnswer),
    route(operations.GRAPH_FOLLOW, follow, answer=FollowAnswer, refuses=(Conflict,)),
    route(operations.GRAPH_UNFOLLOW, unfollow, answer=FollowAnswer),
    route(operations.GRAPH_FOLLOWERS, followers, query=pages.PageQuery, answer=pages.Page[Person]),
    route(operations.GRAPH_FOLLOWING, following, query=pages.PageQuery, answer=pages.Page[Person]),
)
