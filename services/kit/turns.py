"""Fair turns, a few at once: a client's next turn waits for at most one turn of each other client."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.failures import Overloaded


class Turns:
    """``at_once`` turns; at most ``waiting_max`` wait for one or have it, and ``waiting_each_max`` of one client."""

    def __init__(self, *, at_once: int, waiting_max: int, waiting_each_max: int, seconds_each: float):
        self._free, self._at_once, self._seconds_each = at_once, at_once, seconds_each
        self._waiting_max, self._waiting_each_max = waiting_max, waiting_each_max
        self._counts: dict[str, int] = {}
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # in the order of their next turns

    @property
    def waiting(self) -> int:
        """How many wait for a turn or have it."""
        return sum(self._counts.values())

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for a turn and have it for as long as the block runs; raises Overloaded when too many wait."""
        waiting, own = self.waiting, self._counts.get(client, 0)
        if waiting >= self._waiting_max or own >= self._waiting_each_max:
            wait_seconds = waiting * self._seconds_each / self._at_once
            raise Overloaded(retry_after_seconds=max(1.0, wait_seconds))
        self._counts[client] = own + 1
        try:
            await self._take(client)
            try:
                yield
            finally:
                self._pass_on()
        finally:
            self._counts[client] -= 1
            if not self._counts[client]:
                del self._counts[client]

    async def _take(self, client: str) -> None:
        if self._free:
            self._free -= 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(client, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.cancelled():
                self._leave(client, mine)
            else:  # the turn came at the same moment
                self._pass_on()
            raise

    def _leave(self, client: str, mine: asyncio.Future[None]) -> None:
        queue = self._queues.get(client)
        if queue is not None and mine in queue:
            queue.remove(mine)
            if not queue:
                del self._queues[client]

    def _pass_on(self) -> None:
        while self._queues:
            client, queue = self._queues.popitem(last=False)
            following = queue.popleft()
            if queue:
                self._queues[client] = queue
            if not following.done():
                following.set_result(None)
                return
        self._free += 1
