"""Every user operation once: its name is the route's name, Locust's request name, the metric label, the model's class.

``stages`` are the parts of an operation that the service times apart and that are stations of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.names import Component, Server

API: Final = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing a client can ask for."""

    name: str
    component: Component | Server  # who answers; a server for operations that go past our services
    method: str
    path: str  # with ``{name}`` for variables, relative to API for components
    stages: tuple[str, ...]
    signed_in: bool = True  # the gateway wants a valid token
    creates: bool = False  # honours Idempotency-Key
    status: int = 200  # of a success
    made: str = ""  # where what it made is found: a path with ``{names}`` of the request's path or of the answer
    validated: bool = True  # a read whose answer stays the same until something changes: it has an entity tag


def _operation(
    name: str,
    route: str,
    component: Component | Server,
    stages: str,
    *,
    signed_in: bool = True,
    creates: bool = False,
    status: int = 200,
    made: str = "",
    validated: bool = True,
) -> Operation:
    method, path = route.split()
    return Operation(
        name=name,
        component=component,
        method=method,
        path=path,
        stages=tuple(stages.split()),
        signed_in=signed_in,
        creates=creates,
        status=status,
        made=made,
        validated=validated,
    )


_ALL: Final = (
    _operation(
        "auth.signup",
        "POST /auth/signup",
        Component.AUTH,
        "parse hash write present",
        signed_in=False,
        status=201,
        made="/users/{user.id}",
    ),
    _operation("auth.login", "POST /auth/login", Component.AUTH, "parse load hash present", signed_in=False),
    _operation("user.read", "GET /users/{user_id}", Component.GRAPH, "load present"),
    _operation("graph.follow", "PUT /users/{user_id}/follow", Component.GRAPH, "load write present"),
    _operation("graph.unfollow", "DELETE /users/{user_id}/follow", Component.GRAPH, "write present"),
    _operation("graph.followers", "GET /users/{user_id}/followers", Component.GRAPH, "load present"),
    _operation("graph.following", "GET /users/{user_id}/following", Component.GRAPH, "load present"),
    _operation(
        "media.create",
        "POST /media",
        Component.UPLOAD,
        "parse write present",
        creates=True,
        status=201,
        made="/media/{media.id}",
    ),
    _operation(
        "media.complete", "POST /media/{media_id}/complete", Component.UPLOAD, "load verify write present", status=202
    ),
    _operation("media.read", "GET /media/{media_id}", Component.UPLOAD, "load present"),
    _operation("media.delete", "DELETE /media/{media_id}", Component.UPLOAD, "load write present", status=204),
    _operation("object.put", "PUT /{key}", Server.OBJECTS, "store", signed_in=False),
    _operation("image.read", "GET /{key}", Server.EDGE, "lookup", signed_in=False),
    _operation(
        "post.create",
        "POST /posts",
        Component.POSTS,
        "parse load write present",
        creates=True,
        status=201,
        made="/posts/{post.id}",
    ),
    _operation("post.read", "GET /posts/{post_id}", Component.POSTS, "load present"),
    _operation("post.delete", "DELETE /posts/{post_id}", Component.POSTS, "write present", status=204),
    _operation("user.posts", "GET /users/{user_id}/posts", Component.POSTS, "load present"),
    # every first page opens a session with a cursor of its own, so no two are alike
    _operation("feed.read", "GET /feed", Component.FEED, "skeleton hydrate rules present", validated=False),
    _operation("like.add", "PUT /posts/{post_id}/like", Component.ENGAGEMENT, "write count present"),
    _operation("like.remove", "DELETE /posts/{post_id}/like", Component.ENGAGEMENT, "write count present"),
    _operation(
        "comment.add",
        "POST /posts/{post_id}/comments",
        Component.ENGAGEMENT,
        "parse write count present",
        creates=True,
        status=201,
        made="/posts/{post_id}/comments#{comment.id}",  # a comment is read in its list only
    ),
    _operation("comment.list", "GET /posts/{post_id}/comments", Component.ENGAGEMENT, "load present"),
    _operation(
        "story.create",
        "POST /stories",
        Component.STORIES,
        "parse load write present",
        creates=True,
        status=201,
        made="/stories/tray#{story.id}",  # a story is read in the tray only
    ),
    _operation("story.tray", "GET /stories/tray", Component.STORIES, "load rules present"),
    _operation("story.delete", "DELETE /stories/{story_id}", Component.STORIES, "write present", status=204),
    _operation("story.seen", "PUT /stories/{story_id}/seen", Component.STORIES, "write present", status=204),
    _operation("search.users", "GET /search/users", Component.SEARCH, "query present"),
    _operation("search.hashtags", "GET /search/hashtags", Component.SEARCH, "query present"),
)

OPERATIONS: Final[dict[str, Operation]] = {operation.name: operation for operation in _ALL}

#: What one user act is made of, in order. A scenario's mix may name an act; samples are recorded per operation.
JOURNEYS: Final[dict[str, tuple[str, ...]]] = {
    "media.upload": ("media.create", "object.put", "media.complete", "post.create"),
    "post.withdraw": ("media.create", "object.put", "media.complete", "post.create", "post.delete"),
    "story.withdraw": ("media.create", "object.put", "media.complete", "story.create", "story.delete"),
    "media.withdraw": ("media.create", "object.put", "media.complete", "media.delete"),
}

#: Operations that make no sense by themselves: they need what an operation before them made.
ONLY_WITHIN_A_JOURNEY: Final = frozenset(
    {"object.put", "media.complete", "media.delete", "post.delete", "story.delete"}
)

#: Work that no client waits for, and the component that does it.
BACKGROUND: Final[dict[str, Component]] = {
    "media.process": Component.MEDIA,
    "media.remove": Component.MEDIA,
    "fanout.deliver": Component.FANOUT,
}


def steps_of(act: str) -> tuple[str, ...]:
    """Operations that the act ``act`` of a scenario's mix consists of; raises KeyError for an unknown one."""
    if act in JOURNEYS:
        return JOURNEYS[act]
    return (OPERATIONS[act].name,)
