"""Requests, tasks and frames in compiled code: what is asked, who works on it, and how far each has come.

A frame is one instruction under way. A request is kept as long as somebody uses it: its client, and every thread that
works on it; its tasks go with it.
"""

from __future__ import annotations

import numpy as np

from sim.compiled import agenda, pools
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.records import NOBODY, Free
from sim.model.program import STEPS_MAX


@compiled
def new_frame(world: World, instruction: int, parent: int, task: int) -> int:
    """A frame that begins."""
    frames = r.frames(world)
    free = r.frees(world)[Free.FRAMES].first
    row = agenda.take(world, Free.FRAMES, frames[free].next)
    frames[row].instruction = instruction
    frames[row].parent = parent
    frames[row].task = task
    frames[row].phase = 0
    return row


@compiled
def free_frame(world: World, row: int) -> None:
    """A frame that has ended; who still refers to it sees that it has had its turn."""
    frames = r.frames(world)
    frames[row].turn += 1
    frames[row].next = agenda.give_back(world, Free.FRAMES, row)


@compiled
def new_task(world: World, request: int) -> int:
    """A task of nobody's below."""
    tasks, requests = r.tasks(world), r.requests(world)
    free = r.frees(world)[Free.TASKS].first
    row = agenda.take(world, Free.TASKS, tasks[free].next)
    tasks[row].request = request
    tasks[row].attempt = 0
    tasks[row].cancelled = 0
    tasks[row].died = 0
    tasks[row].parent = NOBODY
    tasks[row].below = NOBODY
    tasks[row].below_last = NOBODY
    tasks[row].later = NOBODY
    tasks[row].sooner = NOBODY
    tasks[row].claim = NOBODY
    tasks[row].claim_last = NOBODY
    tasks[row].next = requests[request].task
    requests[request].task = row
    return row


@compiled
def new_child(world: World, parent: int) -> int:
    """A task that ends with its parent."""
    tasks = r.tasks(world)
    row = new_task(world, tasks[parent].request)
    tasks[row].attempt = tasks[parent].attempt
    tasks[row].cancelled = tasks[parent].cancelled
    tasks[row].parent = parent
    tasks[row].sooner = tasks[parent].below_last
    if tasks[parent].below_last < 0:
        tasks[parent].below = row
    else:
        tasks[tasks[parent].below_last].later = row
    tasks[parent].below_last = row
    return row


@compiled
def part(world: World, child: int) -> None:
    """Let a task no longer end with its parent."""
    tasks = r.tasks(world)
    parent, sooner, later = tasks[child].parent, tasks[child].sooner, tasks[child].later
    if sooner < 0:
        tasks[parent].below = later
    else:
        tasks[sooner].later = later
    if later < 0:
        tasks[parent].below_last = sooner
    else:
        tasks[later].sooner = sooner
    tasks[child].parent = NOBODY
    tasks[child].sooner = NOBODY
    tasks[child].later = NOBODY


@compiled
def cancel(world: World, top: int) -> None:
    """Have a task and all below it ask for nothing more; their places in pools are free at once."""
    tasks, claims = r.tasks(world), r.claims(world)
    row = top
    while True:
        tasks[row].cancelled = 1
        held = tasks[row].claim
        while held >= 0:
            following = claims[held].later
            pools.give_back(world, held)
            held = following
        tasks[row].claim = NOBODY
        tasks[row].claim_last = NOBODY
        if tasks[row].below >= 0:
            row = tasks[row].below
            continue
        while row != top and tasks[row].later < 0:
            row = tasks[row].parent
        if row == top:
            return
        row = tasks[row].later


@compiled
def new_request(world: World, number: int, step: int, entry: int) -> int:
    """A request that somebody makes now."""
    requests, clock = r.requests(world), r.clock(world)
    free = r.frees(world)[Free.REQUESTS].first
    row = agenda.take(world, Free.REQUESTS, requests[free].next)
    requests[row].entity = np.uint64(number * STEPS_MAX + step)
    requests[row].number = number
    requests[row].arrival = number & clock[0].arrivals_mask
    requests[row].instance = number
    requests[row].gateway = NOBODY
    requests[row].region = r.serving(world)[r.arrivals(world)[requests[row].arrival].person_home]
    requests[row].step = step
    requests[row].entry = entry
    requests[row].began = clock[0].now
    requests[row].second = int(clock[0].now - clock[0].start)
    requests[row].degraded = 0
    requests[row].answered = 0
    requests[row].users = 1
    requests[row].task = NOBODY
    return row


@compiled
def new_copy(world: World, original: int, instance: int) -> int:
    """A request of its own for what one instance of a consumer does."""
    requests = r.requests(world)
    free = r.frees(world)[Free.REQUESTS].first
    row = agenda.take(world, Free.REQUESTS, requests[free].next)
    requests[row].entity = requests[original].entity
    requests[row].number = requests[original].number
    requests[row].arrival = requests[original].arrival
    requests[row].instance = instance
    requests[row].gateway = requests[original].gateway
    requests[row].region = requests[original].region
    requests[row].step = requests[original].step
    requests[row].entry = requests[original].entry
    requests[row].began = requests[original].began
    requests[row].second = requests[original].second
    requests[row].degraded = requests[original].degraded
    requests[row].answered = 1
    requests[row].users = 1
    requests[row].task = NOBODY
    return row


@compiled
def release(world: World, row: int) -> None:
    """One user less."""
    requests, tasks = r.requests(world), r.tasks(world)
    requests[row].users -= 1
    if requests[row].users:
        return
    task = requests[row].task
    while task >= 0:
        following = tasks[task].next
        tasks[task].next = agenda.give_back(world, Free.TASKS, task)
        task = following
    requests[row].turn += 1
    requests[row].next = agenda.give_back(world, Free.REQUESTS, row)
