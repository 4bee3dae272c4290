"""What happens next: a heap of events, lanes of timers, and what is due at once.

The order is SimPy's: by time; at one time threads that start come first, then everything in the order in which it was
scheduled. Timers of one delay, which are mostly never rung, wait in a lane: they come in the order in which they were
set, so only a lane's first needs to be looked at, and one that is no longer wanted costs nothing more.
"""

from __future__ import annotations

from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.records import Free, Kind


@compiled
def take(world: World, table: int, first_next: int) -> int:
    """Remove a row from the free ones of ``table``, whose next free one is ``first_next``."""
    free = r.frees(world)
    row = free[table].first
    free[table].first = first_next
    free[table].count -= 1
    return row


@compiled
def at(world: World, time: float, kind: int, row: int, turn: int) -> None:
    """Schedule an event."""
    clock, heap = r.clock(world), r.events(world)
    hole = clock[0].heap_count
    clock[0].heap_count = hole + 1
    seq = clock[0].seq
    clock[0].seq = seq + 1
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
    clock, lanes, timers = r.clock(world), r.lanes(world), r.timers(world)
    free = r.frees(world)[Free.TIMERS].first
    timer = take(world, Free.TIMERS, timers[free].next)
    timers[timer].time = clock[0].now + lanes[lane].delay
    timers[timer].seq = clock[0].seq
    clock[0].seq += 1
    timers[timer].kind = kind
    timers[timer].row = row
    timers[timer].turn = turn
    timers[timer].next = r.NOBODY
    if lanes[lane].first < 0:
        lanes[lane].first = timer
    else:
        timers[lanes[lane].last].next = timer
    lanes[lane].last = timer


@compiled
def drop_timer(world: World, lane: int) -> None:
    """Remove a lane's first timer."""
    lanes, timers, free = r.lanes(world), r.timers(world), r.frees(world)
    timer = lanes[lane].first
    lanes[lane].first = timers[timer].next
    timers[timer].next = free[Free.TIMERS].first
    free[Free.TIMERS].first = timer
    free[Free.TIMERS].count += 1


@compiled
def wanted(world: World, timer: int) -> bool:
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
    place = (clock[0].urgent_head + clock[0].urgent_count) & clock[0].urgent_mask
    clock[0].urgent_count += 1
    queue[place].kind = kind
    queue[place].row = row
    queue[place].value = value
    queue[place].turn = turn
