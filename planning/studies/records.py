"""Parts of records shared by studies."""

from __future__ import annotations

import math
from collections.abc import Mapping

from core.stats import Estimate


def estimate_record(found: Estimate | None) -> Mapping[str, float | None] | None:
    """An estimate as JSON; an interval that is not known is null."""
    if found is None:
        return None
    low, high = (edge if math.isfinite(edge) else None for edge in (found.low, found.high))
    return {"value": found.value, "low": low, "high": high}
