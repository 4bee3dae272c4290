"""Threads: what runs from a start until it has to wait, and who is told when it ends.

At the bottom of each thread stands a frame that is no instruction but says whose thread it is: the answer to a client,
background work, a consumer's round over a partition, a branch of a fork, or what a deadline waits for.
"""

from __future__ import annotations

from sim.compiled import agenda, logs, tallies, tasks
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.moves import OK, WAIT
from sim.compiled.records import NOBODY, Kind
from sim.compiled.walk import step

#: Bottom frames have this less their kind as instruction, which no instruction's number is.
_BOTTOM = -10


@compiled
def _begin(world: World, kind: int, instruction: int, task: int, whose: int, turn: int) -> int:
    """Make a thread; returns its first frame."""
    frames = r.frames(world)
    bottom = tasks.new_frame(world, _BOTTOM - kind, NOBODY, task)
    frames[bottom].i = whose
    frames[bottom].j = turn
    frames[bottom].a = r.clock(world)[0].now
    return tasks.new_frame(world, instruction, bottom, task)


@compiled
def _behind(world: World, entry: int, request: int) -> None:
    """Start what an answer, or an event, leaves to be done."""
    behind = r.entries(world)[entry].behind
    if r.instructions(world)[behind].children_count:
        r.requests(world)[request].users += 1
        agenda.urgent(world, Kind.BACKGROUND, request, behind, 0)


@compiled
def _next_record(world: World, bottom: int) -> int:
    """The work of the next event of a round; ends the round where there is none."""
    frames, partitions, records = r.frames(world), r.partitions(world), r.records(world)
    partition, member, row = frames[bottom].i, frames[bottom].j, frames[bottom].next
    if frames[bottom].left == 0:
        tasks.free_frame(world, bottom)
        logs.handled(world, partition, member)
        return NOBODY
    topic = partitions[partition].topic
    logs.lags(world, topic, row)
    request = tasks.new_copy(world, records[row].request, member)
    task = tasks.new_task(world, request)
    r.tasks(world)[task].attempt = records[row].tries
    records[row].tries += 1
    partitions[partition].task = task
    frames[bottom].task = task
    frames[bottom].a = r.clock(world)[0].now
    tallies.came(world, tallies.BACKGROUND)
    entry = r.topics(world)[topic].entry
    return tasks.new_frame(world, r.entries(world)[entry].front, bottom, task)


@compiled
def _handle(world: World, partition: int, member: int) -> int:
    """A consumer begins with what it took of a partition; returns the first frame, or NOBODY."""
    partitions = r.partitions(world)
    bottom = tasks.new_frame(world, _BOTTOM - Kind.HANDLE, NOBODY, NOBODY)
    frames = r.frames(world)
    frames[bottom].i = partition
    frames[bottom].j = member
    frames[bottom].left = partitions[partition].taken
    frames[bottom].next = partitions[partition].first
    return _next_record(world, bottom)


@compiled
def _handled(world: World, bottom: int, request: int) -> int:
    """The work of an event has ended; returns the frame of the next one's, or NOBODY."""
    frames, records = r.frames(world), r.records(world)
    row, cancelled = frames[bottom].next, r.tasks(world)[frames[bottom].task].cancelled
    topic = r.partitions(world)[frames[bottom].i].topic
    tallies.left(world, tallies.BACKGROUND, frames[bottom].a)
    if cancelled:  # the member died: what it had taken is others' now
        tasks.free_frame(world, bottom)
        tasks.release(world, request)
        return NOBODY
    if not records[row].done:
        tallies.job_done(world, r.topics(world)[topic].job, request, records[row].asked)
        _behind(world, r.topics(world)[topic].entry, request)
        records[row].done = 1
        tallies.left(world, r.topics(world)[topic].tally, records[row].entered)
    tasks.release(world, request)
    frames[bottom].next = records[row].next
    frames[bottom].left -= 1
    return _next_record(world, bottom)


@compiled
def _ended(world: World, bottom: int, ending: int) -> int:
    """Tell whom it concerns; returns the frame of what follows at once, or NOBODY."""
    frames, requests = r.frames(world), r.requests(world)
    kind = _BOTTOM - frames[bottom].instruction
    whose, turn, began = frames[bottom].i, frames[bottom].j, frames[bottom].a
    request = r.tasks(world)[frames[bottom].task].request
    if kind == Kind.HANDLE:
        return _handled(world, bottom, request)
    tasks.free_frame(world, bottom)
    if kind == Kind.FRONT:
        if ending == OK:
            _behind(world, requests[whose].entry, whose)
        if not requests[whose].answered:
            requests[whose].answered = 1
            agenda.ready(world, Kind.ANSWER, whose, ending)
    elif kind == Kind.BACKGROUND:
        tallies.left(world, tallies.BACKGROUND, began)
    elif kind == Kind.BRANCH:
        frames[whose].j = max(frames[whose].j, ending)
        frames[whose].i -= 1
        if frames[whose].i == 0:
            agenda.ready(world, Kind.RESUME, whose, 0)
    elif frames[whose].turn == turn and not frames[whose].j:
        frames[whose].j = 1
        agenda.ready(world, Kind.RESUME, whose, ending)
    tasks.release(world, request)
    return NOBODY


@compiled
def run(world: World, frame: int, value: int) -> None:
    """Let a thread go on from one of its frames until it waits or ends."""
    frames = r.frames(world)
    while True:
        if frames[frame].instruction < 0:
            frame, value = _ended(world, frame, value), OK
            if frame < 0:
                return
        move = step(world, frame, value)
        if move == WAIT:
            return
        if move & 1:  # it has ended
            above = frames[frame].parent
            tasks.free_frame(world, frame)
            frame, value = above, move >> 1
        else:
            frame = tasks.new_frame(world, (move >> 1) - 1, frame, frames[frame].task)
            value = OK


@compiled
def start(world: World, kind: int, row: int, value: int, turn: int) -> None:
    """Start a thread; what ``row`` and ``value`` are depends on its kind."""
    if kind == Kind.FRONT:  # a request
        entry = r.requests(world)[row].entry
        frame = _begin(world, kind, r.entries(world)[entry].front, tasks.new_task(world, row), row, 0)
    elif kind == Kind.BACKGROUND:  # a request, an instruction
        tallies.came(world, tallies.BACKGROUND)
        frame = _begin(world, kind, value, tasks.new_task(world, row), row, 0)
    elif kind == Kind.HANDLE:  # a partition, the member that has taken from it
        frame = _handle(world, row, value)
        if frame < 0:
            return
    elif kind == Kind.BRANCH:  # the fork's frame, an instruction
        frame = _begin(world, kind, value, tasks.new_child(world, r.frames(world)[row].task), row, 0)
    else:  # the deadline's frame, an instruction
        frame = _begin(world, kind, value, r.frames(world)[row].i, row, turn)
    run(world, frame, OK)
