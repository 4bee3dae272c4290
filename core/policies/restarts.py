"""Restarts: the pause before a process that died is started again; restarts never stop.

A process that ran well is restarted without a pause, so that the effect of a kill is short. A process that dies
repeatedly, for example on an input that kills it, is started less and less often; the inputs queued behind that one are
processed in between.
"""

from __future__ import annotations

from typing import Final

STEADY_SECONDS: Final = 30.0  # a process that was ready for this long has recovered: its next death counts as the first
PAUSE_SECONDS: Final = 0.5
PAUSE_CAP_SECONDS: Final = 4.0  # so that what waits for the process is served within seconds of its recovery


def deaths_in_a_row(before: int, ready_seconds: float) -> int:
    """Deaths in a row, including this one of a process that was ready for ``ready_seconds`` (0: never)."""
    return 1 if ready_seconds >= STEADY_SECONDS else before + 1


def pause_seconds(deaths: int) -> float:
    """Wait before the start that follows the ``deaths``-th death in a row: none, then 0.5 s, doubled up to 4 s."""
    return 0.0 if deaths <= 1 else min(PAUSE_CAP_SECONDS, PAUSE_SECONDS * 2.0 ** min(deaths - 2, 16))
