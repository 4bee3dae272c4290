"""Pareto fronts: settings that no other beats in every objective. All objectives are minimised."""

from __future__ import annotations

import math
from collections.abc import Sequence


def dominates(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether ``first`` is nowhere worse than ``second`` and somewhere better."""
    return all(a <= b for a, b in zip(first, second, strict=True)) and any(
        a < b for a, b in zip(first, second, strict=True)
    )


def front(objectives: Sequence[Sequence[float]]) -> tuple[int, ...]:
    """Indices of the points that no other dominates, in their order; equal points stand together, and what has an
    objective that is no number is never on the front."""
    known = [index for index, each in enumerate(objectives) if not any(math.isnan(value) for value in each)]
    return tuple(
        index for index in known if not any(dominates(objectives[other], objectives[index]) for other in known)
    )
