"""How many calls seeding makes at once: fewer when the system refuses some, more again while it refuses none."""

from __future__ import annotations

import asyncio
from typing import Final

_DECREASE_RATIO: Final = 0.7


class Pace:
    """Additive increase and multiplicative decrease of the calls in flight, from ``begin_with`` up to ``maximum``.

    Of calls that were in flight together, only the first refusal counts. Use `begin` and `end` around each call.
    """

    def __init__(self, maximum: int, *, begin_with: int):
        self._maximum, self._limit, self._round = maximum, float(begin_with), 0
        self._in_flight = 0
        self._may_begin = asyncio.Condition()

    @property
    def limit(self) -> int:
        """How many calls may be in flight now."""
        return int(self._limit)

    async def begin(self) -> int:
        """Wait for a turn; returns what `end` needs."""
        async with self._may_begin:
            await self._may_begin.wait_for(lambda: self._in_flight < self.limit)
            self._in_flight += 1
        return self._round

    async def end(self, begun_in: int, *, refused: bool) -> None:
        """End a call."""
        if not refused:
            self._limit = min(float(self._maximum), self._limit + 1.0 / self._limit)
        elif begun_in == self._round:
            self._limit = max(1.0, _DECREASE_RATIO * self._limit)
            self._round += 1
        async with self._may_begin:
            self._in_flight -= 1
            self._may_begin.notify_all()
