"""A world in the making: the prepared run, and the tables that have been worked out of it so far."""

from __future__ import annotations

import numpy as np

from sim.compiled.records import KINDS, Place
from sim.compiled.world import Array, zeros
from sim.model.flow import Keys
from sim.model.prepared import PreparedRun
from sim.model.program import Op


def rows(place: Place, count: int) -> Array:
    """Empty rows of a table."""
    return zeros(count, KINDS[place])


class Draft:
    """Tables by place, and what the engine needs to tell afterwards."""

    def __init__(self, prepared: PreparedRun):
        self.prepared = prepared
        self.tables: dict[Place, Array] = {}
        self.reasons: list[str] = []  # for which answers are marked degraded
        self.operations = tuple(prepared.program.entries)
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
        content = self.prepared.content
        found = [1] * len(self.prepared.resources.caches)
        for step in self.prepared.program.instructions:
            if step.op in (Op.LOOKUP, Op.MISSED):
                for place in range(step.index, len(found), len(self.prepared.program.caches)):
                    found[place] = max(found[place], content.keys_count(Keys(step.keys)))
        return found
