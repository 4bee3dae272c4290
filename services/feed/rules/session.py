"""The position of a reader's session, which the cursor carries so that pages never repeat or skip a post.

Followed posts are read newest first, so one id says how far the session has come: all from it on have been given. What
that id does not say is bounded, and so is the cursor (`BYTES_MAX`):

- posts put off (a third in a row of one author) wait, `WAITING_MAX` at most, and come first on the next page;
- a post that existed when the session began may be delivered after the page on which it would have stood. The newest
  followed posts given leave marks, so that a late one can be distinguished and comes first on the next page;
- recommendations have no order that lasts: each one given leaves a mark of 32 bits. The last `GIVEN_MAX` are in the
  cursor, those before them in Redis (`services.feed.store.sessions`).

What is posted after the session began shows when a new session begins, which is also what makes every session end.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from core import ids
from core.ids import ID_MAX

Mode = Literal["ranked", "chronological"]

WAITING_MAX: Final = 16  # posts put off
GIVEN_MAX: Final = 100  # recommendations remembered in the cursor: a page's worth at least
KEPT_MAX: Final = 4_096  # recommendations of one session
_WATCHED: Final = 24  # newest followed posts given that late ones are distinguished from
_WATCHED_MAX: Final = 40  # with the late ones among them
_LATE_READ_MAX: Final = 80  # posts looked at for late ones: those given, those waiting, and as many late ones

_ODD: Final = 0x9E3779B97F4A7C15  # 2⁶⁴ over the golden ratio: multiplicative hashing, whose high half is well mixed
_MASK: Final = 0xFFFFFFFFFFFFFFFF
_VERSION: Final = 2
_MODES: Final[tuple[Mode, ...]] = ("ranked", "chronological")
_HEAD: Final = struct.Struct("<BBQQQIHBBB")
BYTES_MAX: Final = _HEAD.size + 8 * WAITING_MAX + 4 * _WATCHED_MAX + 4 * GIVEN_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Followed posts between two ids, both included, among which some may have been delivered late."""

    newest: int
    oldest: int
    shown: frozenset[int]  # marks
    waiting: frozenset[int]
    count: int = _LATE_READ_MAX

    def begins_before(self, floor: int) -> bool:
        """Whether a set that is complete from id ``floor`` on does not reach back to all late posts."""
        return self.oldest < floor

    def holds(self, post_id: int) -> bool:
        """Whether the post is a late one."""
        return self.oldest <= post_id <= self.newest and post_id not in self.waiting and mark(post_id) not in self.shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the next page begins."""

    mode: Mode = "ranked"
    start: int = 0  # the newest id that belongs to the session; 0 before its first page
    before: int = ID_MAX  # followed posts from this id on were given …
    waiting: tuple[int, ...] = ()  # … except for these, which were put off
    watch: int = 0  # ``watched`` has the marks of all followed posts given from this id on
    watched: tuple[int, ...] = ()
    given: tuple[int, ...] = ()  # marks of recommendations given, newest last
    kept: int = 0  # how many more are in Redis
    items: int = 0  # given so far, ads included

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
    """32 bits that stand for a post; two posts share one with a probability of 2⁻³², and then one is not shown."""
    return (post_id * _ODD & _MASK) >> 32


def start_of(*, now_ms: int, post_ids: Iterable[int]) -> int:
    """The newest id of a session that begins now: no clock of another machine hides a post that was read."""
    now = ids.compose(created_ms=now_ms + 1, shard=0, sequence=0) - 1
    return max(now, *post_ids, 0)


def must_keep(position: Position, *, page_posts: int) -> bool:
    """Whether the cursor could not hold this page's recommendations beside those it has, which go to Redis then."""
    return len(position.given) + page_posts > GIVEN_MAX


def room_for_recommendations(position: Position) -> int:
    """How many more recommendations this session may be given."""
    return max(0, KEPT_MAX - position.kept - len(position.given))


def with_given(position: Position, given: Sequence[int], *, kept: bool) -> Position:
    """Add recommendations; ``kept`` says that Redis has taken those of the cursor.

    Where it could not, the oldest marks are given up: those posts may be recommended once more.
    """
    marks = tuple(mark(post_id) for post_id in given)
    if kept:
        return replace(position, given=marks, kept=min(position.kept + len(position.given), KEPT_MAX))
    return replace(position, given=(*position.given, *marks)[-GIVEN_MAX:])


def with_watched(position: Position, shown: Collection[int], *, passed: int) -> Position:
    """Add followed posts given; those from ``passed`` on are late, or were put off, on a page that began there.

    The newest `_WATCHED` of the session are marked, whose oldest is then ``watch``; after that late ones only. When
    these are too many, no more late ones are looked for in this session.
    """
    if position.watch > position.start:
        return position
    fresh = sorted((post_id for post_id in shown if post_id >= position.watch), reverse=True)
    watch, room = position.watch, _WATCHED_MAX - len(position.watched)
    if watch == 0 and len(position.watched) + len(fresh) > _WATCHED:
        late_count = sum(post_id >= passed for post_id in fresh)
        fresh = fresh[: max(late_count, _WATCHED - len(position.watched))]
        # not above `passed`: else late ones that still wait for a page would be taken for given
        watch = fresh[-1] if len(fresh) > late_count else passed
    if len(fresh) > room:
        return replace(position, watch=position.start + 1, watched=())
    return replace(position, watch=watch, watched=(*position.watched, *map(mark, fresh)))
