"""Whether there is a steady state at all: the question before every other."""

from __future__ import annotations


class UnstableError(ValueError):
    """No steady state: more work arrives than can be done."""


def utilisation(arrivals_per_second: float, mean_service_seconds: float, servers: int = 1) -> float:
    """ρ = λ s / c; raises UnstableError at 1 and above."""
    if not (arrivals_per_second >= 0 and mean_service_seconds >= 0 and servers >= 1):
        raise ValueError("rates and times are at least 0, servers at least 1")
    rho = arrivals_per_second * mean_service_seconds / servers
    if not rho < 1.0:
        raise UnstableError(f"utilisation {rho:.3g}: expected below 1")
    return rho


def check_level(q: float) -> None:
    """Raise ValueError where ``q`` is not a level of a quantile."""
    if not 0.0 <= q < 1.0:
        raise ValueError(f"quantile level {q}: expected 0 up to 1, without 1")
