"""The home region of every person, as a function of the seed and the person's number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core import streams
from core.scenario.model import Scenario

Ints = npt.NDArray[np.int64]


def home_regions(scenario: Scenario) -> Ints:
    """Index of every person's home region, in the scenario's order."""
    people, regions = scenario.population.people, scenario.system.regions
    if len(regions) == 1:
        return np.zeros(people, dtype=np.int64)
    edges = np.cumsum([region.people_ratio for region in regions.values()])
    drawn = streams.named(scenario.seed, "population.region").uniforms(np.arange(people))
    return np.minimum(np.searchsorted(edges, drawn, side="right"), len(regions) - 1)
