"""Circuit breaker: after several failures in a row calls are refused at once; later one call probes (half open).

A breaker is a value: check `allows` before a call, and pass its result to `after`. Time is an argument. The rules
themselves take plain numbers, so that the model's compiled engine uses the same functions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum


class BreakerState(IntEnum):
    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


def allows(state: int, opened_at_seconds: float, open_seconds: float, now_seconds: float) -> bool:
    """Whether a call may go out now."""
    if state == BreakerState.OPEN:
        return now_seconds - opened_at_seconds >= open_seconds
    return state == BreakerState.CLOSED


def opens(state: int, failures: int, failures_max: int) -> bool:
    """Whether a failed call opens the breaker; ``failures`` in a row include this one."""
    return state == BreakerState.HALF_OPEN or failures >= failures_max


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens and for how long."""

    failures: int  # in a row
    open_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """State of one breaker."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    opened_at_seconds: float = 0.0

    def allows(self, policy: BreakerPolicy, *, now_seconds: float) -> bool:
        """Whether a call may go out now; call `admitted` when it does."""
        return allows(self.state, self.opened_at_seconds, policy.open_seconds, now_seconds)

    def admitted(self, policy: BreakerPolicy, *, now_seconds: float) -> Breaker:
        """State once a call has gone out: an open breaker whose time has passed becomes half open, for one probe."""
        if self.state is BreakerState.OPEN and self.allows(policy, now_seconds=now_seconds):
            return replace(self, state=BreakerState.HALF_OPEN)
        return self

    def after(self, policy: BreakerPolicy, *, succeeded: bool, now_seconds: float) -> Breaker:
        """State once a call has ended."""
        if succeeded:
            return Breaker()
        failures = self.failures + 1
        if opens(self.state, failures, policy.failures):
            return Breaker(state=BreakerState.OPEN, failures=failures, opened_at_seconds=now_seconds)
        return replace(self, failures=failures)
