"""Popularity that decays: each act on a post counts with a weight that halves every six hours.

A score is the binary logarithm of the sum of ``weight × 2^(at / half-life)``. Scores do not change with time: a later
act simply counts for more, so nothing has to be recomputed, and the order is the order of the decayed sums.
"""

from __future__ import annotations

import math
from typing import Final

from core.ids import EPOCH_MS

HALF_LIFE_MS: Final = 6 * 3_600_000
POSTS_MAX: Final = 1_000
#: A new post has a small weight, so that it can be found at all; a comment counts for more than a like.
NEW_POST_WEIGHT: Final = 1.0
LIKE_WEIGHT: Final = 1.0
COMMENT_WEIGHT: Final = 2.0


def act(*, at_ms: int, weight: float) -> float:
    """Score of a single act."""
    return (at_ms - EPOCH_MS) / HALF_LIFE_MS + math.log2(weight)


def together(first: float, second: float) -> float:
    """Score of a post with two scores' acts: log2(2^first + 2^second), without overflow."""
    high, low = max(first, second), min(first, second)
    return high + math.log2(1.0 + 2.0 ** (low - high))


def kept(scores: dict[int, float], *, maximum: int = POSTS_MAX) -> dict[int, float]:
    """The best ``maximum`` posts; of equal ones the newer ones."""
    if len(scores) <= maximum:
        return scores
    best = sorted(scores.items(), key=lambda each: (-each[1], -each[0]))[:maximum]
    return dict(best)
