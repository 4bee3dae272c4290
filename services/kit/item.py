"""An event that is being handled, and the callbacks of its consumer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core import ids
from core.messages import Message
from services.kit.inhand import InHand

DEADLINE_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 1_800.0  # with a failure that time mends, where others of its shard get on


class Poison(Exception):  # noqa: N818 - a verdict on an event, which its handler reaches
    """Raised by a handler that knows that no further try of this event can succeed: it is given up at once.

    ``tries`` says how often the handler has tried, where it counts by itself.
    """

    def __init__(self, reason: str, *, tries: int = 1):
        super().__init__(reason)
        self.tries = tries


class Late(Exception):  # noqa: N818 - not an error of the handler's
    """No end within the deadline."""


@dataclass(slots=True, eq=False)
class Item:
    """One event in hand."""

    record: Any  # as the log's client gives it
    event: Message | None  # None: it cannot be read
    error: str = ""
    tries: int = 0  # in vain, and its own fault
    attempt: int = 0  # in vain, for whatever reason
    late_seconds: float = 0.0
    since: float = 0.0  # of the first failure while others of its shard got on
    handled_then: int = -1  # events of its shard, at its last failure
    suspect: bool = False  # was in hand when a process died

    @property
    def key(self) -> bytes:
        """What keeps its order."""
        key: bytes = self.record.key or b""
        return key

    @property
    def troubled(self) -> bool:
        """Whether it is handled on its own, so that a batch does not fail for it."""
        return bool(self.tries or self.suspect or self.late_seconds) or self.event is None


@dataclass(slots=True)
class Progress:
    """Events that this consumer has handled: whether others get on."""

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
    at_once: int = 1  # events handled at once, beside those that are set aside
    deadline_seconds: float = DEADLINE_SECONDS
    patience_seconds: float = PATIENCE_SECONDS


def shard_of(key: bytes) -> int:
    """The logical shard of the id that is an event's key: what fails together."""
    try:
        return ids.shard_of(int(key))
    except ValueError:
        return -1
