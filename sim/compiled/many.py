"""Random numbers of many requests at once, for the same step: `sim.compiled.draws` over an array."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.compiled import draws
from sim.compiled.jit import Bits, over_arrays

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]


@over_arrays("float64[::1](uint64, float64, uint64[::1], uint64)")
def factors(key: Bits, sigma: float, entities: Words, visit: Bits) -> Floats:
    """`sim.draws.Draws.demand_factor` of every entity."""
    found = np.empty(len(entities), np.float64)
    for row in range(len(entities)):
        found[row] = draws.demand_factor(key, sigma, entities[row], visit)
    return found


@over_arrays("float64[::1](uint64, float64, float64, uint64[::1], uint64)")
def waits(key: Bits, mu: float, sigma: float, entities: Words, visit: Bits) -> Floats:
    """`sim.draws.Draws.wait_seconds` of every entity."""
    found = np.empty(len(entities), np.float64)
    for row in range(len(entities)):
        found[row] = draws.wait_seconds(key, mu, sigma, entities[row], visit)
    return found
