"""Hot keys: a counter with many concurrent writes is split over several keys, which are on several nodes, and merged
again.

A key's rate is an exponentially decaying average (each write adds 1/τ, which decays with time constant τ), so hot keys
are detected and not configured. A key that is hot gets as many sub-keys as its rate needs, in powers of two so that it
does not change with every write; it keeps them until it has calmed down, and is one key again. Everything is plain
numbers, so that the model's compiled engine compiles these very lines.
"""

from __future__ import annotations

import math
from typing import Final

#: τ, and the share of the hot rate below which a key has calmed down.
MEMORY_SECONDS: Final = 1.0
CALM_RATIO: Final = 0.25


def rate_after(rate_per_second: float, elapsed_seconds: float) -> float:
    """The average rate once there is one more write, ``elapsed_seconds`` after the one before."""
    return rate_per_second * math.exp(-elapsed_seconds / MEMORY_SECONDS) + 1.0 / MEMORY_SECONDS


def keys_for(rate_per_second: float, keys: int, hot_per_second: float, keys_max: int) -> int:
    """Over how many keys a counter with ``keys`` is spread at this rate."""
    if rate_per_second < CALM_RATIO * hot_per_second:
        return 1
    wanted = 1
    while wanted < keys_max and wanted * hot_per_second < rate_per_second:
        wanted *= 2
    return max(keys, min(wanted, keys_max))


def node_of(node: int, sub_key: int, nodes: int) -> int:
    """Where a sub-key lies: sub-keys are named so that they go round all nodes, from the counter's own on."""
    return (node + sub_key) % nodes
