"""A dependency behind a deadline and a breaker, for callers that can continue without it.

A deadline that is missed while this process itself is late says nothing of the dependency: the answer may be there,
unread. Such a call gets as much time again as the process was late, and is not counted by the breaker.

A call that misses its deadline is left to end by itself, not cancelled: cancelling a Redis call closes its connection,
and a burst of new connections turns a slow moment into seconds of latency. The number of such calls is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final, TypeVar

from core.failures import DeadlineExceeded, Failure, Unavailable
from core.policies.breaker import Breaker, BreakerPolicy, BreakerState
from services.kit.metrics import Metrics

R = TypeVar("R")
_LATE_SECONDS: Final = 0.005  # a timer that is later than this means that this process has too little CPU
_LEFT_BEHIND_MAX: Final = 64  # calls past their deadline and still running; more are refused until some end


class Guard:
    """One dependency of one component; ``name`` is its label in the breaker's metric."""

    def __init__(self, name: str, *, policy: BreakerPolicy, deadline_seconds: float, metrics: Metrics):
        self._name, self._policy, self._deadline_seconds = name, policy, deadline_seconds
        self._metrics, self._breaker = metrics, Breaker()
        self._left_behind: set[asyncio.Task[Any]] = set()

    @property
    def is_open(self) -> bool:
        """Whether a call would be refused now."""
        return not self._breaker.allows(self._policy, now_seconds=monotonic())

    async def call(self, act: Callable[[], Awaitable[R]]) -> R:
        """Do ``act``; raises Unavailable at once while the breaker is open, DeadlineExceeded, or its own failure."""
        if self.is_open or len(self._left_behind) >= _LEFT_BEHIND_MAX:
            raise Unavailable(f"{self._name} is temporarily disabled after repeated failures")
        self._breaker = self._breaker.admitted(self._policy, now_seconds=monotonic())
        task: asyncio.Task[R] = asyncio.ensure_future(act())
        succeeded: bool | None = False
        began = monotonic()
        try:
            done, _ = await asyncio.wait((task,), timeout=self._deadline_seconds)
            late_seconds = monotonic() - began - self._deadline_seconds
            if not done and late_seconds > _LATE_SECONDS:
                done, _ = await asyncio.wait((task,), timeout=late_seconds)
            if not done:
                if late_seconds > _LATE_SECONDS:
                    succeeded = None
                raise DeadlineExceeded(f"{self._name} took too long")
            result = task.result()
            succeeded = True
            return result
        finally:
            if not task.done():
                self._left_behind.add(task)
                task.add_done_callback(self._forget)
            # the probe of a half-open breaker always counts: without an outcome no call would ever be let through again
            if succeeded is not None or self._breaker.state is BreakerState.HALF_OPEN:
                self._record(succeeded=bool(succeeded))

    def _record(self, *, succeeded: bool) -> None:
        before = self._breaker
        if succeeded and before.state is BreakerState.CLOSED and before.failures == 0:
            return  # nothing changes: the healthy path pays nothing
        self._breaker = before.after(self._policy, succeeded=succeeded, now_seconds=monotonic())
        if self._breaker.state is not before.state:
            self._metrics.breaker(self._name, is_open=self._breaker.state is not BreakerState.CLOSED)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._left_behind.discard(task)
        if not task.cancelled():
            error = task.exception()  # retrieved, so that asyncio does not log it; the caller has gone
            if error is not None and not isinstance(error, Failure):
                raise error
