"""What each side of a pair would cost: both priced by the same bill from the same dated book."""

from __future__ import annotations

from core.run import Run
from lab.comparison import Cost


def cost(simulated: Run | None, measured: Run | None) -> Cost | None:
    return None
