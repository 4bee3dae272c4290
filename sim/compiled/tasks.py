"""Requests, tasks and frames in compiled code.

A frame is one instruction under way. A request exists as long as it has users: its client, and every thread that works
on it. Its tasks are freed with it.
"""

from __future__ import annotations

import numpy as np

from sim.compiled import agenda, pools
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.records import NOBODY, TableId
from sim.model.program import STEPS_MAX


@compiled
def new_frame(memory: Address, instruction: int, parent: int, task: int) -> int:
    """Add a frame in its first phase."""
    frames = r.frames(memory)
    row = agenda.take(memory, TableId.FRAMES, frames)
    frames[row].instruction = instruction
    frames[row].parent = parent
    frames[row].task = task
    frames[row].phase = 0
    return row


@compiled
def free_frame(memory: Address, row: int) -> None:
    """Free a frame that has ended; its ``turn`` changes, so that what still refers to it notices that it is over."""
    frames = r.frames(memory)
    frames[row].turn += 1
    agenda.give_back(memory, TableId.FRAMES, frames, row)


@compiled
def new_task(memory: Address, request: int) -> int:
    """Add a task without a parent."""
    tasks, requests = r.tasks(memory), r.requests(memory)
    row = agenda.take(memory, TableId.TASKS, tasks)
    r.clock(memory)[0].tasks_count += 1
    tasks[row].serial = r.clock(memory)[0].tasks_count
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
def new_child(memory: Address, parent: int) -> int:
    """Add a task that ends with its parent."""
    tasks = r.tasks(memory)
    row = new_task(memory, tasks[parent].request)
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
def part(memory: Address, child: int) -> None:
    """Detach a task from its parent."""
    tasks = r.tasks(memory)
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
def cancel(memory: Address, top: int) -> None:
    """Cancel a task and all below it; the slots that they hold in pools are free at once."""
    tasks, claims = r.tasks(memory), r.claims(memory)
    row = top
    while True:
        tasks[row].cancelled = 1
        held = tasks[row].claim
        while held >= 0:
            following = claims[held].later
            pools.give_back(memory, held)
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
def new_request(memory: Address, number: int, step: int, entry: int) -> int:
    """Add a request that a client makes now."""
    requests, clock = r.requests(memory), r.clock(memory)
    row = agenda.take(memory, TableId.REQUESTS, requests)
    requests[row].entity = np.uint64(number * STEPS_MAX + step)
    requests[row].number = number
    requests[row].arrival = number & clock[0].arrivals_mask
    requests[row].instance = number
    requests[row].gateway = NOBODY
    requests[row].unbegun = NOBODY
    requests[row].region = r.serving(memory)[r.arrivals(memory)[requests[row].arrival].person_home]
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
def new_copy(memory: Address, original: int, instance: int) -> int:
    """Copy a request for the work of one instance of a consumer."""
    requests = r.requests(memory)
    row = agenda.take(memory, TableId.REQUESTS, requests)
    requests[row].entity = requests[original].entity
    requests[row].number = requests[original].number
    requests[row].arrival = requests[original].arrival
    requests[row].instance = instance
    requests[row].gateway = requests[original].gateway
    requests[row].unbegun = NOBODY
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
def release(memory: Address, row: int) -> None:
    """Remove one user; the last one frees the request and its tasks."""
    requests, tasks = r.requests(memory), r.tasks(memory)
    requests[row].users -= 1
    if requests[row].users:
        return
    task = requests[row].task
    while task >= 0:
        following = tasks[task].next
        agenda.give_back(memory, TableId.TASKS, tasks, task)
        task = following
    requests[row].turn += 1
    agenda.give_back(memory, TableId.REQUESTS, requests, row)
