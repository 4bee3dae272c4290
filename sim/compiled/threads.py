"""Threads: how they start, run until they have to wait, and what happens when they end.

The bottom frame of a thread belongs to no instruction. It records the purpose of the thread: the answer to a client,
background work, a consumer's round over a partition, a parallel branch, or what a deadline waits for.
"""

from __future__ import annotations

from sim.compiled import agenda, logs, tallies, tasks
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.moves import OK, WAIT
from sim.compiled.records import NOBODY, EventKind
from sim.compiled.walk import step

#: The instruction of a bottom frame is this minus its kind: a negative number, which is the index of no instruction.
_BOTTOM = -10


@compiled
def _begin(memory: Address, kind: int, instruction: int, task: int, whose: int, turn: int) -> int:
    """Add a thread; returns its first frame."""
    frames = r.frames(memory)
    bottom = tasks.new_frame(memory, _BOTTOM - kind, NOBODY, task)
    frames[bottom].i = whose
    frames[bottom].j = turn
    frames[bottom].a = r.clock(memory)[0].now
    return tasks.new_frame(memory, instruction, bottom, task)


@compiled
def _behind(memory: Address, entry: int, request: int) -> None:
    """Start the work behind an answer or an event."""
    behind = r.entries(memory)[entry].behind
    if r.instructions(memory)[behind].children_count:
        r.requests(memory)[request].users += 1
        agenda.urgent(memory, EventKind.BACKGROUND, request, behind, 0)


@compiled
def _next_record(memory: Address, bottom: int) -> int:
    """Start the work of the next event of a round, or end the round; returns the frame or NOBODY."""
    frames, partitions, records = r.frames(memory), r.partitions(memory), r.records(memory)
    partition, member, row = frames[bottom].i, frames[bottom].j, frames[bottom].next
    if frames[bottom].left == 0:
        tasks.free_frame(memory, bottom)
        logs.handled(memory, partition, member)
        return NOBODY
    topic = partitions[partition].topic
    logs.lags(memory, topic, row)
    request = tasks.new_copy(memory, records[row].request, member)
    task = tasks.new_task(memory, request)
    r.tasks(memory)[task].attempt = records[row].tries
    records[row].tries += 1
    partitions[partition].task = task
    frames[bottom].task = task
    frames[bottom].a = r.clock(memory)[0].now
    tallies.came(memory, tallies.BACKGROUND)
    entry = r.topics(memory)[topic].entry
    return tasks.new_frame(memory, r.entries(memory)[entry].front, bottom, task)


@compiled
def _handle(memory: Address, partition: int, member: int) -> int:
    """Begin a consumer's work on what it took from a partition; returns the first frame, or NOBODY."""
    partitions = r.partitions(memory)
    bottom = tasks.new_frame(memory, _BOTTOM - EventKind.HANDLE, NOBODY, NOBODY)
    frames = r.frames(memory)
    frames[bottom].i = partition
    frames[bottom].j = member
    frames[bottom].left = partitions[partition].taken
    frames[bottom].next = partitions[partition].first
    return _next_record(memory, bottom)


@compiled
def _handled(memory: Address, bottom: int, request: int) -> int:
    """End the work of an event; returns the frame of the next one, or NOBODY."""
    frames, records = r.frames(memory), r.records(memory)
    row, cancelled = frames[bottom].next, r.tasks(memory)[frames[bottom].task].cancelled
    topic = r.partitions(memory)[frames[bottom].i].topic
    tallies.left(memory, tallies.BACKGROUND, frames[bottom].a)
    if cancelled:  # the member died, and others have what it had taken
        tasks.free_frame(memory, bottom)
        tasks.release(memory, request)
        return NOBODY
    if not records[row].done:
        tallies.job_done(memory, r.topics(memory)[topic].job, request, records[row].asked)
        _behind(memory, r.topics(memory)[topic].entry, request)
        records[row].done = 1
        tallies.left(memory, r.topics(memory)[topic].tally, records[row].entered)
    tasks.release(memory, request)
    frames[bottom].next = records[row].next
    frames[bottom].left -= 1
    return _next_record(memory, bottom)


@compiled
def _ended(memory: Address, bottom: int, ending: int) -> int:
    """Resume or answer what waits for the thread; returns the frame of what follows at once, or NOBODY."""
    frames, requests = r.frames(memory), r.requests(memory)
    kind = _BOTTOM - frames[bottom].instruction
    whose, turn, began = frames[bottom].i, frames[bottom].j, frames[bottom].a
    request = r.tasks(memory)[frames[bottom].task].request
    if kind == EventKind.HANDLE:
        return _handled(memory, bottom, request)
    tasks.free_frame(memory, bottom)
    if kind == EventKind.FRONT:
        if ending == OK:
            _behind(memory, requests[whose].entry, whose)
        if not requests[whose].answered:
            requests[whose].answered = 1
            agenda.ready(memory, EventKind.ANSWER, whose, ending)
    elif kind == EventKind.BACKGROUND:
        tallies.left(memory, tallies.BACKGROUND, began)
    elif kind == EventKind.BRANCH:
        frames[whose].j = max(frames[whose].j, ending)
        frames[whose].i -= 1
        if frames[whose].i == 0:
            agenda.ready(memory, EventKind.RESUME, whose, 0)
    elif frames[whose].turn == turn and not frames[whose].j:
        frames[whose].j = 1
        agenda.ready(memory, EventKind.RESUME, whose, ending)
    tasks.release(memory, request)
    return NOBODY


@compiled
def run(memory: Address, frame: int, value: int) -> None:
    """Run a thread from one of its frames until it waits or ends."""
    frames = r.frames(memory)
    while True:
        if frames[frame].instruction < 0:
            frame, value = _ended(memory, frame, value), OK
            if frame < 0:
                return
        move = step(memory, frame, value)
        if move == WAIT:
            return
        if move & 1:  # it has ended
            above = frames[frame].parent
            tasks.free_frame(memory, frame)
            frame, value = above, move >> 1
        else:
            frame = tasks.new_frame(memory, (move >> 1) - 1, frame, frames[frame].task)
            value = OK


@compiled
def start(memory: Address, kind: int, row: int, value: int, turn: int) -> None:
    """Start a thread; the meaning of ``row`` and ``value`` depends on its kind."""
    if kind == EventKind.FRONT:  # a request
        entry = r.requests(memory)[row].entry
        frame = _begin(memory, kind, r.entries(memory)[entry].front, tasks.new_task(memory, row), row, 0)
    elif kind == EventKind.BACKGROUND:  # a request, an instruction
        tallies.came(memory, tallies.BACKGROUND)
        frame = _begin(memory, kind, value, tasks.new_task(memory, row), row, 0)
    elif kind == EventKind.HANDLE:  # a partition, the member that has taken from it
        frame = _handle(memory, row, value)
        if frame < 0:
            return
    elif kind == EventKind.BRANCH:  # the fork's frame, an instruction
        frame = _begin(memory, kind, value, tasks.new_child(memory, r.frames(memory)[row].task), row, 0)
    else:  # the deadline's frame, an instruction
        frame = _begin(memory, kind, value, r.frames(memory)[row].i, row, turn)
    run(memory, frame, OK)
