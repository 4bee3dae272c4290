"""The position of a reader's session, which the cursor carries so that pages never repeat or skip a post.

Followed posts are read newest first, so one id records the session's progress: all posts from it on have been shown.
Everything else is bounded, and so is the cursor (`BYTES_MAX`):

- deferred posts (the third in a row by one author) wait, at most `WAITING_MAX`, and come first on the next page;
- a post that existed when the session began may be delivered too late for the page it belonged on. The newest followed
  posts shown leave marks, so that a late post is recognised and comes first on the next page;
- recommendations have no stable order: each one shown leaves a 32-bit mark. The last `GIVEN_MAX` are in the cursor,
  earlier ones in Redis (`services.feed.store.sessions`).

Posts made after the session began appear in the next session; therefore every session ends.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from core import ids
from core.ids import ID_MAX

Mode = Literal["ranked", "chronological"]

WAITING_MAX: Final = 16  # deferred posts
GIVEN_MAX: Final = 100  # recommendations remembered in the cursor: at least one page
KEPT_MAX: Final = 4_096  # recommendations of one session
_WATCHED: Final = 24  # newest followed posts shown, whose marks identify late ones
_WATCHED_MAX: Final = 40  # including the late ones
_LATE_READ_MAX: Final = 80  # posts read to find late ones: those shown, those waiting, and as many late ones

_ODD: Final = 0x9E3779B97F4A7C15  # 2⁶⁴ over the golden ratio: multiplicative hashing, whose high half is well mixed
_MASK: Final = 0xFFFFFFFFFFFFFFFF
_VERSION: Final = 2
_MODES: Final[tuple[Mode, ...]] = ("ranked", "chronological")
_HEAD: Final = struct.Struct("<BBQQQIHBBB")
BYTES_MAX: Final = _HEAD.size + 8 * WAITING_MAX + 4 * _WATCHED_MAX + 4 * GIVEN_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Followed posts between two ids (inclusive), some of which may have been delivered late."""

    newest: int
    oldest: int
    shown: frozenset[int]  # marks
    waiting: frozenset[int]
    count: int = _LATE_READ_MAX

    def begins_before(self, floor: int) -> bool:
        """Whether late posts may be older than ``floor``, the id from which on a set is complete."""
        return self.oldest < floor

    def holds(self, post_id: int) -> bool:
        """Whether the post is a late one."""
        return self.oldest <= post_id <= self.newest and post_id not in self.waiting and mark(post_id) not in self.shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the next page begins."""

    mode: Mode = "ranked"
    start: int = 0  # the newest id that belongs to the session; 0 before its first page
    before: int = ID_MAX  # followed posts from this id on were shown …
    waiting: tuple[int, ...] = ()  # … except for these, which were deferred
    watch: int = 0  # ``watched`` has the marks of all followed posts shown from this id on
    watched: tuple[int, ...] = ()
    given: tuple[int, ...] = ()  # marks of recommendations shown, newest last
    kept: int = 0  # how many more are in Redis
    items: int = 0  # shown so far, ads included

    @property
    def late(self) -> Span | None:
        """Where late posts may be; None where they can no longer be distinguished."""
        oldest = max(self.watch, self.before)
        if oldest > self.start:
            return None
        return Span(newest=self.start, oldest=oldest, shown=frozenset(self.watched), waiting=frozenset(self.waiting))

    def encoded(self) -> bytes:
        """At most `BYTES_MAX` bytes."""
        head = _HEAD.pack(
            _VERSION,
            _MODES.index(self.mode),
            self.start,
            self.before,
            self.watch,
            min(self.items, 0xFFFFFFFF),
            self.kept,
            len(self.waiting),
            len(self.watched),
            len(self.given),
        )
        return b"".join(
            (head, _packed("Q", self.waiting), _packed("I", self.watched), _packed("I", self.given)),
        )


def _packed(kind: str, values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}{kind}", *values)


def decoded(data: bytes) -> Position:
    """The position from `Position.encoded`; raises ValueError for another version's."""
    try:
        version, mode, start, before, watch, items, kept, waiting, watched, given = _HEAD.unpack_from(data)
        if version != _VERSION:
            raise ValueError(f"a position of version {version}")
        numbers = struct.unpack_from(f"<{waiting}Q{watched}I{given}I", data, _HEAD.size)
    except struct.error as error:
        raise ValueError("not a position") from error
    return Position(
        mode=_MODES[mode],
        start=start,
        before=before,
        waiting=numbers[:waiting],
        watch=watch,
        watched=numbers[waiting : waiting + watched],
        given=numbers[waiting + watched :],
        kept=kept,
        items=items,
    )


def mark(post_id: int) -> int:
    """A 32-bit hash of a post's id; two posts share one with a probability of 2⁻³², and then one is not shown."""
    return (post_id * _ODD & _MASK) >> 32


def start_of(*, now_ms: int, post_ids: Iterable[int]) -> int:
    """The newest id of a session that begins now, or of the posts read, in case another machine's clock is ahead."""
    now = ids.compose(created_ms=now_ms + 1, shard=0, sequence=0) - 1
    return max(now, *post_ids, 0)


def must_keep(position: Position, *, page_posts: int) -> bool:
    """Whether the cursor has no room for this page's recommendations, so that those it holds must go to Redis."""
    return len(position.given) + page_posts > GIVEN_MAX


def room_for_recommendations(position: Position) -> int:
    """How many more recommendations this session may show."""
    return max(0, KEPT_MAX - position.kept - len(position.given))


def with_given(position: Position, given: Sequence[int], *, kept: bool) -> Position:
    """Add recommendations; ``kept``: Redis has stored those of the cursor.

    Otherwise the oldest marks are dropped, and those posts may be recommended again.
    """
    marks = tuple(mark(post_id) for post_id in given)
    if kept:
        return replace(position, given=marks, kept=min(position.kept + len(position.given), KEPT_MAX))
    return replace(position, given=(*position.given, *marks)[-GIVEN_MAX:])


def with_watched(position: Position, shown: Collection[int], *, passed: int) -> Position:
    """Add the followed posts shown on a page that began at ``passed``; those from ``passed`` on were late or deferred.

    The newest `_WATCHED` posts of the session are marked, and ``watch`` is the oldest of them; after that, only late
    posts are marked. When there are too many, the session no longer looks for late posts.
    """
    if position.watch > position.start:
        return position
    fresh = sorted((post_id for post_id in shown if post_id >= position.watch), reverse=True)
    watch, room = position.watch, _WATCHED_MAX - len(position.watched)
    if watch == 0 and len(position.watched) + len(fresh) > _WATCHED:
        late_count = sum(post_id >= passed for post_id in fresh)
        fresh = fresh[: max(late_count, _WATCHED - len(position.watched))]
        # not above `passed`: late posts that still wait for a page would count as shown
        watch = fresh[-1] if len(fresh) > late_count else passed
    if len(fresh) > room:
        return replace(position, watch=position.start + 1, watched=())
    return replace(position, watch=watch, watched=(*position.watched, *map(mark, fresh)))
