"""What happens next: a heap of events, lanes of timers, and what is due at once.

The order is SimPy's: by time; at one time threads that start come first, then everything in the order in which it was
scheduled. Timers of one delay, which are mostly never rung, wait in a lane: they come in the order in which they were
set, so only a lane's first needs to be looked at, and one that is no longer wanted costs nothing more.
"""

from __future__ import annotations

import math

from sim.compiled import due
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.records import NOBODY, Free, Kind


@compiled
def take(world: World, table: int, step: int) -> int:
    """Remove the first of a table's free rows, whose ``next`` is ``step``: how many rows it is from the one behind it
    to the next free one, so that rows never used, which are all 0, are a list of free rows already."""
    free = r.frees(world)
    row, count = free[table].first, free[table].count - 1
    free[table].first = row + 1 + step
    free[table].count = count
    if count < free[table].reserve:
        r.clock(world)[0].short = 1
    return row


@compiled
def give_back(world: World, table: int, row: int) -> int:
    """Make a row free; returns what is to be its ``next``."""
    free = r.frees(world)
    step = free[table].first - row - 1
    free[table].first = row
    free[table].count += 1
    return step


@compiled
def at(world: World, time: float, kind: int, row: int, turn: int) -> None:
    """Schedule an event."""
    clock, heap = r.clock(world), r.events(world)
    hole, seq = clock[0].heap_count, clock[0].seq
    clock[0].heap_count = hole + 1
    clock[0].seq = seq + 1
    if hole >= clock[0].heap_limit:
        clock[0].short = 1
    while hole > 0:
        above = (hole - 1) >> 1
        if heap[above].time < time or (heap[above].time == time and heap[above].seq < seq):
            break
        heap[hole].time = heap[above].time
        heap[hole].seq = heap[above].seq
        heap[hole].kind = heap[above].kind
        heap[hole].row = heap[above].row
        heap[hole].turn = heap[above].turn
        hole = above
    heap[hole].time = time
    heap[hole].seq = seq
    heap[hole].kind = kind
    heap[hole].row = row
    heap[hole].turn = turn


@compiled
def drop_first(world: World) -> None:
    """Remove the first event of the heap."""
    clock, heap = r.clock(world), r.events(world)
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
        heap[hole].time = heap[below].time
        heap[hole].seq = heap[below].seq
        heap[hole].kind = heap[below].kind
        heap[hole].row = heap[below].row
        heap[hole].turn = heap[below].turn
        hole = below
    if hole != count:
        heap[hole].time = time
        heap[hole].seq = seq
        heap[hole].kind = heap[count].kind
        heap[hole].row = heap[count].row
        heap[hole].turn = heap[count].turn


@compiled
def wait(world: World, seconds: float, frame: int) -> None:
    """Go on with a frame after a time."""
    at(world, r.clock(world)[0].now + seconds, Kind.RESUME, frame, 0)


@compiled
def set_timer(world: World, lane: int, kind: int, row: int, turn: int) -> None:
    """Set a timer of the lane's delay for a row; it is ignored when the row has had its turn by then."""
    tidy(world, lane)
    clock, lanes, timers = r.clock(world), r.lanes(world), r.timers(world)
    free = r.frees(world)[Free.TIMERS].first
    timer = take(world, Free.TIMERS, timers[free].next)
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
        due.put(world, lane, time, seq)
    else:
        timers[lanes[lane].last].next = timer
    lanes[lane].last = timer


@compiled
def drop_timer(world: World, lane: int) -> None:
    """Remove a lane's first timer."""
    lanes, timers = r.lanes(world), r.timers(world)
    timer = lanes[lane].first
    lanes[lane].first = timers[timer].next
    timers[timer].next = give_back(world, Free.TIMERS, timer)


@compiled
def tidy(world: World, lane: int) -> None:
    """Remove timers from a lane's head until one is wanted. The lane may then be due later than it is said to be."""
    lanes = r.lanes(world)
    while lanes[lane].first >= 0 and not _wanted(world, lanes[lane].first):
        drop_timer(world, lane)


@compiled
def look(world: World, lane: int) -> None:
    """Tidy a lane, and say when it is due."""
    tidy(world, lane)
    first, timers = r.lanes(world)[lane].first, r.timers(world)
    if first < 0:
        due.put(world, lane, math.inf, 0)
    else:
        due.put(world, lane, timers[first].time, timers[first].seq)


@compiled
def rings(world: World, lane: int, seq: int) -> bool:
    """Whether a lane's first timer is the one of that number, and still wanted."""
    first = r.lanes(world)[lane].first
    return first >= 0 and r.timers(world)[first].seq == seq and _wanted(world, first)


@compiled
def _wanted(world: World, timer: int) -> bool:
    """Whether the row for which a timer was set still waits for it."""
    one = r.timers(world)[timer]
    if one.kind == Kind.GIVE_UP:
        asked = r.requests(world)[one.row]
        return asked.turn == one.turn and asked.answered == 0
    return r.frames(world)[one.row].turn == one.turn


@compiled
def ready(world: World, kind: int, row: int, value: int) -> None:
    """Schedule something for now, behind all that is scheduled for now."""
    clock, queue = r.clock(world), r.readies(world)
    place = (clock[0].ready_head + clock[0].ready_count) & clock[0].ready_mask
    clock[0].ready_count += 1
    queue[place].seq = clock[0].seq
    clock[0].seq += 1
    queue[place].kind = kind
    queue[place].row = row
    queue[place].value = value


@compiled
def urgent(world: World, kind: int, row: int, value: int, turn: int) -> None:
    """Start a thread now, before anything else that is scheduled for now."""
    clock, queue = r.clock(world), r.urgents(world)
    count = clock[0].urgent_count
    place = (clock[0].urgent_head + count) & clock[0].urgent_mask
    clock[0].urgent_count = count + 1
    if count >= clock[0].urgent_limit:
        clock[0].short = 1
    queue[place].kind = kind
    queue[place].row = row
    queue[place].value = value
    queue[place].turn = turn
