"""Work that no reader waits for, such as writing a card back: bounded, and dropped rather than queued."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from core.failures import Failure

_AT_ONCE_MAX: Final = 32
_log = structlog.get_logger("feed")


class Background:
    """Background tasks of one application."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run ``act`` in the background unless too many tasks are running; a store's failure is only logged."""
        if len(self._tasks) >= _AT_ONCE_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._run(name, act))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, name: str, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await act()
        except Failure as failure:
            _log.info("background_given_up", work=name, error=str(failure))

    async def close(self) -> None:
        """Cancel all running tasks."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
