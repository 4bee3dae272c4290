"""Hot keys: a counter with many concurrent writes is split over several keys on several nodes, and later merged.

A key's rate is an exponentially decaying average (each write adds 1/τ, which decays with time constant τ), so hot keys
are detected and not configured. A hot key gets as many sub-keys as its rate needs, in powers of two so that their
number does not change with every write; it keeps them until its rate has fallen, and is then one key again. Everything
is plain numbers, so that the model's compiled engine uses the same functions.
"""

from __future__ import annotations

import math
from typing import Final

#: τ, and the share of the hot rate below which a key is one key again.
MEMORY_SECONDS: Final = 1.0
CALM_RATIO: Final = 0.25


def rate_after(rate_per_second: float, elapsed_seconds: float) -> float:
    """The average rate after one more write, ``elapsed_seconds`` after the previous one."""
    return rate_per_second * math.exp(-elapsed_seconds / MEMORY_SECONDS) + 1.0 / MEMORY_SECONDS


def keys_for(rate_per_second: float, keys: int, hot_per_second: float, keys_max: int) -> int:
    """Number of keys at this rate for a counter that has ``keys`` now."""
    if rate_per_second < CALM_RATIO * hot_per_second:
        return 1
    wanted = 1
    while wanted < keys_max and wanted * hot_per_second < rate_per_second:
        wanted *= 2
    return max(keys, min(wanted, keys_max))


def node_of(node: int, sub_key: int, nodes: int) -> int:
    """Node of a sub-key: sub-keys are named so that they go to the nodes in turn, starting at the counter's own."""
    return (node + sub_key) % nodes
