"""Restarts: the pause before a process that died is started again; it is never given up.

The first death of a process that ran well costs no pause, so that the effect of a kill is short. A process that dies
repeatedly, for example on an input that kills it, is started less and less often, and the inputs behind it are
processed in between.
"""

from __future__ import annotations

from typing import Final

STEADY_SECONDS: Final = 30.0  # one that was ready for this long has recovered: its next death counts as a first
PAUSE_SECONDS: Final = 0.5
PAUSE_CAP_SECONDS: Final = 4.0  # what waits for it can be served within seconds, whatever killed it before


def deaths_in_a_row(before: int, ready_seconds: float) -> int:
    """How many deaths count together, this one included: it was ready for ``ready_seconds`` (0: never)."""
    return 1 if ready_seconds >= STEADY_SECONDS else before + 1


def pause_seconds(deaths: int) -> float:
    """Wait before the start that follows the ``deaths``-th death in a row: none, then 0.5 s, doubled up to 4 s."""
    return 0.0 if deaths <= 1 else min(PAUSE_CAP_SECONDS, PAUSE_SECONDS * 2.0 ** min(deaths - 2, 16))
