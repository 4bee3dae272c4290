"""A whole stream of look-ups at once: caches one behind the other, and nothing else of a run."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from sim.compiled import records as r
from sim.compiled import stores
from sim.compiled.jit import World, fetch, over_arrays

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: So many look-ups ahead the row of a key is fetched: with many keys most of the time goes into waiting for memory.
_AHEAD: Final = 12


@over_arrays("void(int64, int64, int64, int64[::1], int64[::1], float64[::1])")
def ask(world: World, first: int, last: int, keys: Ints, sizes_bytes: Ints, at_seconds: Floats) -> None:
    """Ask the caches ``first`` to ``last`` for each key in turn until one has it; those that did not keep what the next
    one gave them. Sizes and times are by request."""
    slots = r.slots(world)
    for place in range(len(keys)):
        if place + _AHEAD < len(keys):
            fetch(slots, r.caches(world)[first].slots + keys[place + _AHEAD])
        key, now = keys[place], at_seconds[place]
        tier = first
        while tier <= last and not stores.lookup(world, tier, key, now):
            tier += 1
        while tier > first:
            tier -= 1
            stores.keep(world, tier, key, sizes_bytes[place], now)
