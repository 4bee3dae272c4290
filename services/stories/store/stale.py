"""Viewers whose set of seen stories in Redis may be stale because a write failed; it is deleted later."""

from __future__ import annotations

from time import monotonic
from typing import Final

from services.kit.guard import Guard
from services.stories.store.cache import TrayCache

_VIEWERS_MAX: Final = 20_000  # beyond it the key's time to live ends the difference
_SETTLED_MAX: Final = 500
_PATIENCE_SECONDS: Final = 1.5  # longer than a late command can still be running


class StaleViewers:
    """A bounded set of viewers, each with the time from which their set may be deleted."""

    def __init__(self, cache: TrayCache, guard: Guard):
        self._cache, self._guard = cache, guard
        self._viewers: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._viewers)

    def add(self, viewer_id: int) -> None:
        """Remember a viewer."""
        if viewer_id in self._viewers or len(self._viewers) < _VIEWERS_MAX:
            self._viewers[viewer_id] = monotonic() + _PATIENCE_SECONDS

    async def settle(self) -> None:
        """Delete the sets of viewers who are due; raises Unavailable or DeadlineExceeded, and they stay."""
        now = monotonic()
        due = [viewer_id for viewer_id, at in self._viewers.items() if at <= now][:_SETTLED_MAX]
        if due:
            await self._guard.call(lambda: self._cache.forget_seen(due))
            for viewer_id in due:
                if self._viewers[viewer_id] <= now:  # not added again meanwhile
                    del self._viewers[viewer_id]
