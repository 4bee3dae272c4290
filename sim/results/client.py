"""The outcome and the HTTP status that a client sees at the end of a request."""

from __future__ import annotations

from typing import Final

from core.names import Outcome
from core.operations import OPERATIONS
from sim.model.flow import Ending

#: Outcome and HTTP status of each ending, classified as in the load generator.
SEEN: Final = {
    Ending.LIMITED: (Outcome.REFUSED, 429),
    Ending.OVERLOADED: (Outcome.REFUSED, 503),
    Ending.UNAVAILABLE: (Outcome.REFUSED, 503),
    Ending.BROKEN: (Outcome.FAILED, 502),
    Ending.EXPIRED: (Outcome.FAILED, 504),
    Ending.LOST: (Outcome.LOST, 0),
    Ending.CANCELLED: (Outcome.LOST, 0),
}


def seen(operation: str, ending: Ending | None, *, degraded: bool) -> tuple[Outcome, int]:
    """Outcome and status of a request; ``ending`` is None where the client gave up waiting."""
    if ending is None:
        return Outcome.TIMEOUT, 0
    if ending is Ending.OK:
        return (Outcome.DEGRADED if degraded else Outcome.OK), OPERATIONS[operation].status
    return SEEN[ending]
