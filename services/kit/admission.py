"""Admission of requests to one component: by the limit of `core.policies.admission`, and by their deadlines."""

from __future__ import annotations

from time import monotonic, time
from typing import Final

from aiohttp import web

from core.failures import Overloaded
from core.names import ARRIVAL_HEADER
from core.policies.admission import INTERVAL_SECONDS, AdaptiveLimit, admits

_RETRY_SECONDS: Final = 1.0


class Admission:
    """The requests in flight in one component, and their limit.

    With ``adaptive`` the limit follows the time that requests have waited until they begin; without, it is ``maximum``.
    """

    __slots__ = ("_limit", "adaptive", "maximum", "under_way")

    def __init__(self, maximum: int, *, adaptive: bool):
        self.maximum, self.adaptive, self.under_way = maximum, adaptive, 0
        self._limit = AdaptiveLimit(limit_max=maximum, until_seconds=monotonic() + INTERVAL_SECONDS)

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return int(self._limit.limit)

    def enter(self, *, waited_seconds: float, urgent: bool) -> None:
        """Begin a request that arrived ``waited_seconds`` ago; call `leave` when it has ended. Raises Overloaded."""
        if self.under_way >= self.maximum or not admits(self.under_way, self.limit, urgent):
            raise Overloaded(retry_after_seconds=_RETRY_SECONDS)
        self.under_way += 1
        if self.adaptive:
            self._limit.began(waited_seconds=waited_seconds, under_way=self.under_way, now_seconds=monotonic())

    def leave(self) -> None:
        """End a request."""
        self.under_way -= 1


def waited_seconds(request: web.Request) -> float:
    """How long ago the request arrived at the gateway; 0 for one that did not come through it."""
    try:
        return max(0.0, time() - int(request.headers.get(ARRIVAL_HEADER, "")) / 1e6)
    except ValueError:
        return 0.0


def seconds_left(waited: float, patience_seconds: float) -> float:
    """What is left of the client's timeout; raises Overloaded when it has passed."""
    left = patience_seconds - waited
    if left <= 0:
        raise Overloaded("The request waited for too long and was not begun", retry_after_seconds=_RETRY_SECONDS)
    return left
