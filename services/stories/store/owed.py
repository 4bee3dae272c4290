"""Viewers of whom Redis may not know what they have seen, because it could not be told: told to forget them later."""

from __future__ import annotations

from time import monotonic
from typing import Final

from services.kit.guard import Guard
from services.stories.store.shelf import Shelf

_OWED_MAX: Final = 20_000  # beyond it the key's time to live ends the disagreement
_PAID_MAX: Final = 500
_PATIENCE_SECONDS: Final = 1.5  # longer than a late command can still be under way


class Owed:
    """The viewers."""

    def __init__(self, shelf: Shelf, guard: Guard):
        self._shelf, self._guard = shelf, guard
        self._viewers: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._viewers)

    def add(self, viewer_id: int) -> None:
        """Remember one."""
        if viewer_id in self._viewers or len(self._viewers) < _OWED_MAX:
            self._viewers[viewer_id] = monotonic() + _PATIENCE_SECONDS

    async def settle(self) -> None:
        """Tell Redis to forget those who are due; raises Unavailable or DeadlineExceeded, and they stay."""
        now = monotonic()
        due = [viewer_id for viewer_id, at in self._viewers.items() if at <= now][:_PAID_MAX]
        if due:
            await self._guard.call(lambda: self._shelf.forget_seen(due))
            for viewer_id in due:
                if self._viewers[viewer_id] <= now:  # not owed anew meanwhile
                    del self._viewers[viewer_id]
