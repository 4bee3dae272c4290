"""Cancellations that a library swallows: before Python 3.12, `asyncio.wait_for` forgets one that comes with a result.

The task would continue although its request's deadline is over, and a stop would wait for it.
"""

from __future__ import annotations

import asyncio


class Cancellation:
    """Tells whether the current task was cancelled since this was made."""

    __slots__ = ("_before", "_task")

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._before = self._task.cancelling() if self._task is not None else 0

    @property
    def came(self) -> bool:
        """Whether it was cancelled meanwhile."""
        return self._task is not None and self._task.cancelling() > self._before
