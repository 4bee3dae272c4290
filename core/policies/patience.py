"""Patience: the pause before retrying work that must not be lost, however many tries it takes.

An event in an outbox or on the log is never given up because of a transient failure, so there is no last try and no
budget, only capped exponential back-off with jitter.
"""

from __future__ import annotations

from typing import Final

PAUSE_SECONDS: Final = 0.1
PAUSE_CAP_SECONDS: Final = 2.0


def pause_seconds(attempt: int, uniform: float) -> float:
    """Wait after the ``attempt``-th try, between half and all of min(2 s, 0.1 s × 2^attempt); ``uniform`` in (0, 1)."""
    return (0.5 + 0.5 * uniform) * min(PAUSE_CAP_SECONDS, PAUSE_SECONDS * 2.0 ** min(attempt, 16))
