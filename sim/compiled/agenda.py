"""The agenda: a heap of events, lanes of timers, and queues of what happens now.

The order is SimPy's: by time; at the same time, threads that start come first, then everything in the order in which it
was scheduled. Timers with the same delay form a lane. They ring in the order in which they were set, so only the first
timer of a lane is looked at. Most timers never ring, and one that is no longer wanted costs nothing.
"""

from __future__ import annotations

import math

from sim.compiled import due
from sim.compiled import records as r
from sim.compiled.jit import Address, Rows, compiled, inlined
from sim.compiled.records import NOBODY, EventKind, TableId


@inlined
def take(memory: Address, table: int, rows: Rows) -> int:
    """Take the first free row of a table. The ``next`` of a free row is the distance from the row after it to the next
    free row: so rows that were never used, which are all 0, already form a list of free rows."""
    free = r.frees(memory)
    row, count = free[table].first, free[table].count - 1
    free[table].first = row + 1 + rows[row].next
    free[table].count = count
    if count < free[table].reserve:
        r.clock(memory)[0].short = 1
    return row


@inlined
def give_back(memory: Address, table: int, rows: Rows, row: int) -> None:
    """Make a row free."""
    free = r.frees(memory)
    rows[row].next = free[table].first - row - 1
    free[table].first = row
    free[table].count += 1


@inlined
def _move(heap: Rows, source: int, target: int) -> None:
    heap[target].time = heap[source].time
    heap[target].seq = heap[source].seq
    heap[target].kind = heap[source].kind
    heap[target].row = heap[source].row
    heap[target].turn = heap[source].turn


@compiled
def at(memory: Address, time: float, kind: int, row: int, turn: int) -> None:
    """Schedule an event."""
    clock, heap = r.clock(memory), r.events(memory)
    hole, seq = clock[0].heap_count, clock[0].seq
    clock[0].heap_count = hole + 1
    clock[0].seq = seq + 1
    if hole >= clock[0].heap_limit:
        clock[0].short = 1
    while hole > 0:
        above = (hole - 1) >> 1
        if heap[above].time < time or (heap[above].time == time and heap[above].seq < seq):
            break
        _move(heap, above, hole)
        hole = above
    heap[hole].time = time
    heap[hole].seq = seq
    heap[hole].kind = kind
    heap[hole].row = row
    heap[hole].turn = turn


@compiled
def drop_first(memory: Address) -> None:
    """Remove the first event of the heap."""
    clock, heap = r.clock(memory), r.events(memory)
    count = clock[0].heap_count - 1
    clock[0].heap_count = count
    time, seq = heap[count].time, heap[count].seq
    hole = 0
    while True:
        below = 2 * hole + 1
        if below >= count:
            break
        right = below + 1
        if right < count and (
            heap[right].time < heap[below].time
            or (heap[right].time == heap[below].time and heap[right].seq < heap[below].seq)
        ):
            below = right
        if time < heap[below].time or (time == heap[below].time and seq < heap[below].seq):
            break
        _move(heap, below, hole)
        hole = below
    if hole != count:
        _move(heap, count, hole)


@compiled
def wait(memory: Address, seconds: float, frame: int) -> None:
    """Resume a frame after ``seconds``."""
    at(memory, r.clock(memory)[0].now + seconds, EventKind.RESUME, frame, 0)


@compiled
def set_timer(memory: Address, lane: int, kind: int, row: int, turn: int) -> None:
    """Set a timer with the lane's delay for a row; it is ignored if the row has been reused by then."""
    tidy(memory, lane)
    clock, lanes, timers = r.clock(memory), r.lanes(memory), r.timers(memory)
    timer = take(memory, TableId.TIMERS, timers)
    time, seq = clock[0].now + lanes[lane].delay, clock[0].seq
    clock[0].seq = seq + 1
    timers[timer].time = time
    timers[timer].seq = seq
    timers[timer].kind = kind
    timers[timer].row = row
    timers[timer].turn = turn
    timers[timer].next = NOBODY
    if lanes[lane].first < 0:
        lanes[lane].first = timer
        due.put(memory, lane, time, seq)
    else:
        timers[lanes[lane].last].next = timer
    lanes[lane].last = timer


@compiled
def drop_timer(memory: Address, lane: int) -> None:
    """Remove a lane's first timer."""
    lanes, timers = r.lanes(memory), r.timers(memory)
    timer = lanes[lane].first
    lanes[lane].first = timers[timer].next
    give_back(memory, TableId.TIMERS, timers, timer)


@compiled
def tidy(memory: Address, lane: int) -> None:
    """Remove the first timers of a lane that are no longer wanted. The lane may then be due later than recorded."""
    lanes = r.lanes(memory)
    while lanes[lane].first >= 0 and not _wanted(memory, lanes[lane].first):
        drop_timer(memory, lane)


@compiled
def look(memory: Address, lane: int) -> None:
    """Remove unwanted timers from the beginning of a lane, and record when it is due."""
    tidy(memory, lane)
    first, timers = r.lanes(memory)[lane].first, r.timers(memory)
    if first < 0:
        due.put(memory, lane, math.inf, 0)
    else:
        due.put(memory, lane, timers[first].time, timers[first].seq)


@compiled
def rings(memory: Address, lane: int, seq: int) -> bool:
    """Whether the first timer of a lane has this number and is still wanted."""
    first = r.lanes(memory)[lane].first
    return first >= 0 and r.timers(memory)[first].seq == seq and _wanted(memory, first)


@compiled
def _wanted(memory: Address, timer: int) -> bool:
    """Whether the row for which a timer was set still waits for it."""
    timer_row = r.timers(memory)[timer]
    if timer_row.kind == EventKind.GIVE_UP:
        asked = r.requests(memory)[timer_row.row]
        return asked.turn == timer_row.turn and asked.answered == 0
    return r.frames(memory)[timer_row.row].turn == timer_row.turn


@compiled
def ready(memory: Address, kind: int, row: int, value: int) -> None:
    """Schedule something for now, after everything else that is scheduled for now."""
    clock, queue = r.clock(memory), r.readies(memory)
    index = (clock[0].ready_head + clock[0].ready_count) & clock[0].ready_mask
    clock[0].ready_count += 1
    queue[index].seq = clock[0].seq
    clock[0].seq += 1
    queue[index].kind = kind
    queue[index].row = row
    queue[index].value = value


@compiled
def urgent(memory: Address, kind: int, row: int, value: int, turn: int) -> None:
    """Start a thread now, before anything else that is scheduled for now."""
    clock, queue = r.clock(memory), r.urgents(memory)
    count = clock[0].urgent_count
    index = (clock[0].urgent_head + count) & clock[0].urgent_mask
    clock[0].urgent_count = count + 1
    if count >= clock[0].urgent_limit:
        clock[0].short = 1
    queue[index].kind = kind
    queue[index].row = row
    queue[index].value = value
    queue[index].turn = turn
