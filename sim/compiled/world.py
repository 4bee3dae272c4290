"""The world: every table as a numpy array, and the addresses by which compiled code reaches them.

Tables whose rows come and go hold a reserve of free rows, enough for whatever one event can add; compiled code stops
when a reserve is touched, and `grow` makes the table larger, so memory follows what is under way at once. Compiled code
does not see the end of a table: a reserve that is too small is memory written to that is somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.compiled import jit
from sim.compiled.records import KINDS, Free, Place

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
        self._burst = self.clock["burst"] = burst
        self.clock["stopped"] = self.clock["now"]
        self._put(Place.FREES, np.zeros(len(Free), dtype=KINDS[Place.FREES]))
        for free, place in FREES.items():
            self._tables[place] = np.zeros(0, dtype=KINDS[place])
            held = self["FREES"][free]
            held["first"] = -1
            held["reserve"] = frames if free is Free.FRAMES else _FEW if free in _ONE_BY_ONE else burst
            self._add_rows(free, place, 4 * int(held["reserve"]))
        events = 4 * burst + sum(len(self._tables[place]) for place in _FROM_THE_START)
        self._put(Place.EVENTS, np.zeros(events, dtype=KINDS[Place.EVENTS]))
        self.clock["events_max"] = events
        self._ring(Place.URGENTS, "urgent", 4 * burst)
        self._fit()

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
            if self["FREES"]["count"][free] < self["FREES"]["reserve"][free]:
                self._add_rows(free, place, len(self._tables[place]))
        if self.clock["heap_count"] + self._burst >= self.clock["events_max"]:
            self._put(Place.EVENTS, np.concatenate([self["EVENTS"], np.zeros_like(self["EVENTS"])]))
            self.clock["events_max"] = len(self["EVENTS"])
        if self.clock["urgent_mask"] - self.clock["urgent_count"] < self._burst:
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
        """Make room for what depends on the number of frames, requests and jobs."""
        # a frame or a request can be ready only once
        wanted = len(self["FRAMES"]) + len(self["REQUESTS"])
        if len(self["READIES"]) <= wanted:
            self._ring(Place.READIES, "ready", wanted + 1)
        # a job stands on its host's heap, and leaves a stale entry there each time it is taken off
        hosts, ends, jobs = self["HOSTS"], self["JOB_ENDS"], len(self["JOBS"])
        each = int(self.clock["job_ends_max"])
        while each < 2 * jobs + int(hosts["heap_count"].max()):
            each = max(4 * jobs, 2 * each)
        self.clock["jobs_max"] = jobs
        if each > self.clock["job_ends_max"]:
            larger = np.zeros(each * len(hosts), dtype=ends.dtype)
            for host in range(len(hosts)):
                first, count = int(hosts["heap"][host]), int(hosts["heap_count"][host])
                larger[host * each : host * each + count] = ends[first : first + count]
                hosts["heap"][host] = host * each
            self.clock["job_ends_max"] = each
            self._put(Place.JOB_ENDS, larger)

    def _put(self, place: Place, rows: Array) -> None:
        if rows.dtype != KINDS[place]:
            raise TypeError(f"{place.name}: rows of {rows.dtype}, expected {KINDS[place]}")
        rows = np.ascontiguousarray(rows) if len(rows) else np.zeros(1, dtype=KINDS[place])
        self._tables[place] = rows
        self._addresses[place] = rows.ctypes.data

    def _add_rows(self, free: Free, place: Place, count: int) -> None:
        old = self._tables[place]
        known = len(old)
        rows = np.zeros(known + count, dtype=old.dtype)
        rows[:known] = old[:known]
        rows["next"][known:] = np.arange(known + 1, known + count + 1)
        rows["next"][-1] = self["FREES"]["first"][free]
        self["FREES"]["first"][free] = known
        self["FREES"]["count"][free] += count
        self._put(place, rows)

    def _ring(self, place: Place, name: str, rows: int) -> None:
        size = 1 << int(np.ceil(np.log2(rows)))
        old, clock = self._tables[place], self.clock
        count = int(clock[f"{name}_count"])
        places = (int(clock[f"{name}_head"]) + np.arange(count)) & int(clock[f"{name}_mask"])
        larger = np.zeros(size, dtype=old.dtype)
        larger[:count] = old[places]
        clock[f"{name}_head"], clock[f"{name}_mask"] = 0, size - 1
        self._put(place, larger)
