"""The world: every table as a numpy array, and the addresses by which compiled code reaches them.

Tables whose rows come and go hold a reserve of free rows, enough for whatever one event can add; compiled code stops
when a reserve is touched, and `grow` makes the table larger, so memory follows what is under way at once. Compiled code
does not see the end of a table: a reserve that is too small is memory written to that is somebody else's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.compiled import jit
from sim.compiled.records import KINDS, NOBODY, Free, Place

Array = npt.NDArray[Any]

#: Tables with free rows.
FREES: Final = {
    Free.FRAMES: Place.FRAMES,
    Free.TASKS: Place.TASKS,
    Free.REQUESTS: Place.REQUESTS,
    Free.JOBS: Place.JOBS,
    Free.CLAIMS: Place.CLAIMS,
    Free.TIMERS: Place.TIMERS,
    Free.RECORDS: Place.RECORDS,
}
#: Those of which a thread takes one row and then waits, so that one event adds one.
_ONE_BY_ONE: Final = (Free.JOBS, Free.CLAIMS, Free.TIMERS)
_FEW: Final = 16
#: Rows beyond the reserve with which a table begins.
_BEGINNING: Final = 2_048
#: Bytes of a line of the processor's caches.
_LINE: Final = 64
#: What waits for its first time from the beginning on: an event each.
_FROM_THE_START: Final = (Place.STALLS, Place.IDLES, Place.DEEDS)


class World:
    """Tables by place. ``address`` is what compiled functions take; it holds only while this object lives.

    A thread has at most so many ``frames``; one event sets off at most ``burst`` threads and later events.
    """

    def __init__(self, tables: Mapping[Place, Array], *, frames: int, burst: int):
        self._addresses = np.zeros(len(Place), dtype=np.int64)
        self._tables: dict[Place, Array] = {}
        for place in Place:
            self._put(place, tables.get(place, np.zeros(1, dtype=KINDS[place])))
        self._burst = burst
        self.clock["stopped"] = self.clock["now"]
        self._put(Place.FREES, np.zeros(len(Free), dtype=KINDS[Place.FREES]))
        for free, place in FREES.items():
            self._tables[place] = np.zeros(0, dtype=KINDS[place])
            reserve = frames if free is Free.FRAMES else _FEW if free in _ONE_BY_ONE else burst
            self["FREES"]["reserve"][free] = reserve
            self._add_rows(free, place, reserve + min(3 * reserve, _BEGINNING))
        events = 2 * burst + sum(len(self._tables[place]) for place in _FROM_THE_START)
        self._put(Place.EVENTS, zeros(events, KINDS[Place.EVENTS]))
        self._ring(Place.URGENTS, "urgent", 2 * burst)
        self._fit()
        self["HOSTS"]["top"] = NOBODY
        self._hold_a_tournament()

    def __getitem__(self, name: str) -> Array:
        return self._tables[Place[name]]

    @property
    def clock(self) -> Any:
        """The one row of scalars."""
        return self._tables[Place.CLOCK][0]

    @property
    def address(self) -> jit.World:
        """Where the addresses of all tables stand."""
        return self._addresses.ctypes.data

    def grow(self) -> None:
        """Make every table larger whose reserve is touched."""
        for free, place in FREES.items():
            # what an event takes and gives back touches the reserve as well, and is at most as much again
            while self["FREES"]["count"][free] < 2 * self["FREES"]["reserve"][free]:
                self._add_rows(free, place, len(self._tables[place]))
        while self.clock["heap_count"] + self._burst >= len(self["EVENTS"]):
            self._put(Place.EVENTS, _longer(self["EVENTS"], 2 * len(self["EVENTS"])))
        while self.clock["urgent_count"] + self._burst >= len(self["URGENTS"]):
            self._ring(Place.URGENTS, "urgent", 2 * len(self["URGENTS"]))
        self._fit()

    def replace(self, place: Place, rows: Array) -> None:
        """Another table in the place of one."""
        self._put(place, rows)

    def extend(self, place: Place, held: int, rows: Array) -> None:
        """Rows behind the first ``held`` of a table."""
        if len(rows):
            self._put(place, np.concatenate([self._tables[place][:held], rows]))

    def _fit(self) -> None:
        """Make room for what depends on the number of frames and requests, and say at what the reserves are touched."""
        # a frame or a request can be ready only once
        wanted = len(self["FRAMES"]) + len(self["REQUESTS"])
        if len(self["READIES"]) <= wanted:
            self._ring(Place.READIES, "ready", wanted + 1)
        clock = self.clock
        clock["heap_limit"] = len(self["EVENTS"]) - self._burst - 1
        clock["urgent_limit"] = len(self["URGENTS"]) - self._burst - 1
        clock["short"] = 0

    def _hold_a_tournament(self) -> None:
        """Lanes and hosts before any of them is due."""
        lanes, hosts = int(self.clock["lanes_count"]), int(self.clock["hosts_count"])
        places = 1 << max(0, lanes + hosts - 1).bit_length()
        dues = zeros(places, KINDS[Place.DUES])
        dues["time"] = math.inf
        self._put(Place.DUES, dues)
        nodes = zeros(2 * places, KINDS[Place.NODES])
        nodes[places:] = np.arange(places)
        for node in range(places - 1, 0, -1):
            nodes[node] = nodes[2 * node]
        self._put(Place.NODES, nodes)
        self.clock["dues_max"] = places

    def _put(self, place: Place, rows: Array) -> None:
        if rows.dtype != KINDS[place]:
            raise TypeError(f"{place.name}: rows of {rows.dtype}, expected {KINDS[place]}")
        if not len(rows):
            rows = zeros(1, KINDS[place])
        elif not rows.flags.c_contiguous or (rows.itemsize == _LINE and rows.ctypes.data % _LINE):
            rows = _longer(rows, len(rows))
        self._tables[place] = rows
        self._addresses[place] = rows.ctypes.data

    def _add_rows(self, free: Free, place: Place, count: int) -> None:
        """More rows, all 0: the list of free ones, which ends behind the old ones, goes on with them."""
        old = self._tables[place]
        self._put(place, _longer(old, len(old) + count))
        self["FREES"]["count"][free] += count

    def _ring(self, place: Place, name: str, rows: int) -> None:
        size = 1 << max(0, rows - 1).bit_length()
        old, clock = self._tables[place], self.clock
        count = int(clock[f"{name}_count"])
        places = (int(clock[f"{name}_head"]) + np.arange(count)) & int(clock[f"{name}_mask"])
        larger = zeros(size, old.dtype)
        larger[:count] = old[places]
        clock[f"{name}_head"], clock[f"{name}_mask"] = 0, size - 1
        self._put(place, larger)


def zeros(count: int, kind: np.dtype[Any]) -> Array:
    """Empty rows that begin at a line of the processor's caches: a row of a line's length is in one line."""
    room = np.zeros(count * kind.itemsize + _LINE, dtype=np.uint8)
    first = -room.ctypes.data % _LINE
    return room[first : first + count * kind.itemsize].view(kind)


def _longer(rows: Array, count: int) -> Array:
    found = zeros(count, rows.dtype)
    found[: len(rows)] = rows
    return found
