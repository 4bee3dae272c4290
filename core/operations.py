"""Every user operation once: its name is the route's name, Locust's request name, the metric label, the model's class.

``stages`` are the parts of an operation that the service times separately and that are stations of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.names import Component, Server

API: Final = "/api/v1"
#: Names of operations, in the order of `OPERATIONS`. Code outside core names an operation by these.
AUTH_SIGNUP: Final = "auth.signup"
AUTH_LOGIN: Final = "auth.login"
USER_READ: Final = "user.read"
GRAPH_FOLLOW: Final = "graph.follow"
GRAPH_UNFOLLOW: Final = "graph.unfollow"
GRAPH_FOLLOWERS: Final = "graph.followers"
GRAPH_FOLLOWING: Final = "graph.following"
MEDIA_CREATE: Final = "media.create"
MEDIA_COMPLETE: Final = "media.complete"
MEDIA_READ: Final = "media.read"
MEDIA_DELETE: Final = "media.delete"
OBJECT_PUT: Final = "object.put"
IMAGE_READ: Final = "image.read"
POST_CREATE: Final = "post.create"
POST_READ: Final = "post.read"
POST_DELETE: Final = "post.delete"
USER_POSTS: Final = "user.posts"
FEED_READ: Final = "feed.read"
LIKE_ADD: Final = "like.add"
LIKE_REMOVE: Final = "like.remove"
COMMENT_ADD: Final = "comment.add"
COMMENT_LIST: Final = "comment.list"
STORY_CREATE: Final = "story.create"
STORY_TRAY: Final = "story.tray"
STORY_DELETE: Final = "story.delete"
STORY_SEEN: Final = "story.seen"
SEARCH_USERS: Final = "search.users"
SEARCH_HASHTAGS: Final = "search.hashtags"
#: Names of acts of several operations (`JOURNEYS`).
MEDIA_UPLOAD: Final = "media.upload"
POST_WITHDRAW: Final = "post.withdraw"
STORY_WITHDRAW: Final = "story.withdraw"
MEDIA_WITHDRAW: Final = "media.withdraw"
#: Names of work that no client waits for (`BACKGROUND`).
MEDIA_PROCESS: Final = "media.process"
MEDIA_REMOVE: Final = "media.remove"
FANOUT_DELIVER: Final = "fanout.deliver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing a client can ask for."""

    name: str
    component: Component | Server  # the one that answers; a server for operations that bypass our services
    method: str
    path: str  # with ``{name}`` for variables, relative to API for components
    stages: tuple[str, ...]
    signed_in: bool = True  # the gateway requires a valid token
    creates: bool = False  # honours Idempotency-Key
    status: int = 200  # of a success
    made: str = ""  # path of the created resource, with ``{names}`` of the request's path or of the answer
    validated: bool = True  # of a read: its answer is the same until something changes, so it has an entity tag

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method not in ("GET", "HEAD")


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
        AUTH_SIGNUP,
        "POST /auth/signup",
        Component.AUTH,
        "parse hash write present",
        signed_in=False,
        status=201,
        made="/users/{user.id}",
    ),
    _operation(AUTH_LOGIN, "POST /auth/login", Component.AUTH, "parse load hash present", signed_in=False),
    _operation(USER_READ, "GET /users/{user_id}", Component.GRAPH, "load present"),
    _operation(GRAPH_FOLLOW, "PUT /users/{user_id}/follow", Component.GRAPH, "load write present"),
    _operation(GRAPH_UNFOLLOW, "DELETE /users/{user_id}/follow", Component.GRAPH, "write present"),
    _operation(GRAPH_FOLLOWERS, "GET /users/{user_id}/followers", Component.GRAPH, "load present"),
    _operation(GRAPH_FOLLOWING, "GET /users/{user_id}/following", Component.GRAPH, "load present"),
    _operation(
        MEDIA_CREATE,
        "POST /media",
        Component.UPLOAD,
        "parse write present",
        creates=True,
        status=201,
        made="/media/{media.id}",
    ),
    _operation(
        MEDIA_COMPLETE, "POST /media/{media_id}/complete", Component.UPLOAD, "load verify write present", status=202
    ),
    _operation(MEDIA_READ, "GET /media/{media_id}", Component.UPLOAD, "load present"),
    _operation(MEDIA_DELETE, "DELETE /media/{media_id}", Component.UPLOAD, "load write present", status=204),
    _operation(OBJECT_PUT, "PUT /{key}", Server.OBJECTS, "store", signed_in=False),
    _operation(IMAGE_READ, "GET /{key}", Server.EDGE, "lookup", signed_in=False),
    _operation(
        POST_CREATE,
        "POST /posts",
        Component.POSTS,
        "parse load write present",
        creates=True,
        status=201,
        made="/posts/{post.id}",
    ),
    _operation(POST_READ, "GET /posts/{post_id}", Component.POSTS, "load present"),
    _operation(POST_DELETE, "DELETE /posts/{post_id}", Component.POSTS, "write present", status=204),
    _operation(USER_POSTS, "GET /users/{user_id}/posts", Component.POSTS, "load present"),
    # every first page opens a session with a cursor of its own, so no two are alike
    _operation(FEED_READ, "GET /feed", Component.FEED, "skeleton hydrate rules present", validated=False),
    _operation(LIKE_ADD, "PUT /posts/{post_id}/like", Component.ENGAGEMENT, "write count present"),
    _operation(LIKE_REMOVE, "DELETE /posts/{post_id}/like", Component.ENGAGEMENT, "write count present"),
    _operation(
        COMMENT_ADD,
        "POST /posts/{post_id}/comments",
        Component.ENGAGEMENT,
        "parse write count present",
        creates=True,
        status=201,
        made="/posts/{post_id}/comments#{comment.id}",  # a comment is read in its list only
    ),
    _operation(COMMENT_LIST, "GET /posts/{post_id}/comments", Component.ENGAGEMENT, "load present"),
    _operation(
        STORY_CREATE,
        "POST /stories",
        Component.STORIES,
        "parse load write present",
        creates=True,
        status=201,
        made="/stories/tray#{story.id}",  # a story is read in the tray only
    ),
    _operation(STORY_TRAY, "GET /stories/tray", Component.STORIES, "load rules present"),
    _operation(STORY_DELETE, "DELETE /stories/{story_id}", Component.STORIES, "write present", status=204),
    _operation(STORY_SEEN, "PUT /stories/{story_id}/seen", Component.STORIES, "write present", status=204),
    _operation(SEARCH_USERS, "GET /search/users", Component.SEARCH, "query present"),
    _operation(SEARCH_HASHTAGS, "GET /search/hashtags", Component.SEARCH, "query present"),
)

OPERATIONS: Final[dict[str, Operation]] = {operation.name: operation for operation in _ALL}

#: What one user act is made of, in order. A scenario's mix may name an act; samples are recorded per operation.
JOURNEYS: Final[dict[str, tuple[str, ...]]] = {
    MEDIA_UPLOAD: (MEDIA_CREATE, OBJECT_PUT, MEDIA_COMPLETE, POST_CREATE),
    POST_WITHDRAW: (MEDIA_CREATE, OBJECT_PUT, MEDIA_COMPLETE, POST_CREATE, POST_DELETE),
    STORY_WITHDRAW: (MEDIA_CREATE, OBJECT_PUT, MEDIA_COMPLETE, STORY_CREATE, STORY_DELETE),
    MEDIA_WITHDRAW: (MEDIA_CREATE, OBJECT_PUT, MEDIA_COMPLETE, MEDIA_DELETE),
}

#: Operations that cannot be sent alone: they need something that an earlier operation created.
ONLY_WITHIN_A_JOURNEY: Final = frozenset({OBJECT_PUT, MEDIA_COMPLETE, MEDIA_DELETE, POST_DELETE, STORY_DELETE})

#: Work that no client waits for, and the component that does it.
BACKGROUND: Final[dict[str, Component]] = {
    MEDIA_PROCESS: Component.MEDIA,
    MEDIA_REMOVE: Component.MEDIA,
    FANOUT_DELIVER: Component.FANOUT,
}


def steps_of(act: str) -> tuple[str, ...]:
    """Operations that the act ``act`` of a scenario's mix consists of; raises KeyError for an unknown one."""
    if act in JOURNEYS:
        return JOURNEYS[act]
    return (OPERATIONS[act].name,)
