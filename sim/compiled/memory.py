"""The memory of a compiled run: every table as a numpy array, and the addresses by which compiled code reaches them.

Tables whose rows come and go have a reserve of free rows, enough for everything that one event can add. Compiled code
stops when a reserve is touched, and `grow` makes the table larger, so memory is proportional to what is under way at
one time. Compiled code does not check the length of a table: if a reserve is too small, it writes beyond the array.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.compiled import jit
from sim.compiled.records import TableId

Array = npt.NDArray[Any]

#: Tables whose rows come and go. Of the first, a thread takes one row and then waits, so that one event adds one.
_ONE_BY_ONE: Final = (TableId.JOBS, TableId.CLAIMS, TableId.TIMERS)
RETURNED: Final = (*_ONE_BY_ONE, TableId.FRAMES, TableId.TASKS, TableId.REQUESTS, TableId.RECORDS)
#: All tables with free rows: a station keeps its workers, of which a job adds one at most.
FREES: Final = (*RETURNED, TableId.WORKERS)
_FEW: Final = 16
#: Rows beyond the reserve with which a table begins.
_BEGINNING: Final = 2_048
#: Bytes of a line of the processor's caches.
_LINE: Final = 64
#: Tables with an event for each row from the beginning on.
_FROM_THE_START: Final = (TableId.STALLS, TableId.IDLES, TableId.FAULTS)


class Memory:
    """All tables of a run. ``address`` is what compiled functions take; it is valid only while this object lives.

    A thread has at most ``frames`` frames; one event starts at most ``burst`` threads and later events.
    """

    def __init__(self, tables: Mapping[TableId, Array], *, frames: int, burst: int):
        self._addresses = np.zeros(len(TableId), dtype=np.int64)
        self._tables: dict[TableId, Array] = {}
        for table in TableId:
            self._put(table, tables.get(table, np.zeros(1, dtype=table.dtype)))
        self._burst = burst
        self.clock["stopped"] = self.clock["now"]
        self._put(TableId.FREES, np.zeros(len(TableId), dtype=TableId.FREES.dtype))
        for table in FREES:
            self._tables[table] = np.zeros(0, dtype=table.dtype)
            reserve = frames if table is TableId.FRAMES else _FEW if table in (*_ONE_BY_ONE, TableId.WORKERS) else burst
            self[TableId.FREES]["reserve"][table] = reserve
            self._add_rows(table, reserve + min(3 * reserve, _BEGINNING))
        events = 2 * burst + sum(len(self._tables[table]) for table in _FROM_THE_START)
        self._put(TableId.EVENTS, zeros(events, TableId.EVENTS.dtype))
        self._ring(TableId.URGENTS, "urgent", 2 * burst)
        self._fit()
        self._build_due_tree()

    def __getitem__(self, table: TableId) -> Array:
        return self._tables[table]

    @property
    def clock(self) -> Any:
        """The one row of scalars."""
        return self._tables[TableId.CLOCK][0]

    @property
    def address(self) -> jit.Address:
        """The address of the list of the tables' addresses."""
        return self._addresses.ctypes.data

    def grow(self) -> None:
        """Make every table larger whose reserve is touched."""
        for table in FREES:
            # what an event takes and gives back touches the reserve as well, and is at most as much again
            while self[TableId.FREES]["count"][table] < 2 * self[TableId.FREES]["reserve"][table]:
                self._add_rows(table, len(self._tables[table]))
        while self.clock["heap_count"] + self._burst >= len(self[TableId.EVENTS]):
            self._put(TableId.EVENTS, _longer(self[TableId.EVENTS], 2 * len(self[TableId.EVENTS])))
        while self.clock["urgent_count"] + self._burst >= len(self[TableId.URGENTS]):
            self._ring(TableId.URGENTS, "urgent", 2 * len(self[TableId.URGENTS]))
        self._fit()

    def replace(self, table: TableId, rows: Array) -> None:
        """Replace a table."""
        self._put(table, rows)

    def extend(self, table: TableId, held: int, rows: Array) -> None:
        """Keep the first ``held`` rows of a table and append others."""
        if len(rows):
            self._put(table, np.concatenate([self._tables[table][:held], rows]))

    def _fit(self) -> None:
        """Make room for as many entries as frames and requests need, and set the limits at which `grow` is needed."""
        # a frame, a request or a worker can be ready only once
        wanted = len(self[TableId.FRAMES]) + len(self[TableId.REQUESTS]) + len(self[TableId.WORKERS])
        if len(self[TableId.READIES]) <= wanted:
            self._ring(TableId.READIES, "ready", wanted + 1)
        clock = self.clock
        clock["heap_limit"] = len(self[TableId.EVENTS]) - self._burst - 1
        clock["urgent_limit"] = len(self[TableId.URGENTS]) - self._burst - 1
        clock["short"] = 0

    def _build_due_tree(self) -> None:
        """Build the tree of `sim.compiled.due`, in which no lane and no core is due yet."""
        lanes, cores = int(self.clock["lanes_count"]), int(self.clock["cores_count"])
        leaves = 1 << max(0, lanes + cores - 1).bit_length()
        dues = zeros(leaves, TableId.DUES.dtype)
        dues["time"] = math.inf
        self._put(TableId.DUES, dues)
        nodes = zeros(2 * leaves, TableId.NODES.dtype)
        nodes[leaves:] = np.arange(leaves)
        for node in range(leaves - 1, 0, -1):
            nodes[node] = nodes[2 * node]
        self._put(TableId.NODES, nodes)
        self.clock["dues_max"] = leaves

    def _put(self, table: TableId, rows: Array) -> None:
        if rows.dtype != table.dtype:
            raise TypeError(f"{table.name}: rows of {rows.dtype}, expected {table.dtype}")
        if not len(rows):
            rows = zeros(1, table.dtype)
        elif not rows.flags.c_contiguous or (rows.itemsize == _LINE and rows.ctypes.data % _LINE):
            rows = _longer(rows, len(rows))
        self._tables[table] = rows
        self._addresses[table] = rows.ctypes.data

    def _add_rows(self, table: TableId, count: int) -> None:
        """Append rows of zeros, which continue the list of free rows (`sim.compiled.agenda.take`)."""
        old = self._tables[table]
        self._put(table, _longer(old, len(old) + count))
        self[TableId.FREES]["count"][table] += count

    def _ring(self, table: TableId, name: str, rows: int) -> None:
        size = 1 << max(0, rows - 1).bit_length()
        old, clock = self._tables[table], self.clock
        count = int(clock[f"{name}_count"])
        indices = (int(clock[f"{name}_head"]) + np.arange(count)) & int(clock[f"{name}_mask"])
        larger = zeros(size, old.dtype)
        larger[:count] = old[indices]
        clock[f"{name}_head"], clock[f"{name}_mask"] = 0, size - 1
        self._put(table, larger)


def zeros(count: int, kind: np.dtype[Any]) -> Array:
    """Rows of zeros, aligned to a line of the processor's caches, so that a row as long as a line is within one."""
    room = np.zeros(count * kind.itemsize + _LINE, dtype=np.uint8)
    first = -room.ctypes.data % _LINE
    return room[first : first + count * kind.itemsize].view(kind)


def _longer(rows: Array, count: int) -> Array:
    found = zeros(count, rows.dtype)
    found[: len(rows)] = rows
    return found
