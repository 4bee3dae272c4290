"""Circuit breaker: after some failures in a row calls are refused at once; later one call may try (half open).

A breaker is a value; a call asks `allows`, and tells `after` how it ended. Time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When it opens and for how long."""

    failures: int  # in a row
    open_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """State of one breaker."""

    state: State = State.CLOSED
    failures: int = 0
    opened_at_seconds: float = 0.0

    def allows(self, policy: BreakerPolicy, *, now_seconds: float) -> bool:
        """Say whether a call may go out now; call `admitted` when it does."""
        if self.state is State.OPEN:
            return now_seconds - self.opened_at_seconds >= policy.open_seconds
        return self.state is State.CLOSED

    def admitted(self, policy: BreakerPolicy, *, now_seconds: float) -> Breaker:
        """State once a call has gone out: an open breaker whose time is over becomes half open, for one probe."""
        if self.state is State.OPEN and self.allows(policy, now_seconds=now_seconds):
            return replace(self, state=State.HALF_OPEN)
        return self

    def after(self, policy: BreakerPolicy, *, succeeded: bool, now_seconds: float) -> Breaker:
        """State once a call has ended."""
        if succeeded:
            return Breaker()
        failures = self.failures + 1
        if self.state is State.HALF_OPEN or failures >= policy.failures:
            return Breaker(state=State.OPEN, failures=failures, opened_at_seconds=now_seconds)
        return replace(self, failures=failures)
