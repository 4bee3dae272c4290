"""A draft of a run's memory: the prepared run, and the tables that have been made of it so far."""

from __future__ import annotations

import numpy as np

from sim.compiled.memory import Array, zeros
from sim.compiled.records import KINDS, TableId
from sim.model.prepared import PreparedRun
from sim.model.program import Op


def rows(table: TableId, count: int) -> Array:
    """Empty rows of a table."""
    return zeros(count, KINDS[table])


class Draft:
    """The tables made so far, and what the engine needs to report afterwards."""

    def __init__(self, prepared: PreparedRun):
        self.prepared = prepared
        self.tables: dict[TableId, Array] = {}
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

    def numbers(self, table: TableId, numbers: list[int]) -> None:
        """Set a table of plain numbers."""
        self.tables[table] = np.array(numbers or [0], dtype=KINDS[table])

    def keys_counts(self) -> list[int]:
        """How many keys each cache can be asked for."""
        content = self.prepared.content
        found = [1] * len(self.prepared.resources.caches)
        for step in self.prepared.program.instructions:
            if step.op in (Op.LOOKUP, Op.MISSED):
                for index in range(step.index, len(found), len(self.prepared.program.caches)):
                    found[index] = max(found[index], content.keys_count(step.keys))
        return found
