"""Retry: capped exponential back-off with full jitter, within a budget, only where a retry is safe.

Full jitter is Brooker's (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015); the budget is a token bucket
as in Finagle and gRPC (gRFC A6): every first try earns ``budget_ratio`` of a retry, so a dependency that is down sees
at most that much more load.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

TOKENS_MAX: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Limits of retries."""

    attempts: int  # first try included
    backoff_seconds: float
    backoff_cap_seconds: float
    budget_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """The remaining budget of retries."""

    tokens: float = TOKENS_MAX

    def after_first_try(self, policy: RetryPolicy) -> RetryBudget:
        """Earn a share of a retry."""
        return replace(self, tokens=earned(self.tokens, policy.budget_ratio))

    def spend(self) -> RetryBudget:
        """Spend one retry."""
        return replace(self, tokens=self.tokens - 1.0)


def may_retry(policy: RetryPolicy, budget: RetryBudget, *, attempt: int, retryable: bool) -> bool:
    """Whether to try again after the ``attempt``-th try (from 1) has failed."""
    return retryable and affords(budget.tokens, attempt, policy.attempts)


def backoff_seconds(policy: RetryPolicy, *, attempt: int, uniform: float) -> float:
    """Wait before the next try: uniform in (0, min(cap, base × 2^(attempt−1))); ``uniform`` is in (0, 1)."""
    return wait_seconds(policy.backoff_seconds, policy.backoff_cap_seconds, attempt, uniform)


# the rules as functions of plain numbers, so that the model's compiled engine uses the same functions


def earned(tokens: float, budget_ratio: float) -> float:
    """Budget after a first try."""
    return min(TOKENS_MAX, tokens + budget_ratio)


def affords(tokens: float, attempt: int, attempts_max: int) -> bool:
    """Whether tries and budget are left after the ``attempt``-th try."""
    return attempt < attempts_max and tokens >= 1.0


def wait_seconds(base_seconds: float, cap_seconds: float, attempt: int, uniform: float) -> float:
    """Capped exponential back-off with full jitter."""
    return uniform * min(cap_seconds, base_seconds * 2.0 ** (attempt - 1))
