"""Parts of records shared by studies."""

from __future__ import annotations

import math
from collections.abc import Mapping

from core.stats import Estimate


def estimate_record(found: Estimate | None) -> Mapping[str, float | None] | None:
    """An estimate as JSON; the bounds are null if one replication alone gives none."""
    if found is None:
        return None
    low, high = (found.low, found.high) if math.isfinite(found.high) else (None, None)
    return {"value": found.value, "low": low, "high": high}
