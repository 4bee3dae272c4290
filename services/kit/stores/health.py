"""Whether a server is known to be down, so that requests that need it fail at once instead of after a time-out.

A failure that may be the server's starts probes, one at a time, until one is answered. After some failures in a row
(`core.policies.breaker`) requests are refused, and only probes continue: no request tests whether the server is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

import structlog

from core.failures import Failure, Unavailable
from core.policies.breaker import Breaker, BreakerPolicy, BreakerState
from services.kit.metrics import Metrics

_POLICY: Final = BreakerPolicy(failures=3, open_seconds=0.25)
_PAUSE_SECONDS: Final = 0.02  # from one failed probe to the next while requests still go out
_AGAIN_SECONDS: Final = 0.25  # between answered probes, however many failures call for one
_RETRY_SECONDS: Final = 1.0
_log = structlog.get_logger("health")


class Health:
    """One server as one component sees it; ``name`` is used in problem details and the breaker's metric.

    ``probe`` returns when the server answers, and raises Failure or OSError when it does not.
    """

    def __init__(self, name: str, probe: Callable[[], Awaitable[None]], *, metrics: Metrics | None = None):
        self._name, self._probe, self._metrics = name, probe, metrics
        self._breaker = Breaker()
        self._probing: asyncio.Task[None] | None = None
        self._next_at = 0.0
        self._closed = False

    def admit(self) -> None:
        """Raise Unavailable when the server is known to be down."""
        if self._breaker.state is not BreakerState.CLOSED:
            raise Unavailable(f"{self._name} is down", retry_after_seconds=_RETRY_SECONDS)

    def succeeded(self) -> None:
        """Record that the server has answered a request."""
        if self._breaker.failures and self._breaker.state is BreakerState.CLOSED:
            self._breaker = Breaker()

    def failed(self) -> None:
        """Record that the server did not answer a request in time: counted, and probed."""
        if self._breaker.state is BreakerState.CLOSED:  # a request that was sent before adds nothing
            self._record(succeeded=False)
        self.suspect()

    def suspect(self) -> None:
        """Record that a request failed, maybe because the server is down: probed, and not counted."""
        if not self._closed and (self._probing is None or self._probing.done()):
            self._probing = asyncio.get_running_loop().create_task(self._probe_until_answered())

    def close(self) -> None:
        """Stop probing."""
        self._closed = True
        if self._probing is not None:
            self._probing.cancel()

    async def _probe_until_answered(self) -> None:
        await asyncio.sleep(self._next_at - monotonic())
        while not await self._answers():
            is_open = self._breaker.state is BreakerState.OPEN
            await asyncio.sleep(_POLICY.open_seconds if is_open else _PAUSE_SECONDS)
        self._next_at = monotonic() + _AGAIN_SECONDS

    async def _answers(self) -> bool:
        now = monotonic()
        if not self._breaker.allows(_POLICY, now_seconds=now):
            return False
        self._breaker = self._breaker.admitted(_POLICY, now_seconds=now)
        succeeded = False
        try:
            await self._probe()
            succeeded = True
        except (Failure, OSError) as error:
            if self._breaker.state is BreakerState.CLOSED:
                _log.info("probe_failed", server=self._name, error=str(error))
        finally:
            self._record(succeeded=succeeded)
        return succeeded

    def _record(self, *, succeeded: bool) -> None:
        was_refused = self._breaker.state is not BreakerState.CLOSED
        self._breaker = self._breaker.after(_POLICY, succeeded=succeeded, now_seconds=monotonic())
        is_refused = self._breaker.state is not BreakerState.CLOSED
        if is_refused is not was_refused:
            _log.warning("server_down" if is_refused else "server_back", server=self._name)
            if self._metrics is not None:
                self._metrics.breaker(self._name, is_open=is_refused)
