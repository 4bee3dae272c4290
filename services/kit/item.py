"""An event that is being handled, and the callbacks of its consumer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core import ids
from core.messages import Message
from services.kit.inhand import InHand

DEADLINE_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 1_800.0  # with a transient failure, while other events of its shard succeed


class Poison(Exception):  # noqa: N818 - a handler's verdict on an event
    """Raised by a handler when no further try of this event can succeed: it is given up at once.

    ``tries``: how often the handler has tried, if it counts its tries itself.
    """

    def __init__(self, reason: str, *, tries: int = 1):
        super().__init__(reason)
        self.tries = tries


class Late(Exception):  # noqa: N818 - not an error of the handler's
    """The handler missed the deadline."""


@dataclass(slots=True, eq=False)
class Item:
    """One event in hand."""

    record: Any  # from the Kafka client
    event: Message | None  # None: it cannot be decoded
    error: str = ""
    tries: int = 0  # that failed by its own fault
    attempt: int = 0  # tries that failed for any reason
    late_seconds: float = 0.0
    since: float = 0.0  # when it first failed while others of its shard succeeded
    handled_then: int = -1  # handled events of its shard, at its last failure
    suspect: bool = False  # was in hand when a process died

    @property
    def key(self) -> bytes:
        """Events with the same key stay in order."""
        key: bytes = self.record.key or b""
        return key

    @property
    def troubled(self) -> bool:
        """Whether it is handled alone, so that it does not fail a batch."""
        return bool(self.tries or self.suspect or self.late_seconds) or self.event is None


@dataclass(slots=True)
class Progress:
    """How many events this consumer has handled."""

    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a consumer does with events: ``handle`` calls its handler, ``give_up`` writes the dead letter."""

    handle: Callable[[Sequence[Item]], Awaitable[None]]
    give_up: Callable[[Item, BaseException | str, int], Awaitable[None]]
    moved: Callable[[], None]  # the position has moved
    broken: Callable[[BaseException], None]  # a bug of this module
    progress: Progress
    in_hand: InHand
    batches: bool = False
    at_once: int = 1  # events handled at once, not counting those that are set aside
    deadline_seconds: float = DEADLINE_SECONDS
    patience_seconds: float = PATIENCE_SECONDS


def shard_of(key: bytes) -> int:
    """The logical shard of the id that is an event's key; events of a shard often fail together."""
    try:
        return ids.shard_of(int(key))
    except ValueError:
        return -1
