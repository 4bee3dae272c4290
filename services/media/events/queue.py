"""Photos that wait for a worker of one lane, with fair turns for owners; what does not fit stays in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass

from services.media.rules.turns import next_owner


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenPhoto:
    """A photo that a worker has taken."""

    media_id: int
    owner_id: int


class Queue:
    """At most ``waiting_max`` photos, ``owner_max`` of one owner."""

    def __init__(self, *, waiting_max: int, owner_max: int):
        self._waiting_max, self._owner_max = waiting_max, owner_max
        self._waiting: dict[int, deque[int]] = {}  # by owner, in the order of their turns
        self._running: Counter[int] = Counter()  # photos being processed, by owner
        self._known: set[int] = set()  # photos that wait or are being processed
        self._served: set[int] = set()  # owners who have had a turn since the queue was last empty
        self._newcomer = True
        self._waiting_count = 0
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return self._waiting_count

    def __contains__(self, media_id: int) -> bool:
        return media_id in self._known

    def offer(self, *, media_id: int, owner_id: int) -> bool:
        """Queue a photo; False when there is no room."""
        if media_id in self._known:
            return True
        mine = self._waiting.get(owner_id, ())
        if self._waiting_count >= self._waiting_max or len(mine) >= self._owner_max:
            return False
        self._waiting.setdefault(owner_id, deque()).append(media_id)
        self._known.add(media_id)
        self._waiting_count += 1
        self._some.set()
        return True

    async def take(self) -> TakenPhoto:
        """The next photo, once there is one; `done` ends it."""
        while not self._waiting:
            self._served.clear()
            self._some.clear()
            await self._some.wait()
        owner_id = next_owner(self._waiting, running=self._running, served=self._served, newcomer=self._newcomer)
        self._newcomer = not self._newcomer
        self._served.add(owner_id)
        mine = self._waiting.pop(owner_id)
        turn = TakenPhoto(media_id=mine.popleft(), owner_id=owner_id)
        if mine:
            self._waiting[owner_id] = mine  # behind all others
        self._waiting_count -= 1
        self._served.intersection_update(self._waiting)
        self._running[owner_id] += 1
        return turn

    def done(self, turn: TakenPhoto) -> None:
        """Record that nobody works on the photo any more."""
        self._known.discard(turn.media_id)
        self._running[turn.owner_id] -= 1
        if self._running[turn.owner_id] <= 0:
            del self._running[turn.owner_id]
