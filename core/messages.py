"""Events on the log: each type knows its topic and version; an event that a consumer cannot read goes to
``dead.letter``.

Consumers are upgraded before producers: a consumer gives up an event of an unknown version like any other that it
cannot read, so that the partition continues, and the dead letter keeps the event for a build that can read it.

Ids are integers here and text at the API's edge. ``event_id`` is unique: a consumer that must not act twice keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, TypeVar

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of every event."""

    topic: ClassVar[str] = ""
    version: ClassVar[int] = 1

    event_id: int
    at_ms: int  # Unix time at which it happened
    request_id: str = ""

    def key(self) -> int:
        """Id that determines the partition: events of one key stay in order."""
        raise TypeError(f"{type(self).__name__} has no key")


class UserCreated(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "user.created"
    user_id: int
    username: str
    display_name: str

    def key(self) -> int:
        return self.user_id


class FollowCreated(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "follow.created"
    follower_id: int
    followee_id: int

    def key(self) -> int:
        return self.follower_id


class FollowDeleted(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "follow.deleted"
    follower_id: int
    followee_id: int

    def key(self) -> int:
        return self.follower_id


class MediaUploaded(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "media.uploaded"
    media_id: int
    owner_id: int
    object_key: str
    size_bytes: int
    content_type: str

    def key(self) -> int:
        return self.media_id


class MediaVariant(msgspec.Struct, frozen=True, kw_only=True):
    """One rendering of an image."""

    name: str  # original, 1080, 640, 150, webp_640 …
    object_key: str
    content_type: str
    width: int
    height: int
    size_bytes: int


class MediaProcessed(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "media.processed"
    media_id: int
    owner_id: int
    variants: tuple[MediaVariant, ...]

    def key(self) -> int:
        return self.media_id


class MediaFailed(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "media.failed"
    media_id: int
    owner_id: int
    reason: str

    def key(self) -> int:
        return self.media_id


class PostCreated(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "post.created"
    post_id: int
    author_id: int
    media_ids: tuple[int, ...]
    caption: str
    hashtags: tuple[str, ...]

    def key(self) -> int:
        return self.author_id


class PostHidden(Message, frozen=True, kw_only=True):
    """All photos of the post failed: from now on only its author sees it."""

    topic: ClassVar[str] = "post.hidden"
    post_id: int
    author_id: int

    def key(self) -> int:
        return self.author_id


class PostDeleted(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "post.deleted"
    post_id: int
    author_id: int

    def key(self) -> int:
        return self.author_id


class LikeCreated(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "like.created"
    post_id: int
    user_id: int

    def key(self) -> int:
        return self.post_id


class LikeDeleted(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "like.deleted"
    post_id: int
    user_id: int

    def key(self) -> int:
        return self.post_id


class CommentCreated(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "comment.created"
    comment_id: int
    post_id: int
    user_id: int
    text: str

    def key(self) -> int:
        return self.post_id


class StoryCreated(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "story.created"
    story_id: int
    author_id: int
    media_id: int
    expires_ms: int

    def key(self) -> int:
        return self.author_id


class StoryDeleted(Message, frozen=True, kw_only=True):
    topic: ClassVar[str] = "story.deleted"
    story_id: int
    author_id: int
    expires_ms: int  # when it would have ended by itself

    def key(self) -> int:
        return self.author_id


#: Bytes of an event that its dead letter keeps; all events of ours are far smaller.
DEAD_PAYLOAD_BYTES_MAX: Final = 262_144
DEAD_ERROR_CHARACTERS_MAX: Final = 1_000


class DeadLetter(Message, frozen=True, kw_only=True, rename={"source": "topic", "event_key": "key"}):
    """An event that a consumer group gave up, so that its partition continues: the event, its position, and the reason.

    ``event_id`` and ``request_id`` are the event's own where it could be read, else 0 and empty.
    """

    topic: ClassVar[str] = "dead.letter"
    group: str
    source: str  # topic
    partition: int
    offset: int
    event_key: str
    payload: bytes  # the first DEAD_PAYLOAD_BYTES_MAX
    payload_size_bytes: int  # of the whole payload
    error: str
    tries: int

    def key(self) -> int:
        return self.event_id


MESSAGES: Final[tuple[type[Message], ...]] = (
    UserCreated,
    FollowCreated,
    FollowDeleted,
    MediaUploaded,
    MediaProcessed,
    MediaFailed,
    PostCreated,
    PostHidden,
    PostDeleted,
    LikeCreated,
    LikeDeleted,
    CommentCreated,
    StoryCreated,
    StoryDeleted,
    DeadLetter,
)
BY_TOPIC: Final[dict[str, type[Message]]] = {message.topic: message for message in MESSAGES}
TOPICS: Final[tuple[str, ...]] = tuple(BY_TOPIC)

#: Consumer groups and the events each consumes. An event stays in its outbox until every group that consumes it has
#: handled it; a group that is missing here is not waited for, so a test compares this with what the services consume.
#: Search is in no group: every process has its own index, and reads from PostgreSQL what the log has lost.
GROUPS: Final[dict[str, tuple[type[Message], ...]]] = {
    "graph": (FollowCreated, FollowDeleted),
    "media": (MediaUploaded,),
    "fanout": (PostCreated, PostDeleted),
    "fanout.follows": (FollowCreated, FollowDeleted),
    "posts": (MediaFailed,),
    "feed": (PostCreated, PostDeleted, MediaProcessed, MediaFailed, UserCreated),
    "discovery": (PostCreated, LikeCreated, CommentCreated, PostHidden, PostDeleted),
    "stories": (StoryCreated, StoryDeleted),
}


def groups_of(groups: Mapping[str, Iterable[type[Message]]] = GROUPS) -> dict[str, tuple[str, ...]]:
    """The groups that consume each topic that has any."""
    found: dict[str, tuple[str, ...]] = {}
    for group, kinds in groups.items():
        for kind in kinds:
            found[kind.topic] = (*found.get(kind.topic, ()), group)
    return found


M = TypeVar("M", bound=Message)


class NewerVersion(ValueError):  # noqa: N818 - not an error of ours
    """An event of a version that this build cannot read; its dead letter waits for one that can."""


class _Envelope(msgspec.Struct, frozen=True):
    v: int
    body: msgspec.Raw


def encode(message: Message) -> bytes:
    """JSON of the event with its version."""
    return msgspec.json.encode({"v": message.version, "body": message})


def decode(topic: str, data: bytes) -> Message:
    """Read an event of ``topic``; raises NewerVersion, or ValueError when the body does not fit."""
    kind = BY_TOPIC[topic]
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
        if envelope.v > kind.version:
            raise NewerVersion(f"{topic}: version {envelope.v} is newer than {kind.version}, which this build reads")
        return msgspec.json.decode(envelope.body, type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"{topic}: {error}") from error
