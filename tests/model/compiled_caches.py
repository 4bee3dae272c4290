"""Caches of the compiled engine in series, without the rest of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sim.compiled.draft import rows
from sim.compiled.memory import Memory
from sim.compiled.records import NOBODY, UNASKED, TableId
from tests.oracles import replay

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Caches:
    """Tiers of these capacities for ``objects`` keys; a look-up goes from the first to the last."""

    def __init__(self, capacities_bytes: Sequence[float], *, objects: int, ttl_seconds: float = math.inf):
        self._tiers = len(capacities_bytes)
        caches = rows(TableId.CACHES, self._tiers)
        caches["capacity"], caches["ttl"] = capacities_bytes, ttl_seconds
        caches["slots"] = np.arange(self._tiers) * objects
        caches["oldest"] = caches["newest"] = NOBODY
        slots = rows(TableId.SLOTS, self._tiers * objects)
        slots["expiry"], slots["waiter"] = -math.inf, UNASKED
        self._memory = Memory({TableId.CACHES: caches, TableId.SLOTS: slots}, frames=1, burst=1)

    def ask(self, keys: Ints, *, sizes_bytes: Ints | None = None, at_seconds: Floats | None = None) -> None:
        """Look up every key; sizes and times are by request, by default 1 and 0."""
        sizes = np.ones(len(keys), dtype=np.int64) if sizes_bytes is None else sizes_bytes
        times = np.zeros(len(keys)) if at_seconds is None else at_seconds
        replay.ask(self._memory.address, 0, self._tiers - 1, keys, sizes, times)

    def forget_counts(self) -> None:
        """Reset the counts."""
        for name in ("hit_count", "miss_count"):
            self._memory[TableId.CACHES][name] = 0

    def counts(self) -> list[tuple[int, int, int]]:
        """Hits, misses and bytes held, by tier."""
        return [
            (int(row["hit_count"]), int(row["miss_count"]), int(row["used"]))
            for row in self._memory[TableId.CACHES][: self._tiers]
        ]

    def hit_ratios(self) -> list[float]:
        """Of the look-ups that reach each tier."""
        return [hits / (hits + misses) for hits, misses, _ in self.counts()]

    def held(self, tier: int) -> list[int]:
        """Keys of one tier, the least recently used first."""
        cache, slots, found = self._memory[TableId.CACHES][tier], self._memory[TableId.SLOTS], []
        slot = int(cache["oldest"])
        while slot >= 0:
            found.append(slot - int(cache["slots"]))
            slot = int(slots["newer"][slot])
        return found
