"""A draft of a run's memory: the prepared run, and the tables made from it so far."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.compiled.memory import Array, zeros
from sim.compiled.records import TableId
from sim.model.prepared import PreparedRun
from sim.model.program import Op


def rows(table: TableId, count: int, **columns: npt.ArrayLike) -> Array:
    """Rows of a table; fields that no column is given for are 0."""
    found = zeros(count, table.dtype)
    for name, values in columns.items():
        found[name] = np.array(values, dtype=table.dtype[name])
    return found


class Draft:
    """The tables made so far, and what the engine needs to report afterwards."""

    def __init__(self, prepared: PreparedRun):
        self.prepared = prepared
        self.tables: dict[TableId, Array] = {}
        self.reasons: list[str] = []  # for which answers are marked degraded
        self.operations = tuple(prepared.program.entries)
        self.lanes: list[float] = []  # delays of timers

    def add(self, table: TableId, count: int, **columns: npt.ArrayLike) -> Array:
        """Add a table as `rows` makes it."""
        self.tables[table] = rows(table, count, **columns)
        return self.tables[table]

    def add_numbers(self, table: TableId, numbers: npt.ArrayLike) -> None:
        """Add a table of plain numbers."""
        self.tables[table] = np.array(numbers, dtype=table.dtype)

    def lane(self, seconds: float) -> int:
        """The lane of timers of this delay."""
        if seconds not in self.lanes:
            self.lanes.append(seconds)
        return self.lanes.index(seconds)

    def keys_counts(self) -> list[int]:
        """How many keys each cache can be asked for."""
        content = self.prepared.content
        found = [1] * len(self.prepared.resources.caches)
        for step in self.prepared.program.instructions:
            if step.op in (Op.LOOKUP, Op.MISSED):
                for index in range(step.index, len(found), len(self.prepared.program.caches)):
                    found[index] = max(found[index], content.keys_count(step.keys))
        return found
