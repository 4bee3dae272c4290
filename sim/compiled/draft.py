"""A world in the making: the parts of a run, and the tables that have been worked out of them so far."""

from __future__ import annotations

import numpy as np

from sim import faults
from sim.compiled.records import KINDS, Place
from sim.compiled.world import Array, zeros
from sim.flow import Keys
from sim.parts import Parts
from sim.program import Op


def rows(place: Place, count: int) -> Array:
    """Empty rows of a table."""
    return zeros(count, KINDS[place])


class Draft:
    """Tables by place, and what the engine needs to tell afterwards."""

    def __init__(self, parts: Parts):
        self.parts = parts
        self.tables: dict[Place, Array] = {}
        self.reasons: list[str] = []  # for which answers are marked degraded
        self.operations = tuple(parts.program.entries)
        self.deeds: list[faults.Deed] = []
        self.lanes: list[float] = []  # delays of timers
        self.stalls_count = 0
        self.idles_count = 0

    def lane(self, seconds: float) -> int:
        """The lane of timers of this delay."""
        if seconds not in self.lanes:
            self.lanes.append(seconds)
        return self.lanes.index(seconds)

    def numbers(self, place: Place, numbers: list[int]) -> None:
        """Set a table of plain numbers."""
        self.tables[place] = np.array(numbers or [0], dtype=KINDS[place])

    def keys_counts(self) -> list[int]:
        """How many keys each cache can be asked for."""
        content = self.parts.content
        found = [1] * len(self.parts.plant.caches)
        for step in self.parts.program.instructions:
            if step.op in (Op.LOOKUP, Op.MISSED):
                for place in range(step.index, len(found), len(self.parts.program.caches)):
                    found[place] = max(found[place], content.keys_count(Keys(step.keys)))
        return found
