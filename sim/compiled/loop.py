"""The event loop."""

from __future__ import annotations

import math

import numpy as np

from sim.compiled import agenda, cores, draws, due, failover, logs, processing, stores, tallies, tasks, threads
from sim.compiled import records as r
from sim.compiled.branching import expire
from sim.compiled.jit import Address, compiled, entry
from sim.compiled.moves import OK
from sim.compiled.records import BrokenLaw, EventKind
from sim.model.disturbances import IDLE_JOB_SECONDS

#: Why `run` returned.
DONE = 0
FULL = 1  # a table has too few free rows for the next event
FAILED = 2  # a law is broken

GAVE_UP = -1

_HEAP = -1
_FIRST = np.uint64(0)
_SECOND = np.uint64(1)


@compiled
def arrive(memory: Address) -> None:
    """Start the requests whose time has come, and schedule the next."""
    clock, arrivals = r.clock(memory), r.arrivals(memory)
    clock[0].arriving = 0
    while clock[0].arrival < clock[0].arrivals_count:
        ahead = arrivals[clock[0].arrival & clock[0].arrivals_mask].at - clock[0].now
        if ahead > 0.0:
            agenda.at(memory, clock[0].now + ahead, EventKind.ARRIVE, 0, 0)
            return
        if clock[0].urgent_count >= clock[0].urgent_mask:  # more at one time than the queue has room for
            clock[0].arriving = 1
            return
        agenda.urgent(memory, EventKind.VISIT, clock[0].arrival, 0, 0)
        clock[0].arrival += 1


@compiled
def _ask(memory: Address, number: int, step: int) -> None:
    act = r.acts(memory)[r.arrivals(memory)[number & r.clock(memory)[0].arrivals_mask].act]
    request = tasks.new_request(memory, number, step, r.steps(memory)[act.steps + step])
    tallies.came(memory, tallies.REQUESTS)
    r.requests(memory)[request].users += 1
    agenda.urgent(memory, EventKind.FRONT, request, 0, 0)
    turn = r.requests(memory)[request].turn
    agenda.set_timer(memory, r.clock(memory)[0].timeout_lane, EventKind.GIVE_UP, request, turn)


@compiled
def _answer(memory: Address, request: int, ending: int) -> None:
    clock, samples, asked = r.clock(memory), r.samples(memory), r.requests(memory)[request]
    number, step = asked.number, asked.step
    row = clock[0].samples_count
    clock[0].samples_count = row + 1
    if row + 1 >= clock[0].samples_max:
        clock[0].short = 1
    samples[row].began = asked.began
    samples[row].latency = clock[0].now - asked.began
    samples[row].number = number
    samples[row].step = step
    samples[row].entry = asked.entry
    samples[row].ending = ending
    samples[row].degraded = asked.degraded
    if clock[0].now < clock[0].last_ended:
        clock[0].error = BrokenLaw.CAUSALITY
    clock[0].last_ended = clock[0].now
    tallies.left(memory, tallies.REQUESTS, asked.began)
    tasks.release(memory, request)
    if ending == OK and step + 1 < r.acts(memory)[r.arrivals(memory)[asked.arrival].act].steps_count:
        _ask(memory, number, step + 1)
    else:
        clock[0].open -= 1


@compiled
def _give_up(memory: Address, request: int) -> None:
    requests = r.requests(memory)
    if not requests[request].answered:
        requests[request].answered = 1
        agenda.ready(memory, EventKind.ANSWER, request, GAVE_UP)


@compiled
def next_stall(memory: Address, row: int) -> None:
    """Schedule the next stall of a class."""
    stall_row = r.stalls(memory)[row]
    seconds = draws.exponential(stall_row.key, np.uint64(stall_row.number), _FIRST) / stall_row.rate
    agenda.at(memory, r.clock(memory)[0].now + seconds, EventKind.STALL, row, 0)


@compiled
def _stall(memory: Address, row: int) -> None:
    stalls = r.stalls(memory)
    if r.clock(memory)[0].now >= r.clock(memory)[0].until_idle:
        return
    stall_row = stalls[row]
    length = stall_row.mean
    if stall_row.power != math.inf:
        uniform = draws.uniform(stall_row.key, np.uint64(stall_row.number), _SECOND)
        length = stall_row.lower + (stall_row.upper - stall_row.lower) * uniform**stall_row.power
    cores.stall(memory, stall_row.host, length)
    stalls[row].number += 1
    next_stall(memory, row)


@compiled
def next_idle(memory: Address, row: int) -> None:
    """Schedule the next piece of idle work of a process."""
    idle_row = r.idles(memory)[row]
    seconds = draws.exponential(idle_row.key, np.uint64(idle_row.number), _FIRST) * IDLE_JOB_SECONDS / idle_row.share
    agenda.at(memory, r.clock(memory)[0].now + seconds, EventKind.IDLE, row, 0)


@compiled
def _idle(memory: Address, row: int) -> None:
    if r.clock(memory)[0].now >= r.clock(memory)[0].until_idle:
        return
    processing.submit(memory, r.idles(memory)[row].station, IDLE_JOB_SECONDS, r.NOBODY, r.NOBODY, 0.0)
    r.idles(memory)[row].number += 1
    next_idle(memory, row)


@compiled
def next_fault(memory: Address, row: int) -> None:
    """Schedule the beginning of a fault."""
    now = r.clock(memory)[0].now
    agenda.at(memory, now + (r.faults(memory)[row].at - now), EventKind.FAULT, row, 0)


@compiled
def _begin_fault(memory: Address, row: int) -> None:
    faults, clock, stations = r.faults(memory), r.clock(memory), r.fault_stations(memory)
    fault = faults[row]
    faults[row].began = clock[0].now
    for index in range(fault.toxics, fault.toxics + fault.toxics_count):
        toxic = r.fault_toxics(memory)[index]
        r.toxics(memory)[toxic].acting = 1
        r.links(memory)[r.toxics(memory)[toxic].link].acting_count += 1
    for index in range(fault.stations, fault.stations + fault.stations_count):
        if fault.pauses:
            processing.pause(memory, stations[index])
        else:
            processing.die(memory, stations[index])
    if not fault.pauses:
        promotion = fault.promotions
        for index in range(fault.stations, fault.stations + fault.stations_count):
            if stations[index] < clock[0].processes_count:
                logs.died(memory, stations[index], fault.goodbye != 0)
                failover.died(memory, promotion)
                promotion += 1
    if fault.lost:
        failover.region_lost(memory, row)
    for index in range(fault.caches, fault.caches + fault.caches_count):
        stores.clear(memory, r.fault_caches(memory)[index])
    for index in range(fault.keys, fault.keys + fault.keys_count):
        stores.drop(memory, r.fault_keys(memory)[2 * index], r.fault_keys(memory)[2 * index + 1])
    agenda.at(memory, clock[0].now + fault.for_seconds, EventKind.FAULT_ENDS, row, 0)


@compiled
def _end_fault(memory: Address, row: int) -> None:
    faults, stations = r.faults(memory), r.fault_stations(memory)
    fault = faults[row]
    faults[row].ended = r.clock(memory)[0].now
    for index in range(fault.toxics, fault.toxics + fault.toxics_count):
        toxic = r.fault_toxics(memory)[index]
        r.toxics(memory)[toxic].acting = 0
        r.links(memory)[r.toxics(memory)[toxic].link].acting_count -= 1
    for index in range(fault.stations, fault.stations + fault.stations_count):
        if fault.pauses:
            processing.resume(memory, stations[index])
        else:
            processing.revive(memory, stations[index])
    for index in range(fault.stations, fault.stations + fault.stations_count):
        if stations[index] < r.clock(memory)[0].processes_count:
            logs.back(memory, stations[index])
    if fault.lost:
        failover.region_back(memory, row)


@compiled
def _happen(memory: Address, kind: int, row: int, turn: int) -> None:
    if kind == EventKind.RESUME:
        threads.run(memory, row, turn)
    elif kind == EventKind.ANSWER:
        _answer(memory, row, turn)
    elif kind == EventKind.GIVE_UP:
        _give_up(memory, row)
    elif kind == EventKind.EXPIRE:
        expire(memory, row)
    elif kind == EventKind.ARRIVE:
        arrive(memory)
    elif kind == EventKind.STALL_ENDS:
        cores.stall_ends(memory, row)
    elif kind == EventKind.STALL:
        _stall(memory, row)
    elif kind == EventKind.IDLE:
        _idle(memory, row)
    elif kind == EventKind.FAULT:
        _begin_fault(memory, row)
    elif kind == EventKind.FAULT_ENDS:
        _end_fault(memory, row)
    elif kind == EventKind.PROMOTE:
        failover.promote(memory, row)
    elif kind == EventKind.REROUTE:
        failover.reroute(memory, row, turn)
    elif kind == EventKind.EMIT:
        logs.arrive(memory, row, turn)
    elif kind == EventKind.REBALANCE:
        logs.rebalance(memory, row)
    elif kind == EventKind.SLEEP:
        cores.sleep(memory, row, turn)
    elif kind == EventKind.GO_ON:
        processing.go_on(memory, row)


@compiled
def _start_urgent(memory: Address) -> None:
    clock, queue = r.clock(memory), r.urgents(memory)
    index = clock[0].urgent_head & clock[0].urgent_mask
    kind, row, value, turn = queue[index].kind, queue[index].row, queue[index].value, queue[index].turn
    clock[0].urgent_head += 1
    clock[0].urgent_count -= 1
    if kind == EventKind.VISIT:
        _ask(memory, row, 0)
    else:
        threads.start(memory, kind, row, value, turn)


@entry
def begin(memory: Address, stalls_count: int, idles_count: int, faults_count: int) -> None:
    """Schedule the first arrival, and all stalls, idle work and faults."""
    arrive(memory)
    for row in range(stalls_count):
        next_stall(memory, row)
    for row in range(idles_count):
        next_idle(memory, row)
    for row in range(faults_count):
        next_fault(memory, row)


@entry
def run(memory: Address, until: float) -> int:
    """Simulate until ``until``; returns why it stopped."""
    clock, heap, timers, queue, dues = (
        r.clock(memory),
        r.events(memory),
        r.timers(memory),
        r.readies(memory),
        r.dues(memory),
    )
    if clock[0].now < clock[0].stopped:
        clock[0].error = BrokenLaw.CAUSALITY
    if until <= clock[0].now and not clock[0].error:
        return DONE
    while True:
        if clock[0].error:
            return FAILED
        if clock[0].short:
            return FULL
        if clock[0].arriving:
            arrive(memory)
            continue
        if clock[0].urgent_count:
            _start_urgent(memory)
            continue
        source = due.soonest(memory)
        time, seq = dues[source].time, dues[source].seq
        if clock[0].heap_count and (heap[0].time < time or (heap[0].time == time and heap[0].seq < seq)):
            time, seq, source = heap[0].time, heap[0].seq, _HEAP
        if clock[0].ready_count:
            index = clock[0].ready_head & clock[0].ready_mask
            if time > clock[0].now or seq > queue[index].seq:
                clock[0].ready_head += 1
                clock[0].ready_count -= 1
                _happen(memory, queue[index].kind, queue[index].row, queue[index].value)
                continue
        if time >= until:
            for lane in range(clock[0].lanes_count):
                agenda.tidy(memory, lane)
            clock[0].now = clock[0].stopped = until
            return DONE
        if time < clock[0].now:
            clock[0].error = BrokenLaw.CAUSALITY
            return FAILED
        if source == _HEAP:
            clock[0].now = time
            kind, row, turn = heap[0].kind, heap[0].row, heap[0].turn
            agenda.drop_first(memory)
            _happen(memory, kind, row, turn)
        elif source >= clock[0].lanes_count:
            clock[0].now = time
            processing.ring(memory, source - clock[0].lanes_count)
        elif agenda.rings(memory, source, seq):
            clock[0].now = time
            first = r.lanes(memory)[source].first
            kind, row = timers[first].kind, timers[first].row
            agenda.drop_timer(memory, source)
            agenda.look(memory, source)
            _happen(memory, kind, row, 0)
        else:  # no longer wanted
            agenda.look(memory, source)
