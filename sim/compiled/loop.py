"""The loop: what happens next, until a time."""

from __future__ import annotations

import math

import numpy as np

from sim.compiled import agenda, draws, due, failover, logs, places, stores, tallies, tasks, threads
from sim.compiled import records as r
from sim.compiled.branching import expire
from sim.compiled.jit import World, compiled, entry
from sim.compiled.moves import OK
from sim.compiled.records import Broken, Kind
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
def arrive(world: World) -> None:
    """Start the requests whose time has come, and wait for the next."""
    clock, arrivals = r.clock(world), r.arrivals(world)
    clock[0].arriving = 0
    while clock[0].arrival < clock[0].arrivals_count:
        ahead = arrivals[clock[0].arrival & clock[0].arrivals_mask].at - clock[0].now
        if ahead > 0.0:
            agenda.at(world, clock[0].now + ahead, Kind.ARRIVE, 0, 0)
            return
        if clock[0].urgent_count >= clock[0].urgent_mask:  # more at one time than there is room for
            clock[0].arriving = 1
            return
        agenda.urgent(world, Kind.VISIT, clock[0].arrival, 0, 0)
        clock[0].arrival += 1


@compiled
def _ask(world: World, number: int, step: int) -> None:
    act = r.acts(world)[r.arrivals(world)[number & r.clock(world)[0].arrivals_mask].act]
    request = tasks.new_request(world, number, step, r.steps(world)[act.steps + step])
    tallies.came(world, tallies.REQUESTS)
    r.requests(world)[request].users += 1
    agenda.urgent(world, Kind.FRONT, request, 0, 0)
    turn = r.requests(world)[request].turn
    agenda.set_timer(world, r.clock(world)[0].timeout_lane, Kind.GIVE_UP, request, turn)


@compiled
def _answer(world: World, request: int, ending: int) -> None:
    clock, samples, asked = r.clock(world), r.samples(world), r.requests(world)[request]
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
        clock[0].error = Broken.CAUSALITY
    clock[0].last_ended = clock[0].now
    tallies.left(world, tallies.REQUESTS, asked.began)
    tasks.release(world, request)
    if ending == OK and step + 1 < r.acts(world)[r.arrivals(world)[asked.arrival].act].steps_count:
        _ask(world, number, step + 1)
    else:
        clock[0].open -= 1


@compiled
def _give_up(world: World, request: int) -> None:
    requests = r.requests(world)
    if not requests[request].answered:
        requests[request].answered = 1
        agenda.ready(world, Kind.ANSWER, request, GAVE_UP)


@compiled
def next_stall(world: World, row: int) -> None:
    """Wait for the next stall of a class."""
    one = r.stalls(world)[row]
    seconds = draws.exponential(one.key, np.uint64(one.number), _FIRST) / one.rate
    agenda.at(world, r.clock(world)[0].now + seconds, Kind.STALL, row, 0)


@compiled
def _stall(world: World, row: int) -> None:
    stalls = r.stalls(world)
    if r.clock(world)[0].now >= r.clock(world)[0].until_idle:
        return
    one = stalls[row]
    length = one.mean
    if one.power != math.inf:
        uniform = draws.uniform(one.key, np.uint64(one.number), _SECOND)
        length = one.lower + (one.upper - one.lower) * uniform**one.power
    places.stall(world, one.host, length)
    stalls[row].number += 1
    next_stall(world, row)


@compiled
def next_idle(world: World, row: int) -> None:
    """Wait for a process's next piece of idle work."""
    one = r.idles(world)[row]
    seconds = draws.exponential(one.key, np.uint64(one.number), _FIRST) * IDLE_JOB_SECONDS / one.share
    agenda.at(world, r.clock(world)[0].now + seconds, Kind.IDLE, row, 0)


@compiled
def _idle(world: World, row: int) -> None:
    if r.clock(world)[0].now >= r.clock(world)[0].until_idle:
        return
    places.submit(world, r.idles(world)[row].station, IDLE_JOB_SECONDS, r.NOBODY)
    r.idles(world)[row].number += 1
    next_idle(world, row)


@compiled
def next_deed(world: World, row: int) -> None:
    """Wait until a fault begins."""
    now = r.clock(world)[0].now
    agenda.at(world, now + (r.deeds(world)[row].at - now), Kind.DEED, row, 0)


@compiled
def _deed(world: World, row: int) -> None:
    deeds, clock, stations = r.deeds(world), r.clock(world), r.deed_stations(world)
    one = deeds[row]
    deeds[row].began = clock[0].now
    for place in range(one.toxics, one.toxics + one.toxics_count):
        toxic = r.deed_toxics(world)[place]
        r.toxics(world)[toxic].acting = 1
        r.links(world)[r.toxics(world)[toxic].link].acting_count += 1
    for place in range(one.stations, one.stations + one.stations_count):
        if one.pauses:
            places.pause(world, stations[place])
        else:
            places.die(world, stations[place])
    if not one.pauses:
        promotion = one.promotions
        for place in range(one.stations, one.stations + one.stations_count):
            if stations[place] < clock[0].processes_count:
                logs.died(world, stations[place], one.goodbye != 0)
                failover.died(world, promotion)
                promotion += 1
    if one.lost:
        failover.region_lost(world, row)
    for place in range(one.caches, one.caches + one.caches_count):
        stores.clear(world, r.deed_caches(world)[place])
    for place in range(one.keys, one.keys + one.keys_count):
        stores.drop(world, r.deed_keys(world)[2 * place], r.deed_keys(world)[2 * place + 1])
    agenda.at(world, clock[0].now + one.for_seconds, Kind.DEED_ENDS, row, 0)


@compiled
def _deed_ends(world: World, row: int) -> None:
    deeds, stations = r.deeds(world), r.deed_stations(world)
    one = deeds[row]
    deeds[row].ended = r.clock(world)[0].now
    for place in range(one.toxics, one.toxics + one.toxics_count):
        toxic = r.deed_toxics(world)[place]
        r.toxics(world)[toxic].acting = 0
        r.links(world)[r.toxics(world)[toxic].link].acting_count -= 1
    for place in range(one.stations, one.stations + one.stations_count):
        if one.pauses:
            places.resume(world, stations[place])
        else:
            places.revive(world, stations[place])
    for place in range(one.stations, one.stations + one.stations_count):
        if stations[place] < r.clock(world)[0].processes_count:
            logs.back(world, stations[place])
    if one.lost:
        failover.region_back(world, row)


@compiled
def _happen(world: World, kind: int, row: int, turn: int) -> None:
    if kind == Kind.RESUME:
        threads.run(world, row, turn)
    elif kind == Kind.ANSWER:
        _answer(world, row, turn)
    elif kind == Kind.GIVE_UP:
        _give_up(world, row)
    elif kind == Kind.EXPIRE:
        expire(world, row)
    elif kind == Kind.ARRIVE:
        arrive(world)
    elif kind == Kind.STALL_ENDS:
        places.stall_ends(world, row)
    elif kind == Kind.STALL:
        _stall(world, row)
    elif kind == Kind.IDLE:
        _idle(world, row)
    elif kind == Kind.DEED:
        _deed(world, row)
    elif kind == Kind.DEED_ENDS:
        _deed_ends(world, row)
    elif kind == Kind.PROMOTE:
        failover.promote(world, row)
    elif kind == Kind.REROUTE:
        failover.reroute(world, row, turn)
    elif kind == Kind.EMIT:
        logs.come(world, row, turn)
    elif kind == Kind.REBALANCE:
        logs.rebalance(world, row)


@compiled
def _start_urgent(world: World) -> None:
    clock, queue = r.clock(world), r.urgents(world)
    place = clock[0].urgent_head & clock[0].urgent_mask
    kind, row, value, turn = queue[place].kind, queue[place].row, queue[place].value, queue[place].turn
    clock[0].urgent_head += 1
    clock[0].urgent_count -= 1
    if kind == Kind.VISIT:
        _ask(world, row, 0)
    else:
        threads.start(world, kind, row, value, turn)


@entry
def begin(world: World, stalls_count: int, idles_count: int, deeds_count: int) -> None:
    """Set off everything that goes on by itself."""
    arrive(world)
    for row in range(stalls_count):
        next_stall(world, row)
    for row in range(idles_count):
        next_idle(world, row)
    for row in range(deeds_count):
        next_deed(world, row)


@entry
def run(world: World, until: float) -> int:
    """Let everything before ``until`` happen; says why it stopped."""
    clock, heap, timers, queue, dues = r.clock(world), r.events(world), r.timers(world), r.readies(world), r.dues(world)
    if clock[0].now < clock[0].stopped:
        clock[0].error = Broken.CAUSALITY
    if until <= clock[0].now and not clock[0].error:
        return DONE
    while True:
        if clock[0].error:
            return FAILED
        if clock[0].short:
            return FULL
        clock[0].events += 1
        if clock[0].arriving:
            arrive(world)
            continue
        if clock[0].urgent_count:
            _start_urgent(world)
            continue
        source = due.soonest(world)
        time, seq = dues[source].time, dues[source].seq
        if clock[0].heap_count and (heap[0].time < time or (heap[0].time == time and heap[0].seq < seq)):
            time, seq, source = heap[0].time, heap[0].seq, _HEAP
        if clock[0].ready_count:
            place = clock[0].ready_head & clock[0].ready_mask
            if time > clock[0].now or seq > queue[place].seq:
                clock[0].ready_head += 1
                clock[0].ready_count -= 1
                _happen(world, queue[place].kind, queue[place].row, queue[place].value)
                continue
        if time >= until:
            for lane in range(clock[0].lanes_count):
                agenda.tidy(world, lane)
            clock[0].now = clock[0].stopped = until
            return DONE
        if time < clock[0].now:
            clock[0].error = Broken.CAUSALITY
            return FAILED
        if source == _HEAP:
            clock[0].now = time
            kind, row, turn = heap[0].kind, heap[0].row, heap[0].turn
            agenda.drop_first(world)
            _happen(world, kind, row, turn)
        elif source >= clock[0].lanes_count:
            clock[0].now = time
            places.ring(world, source - clock[0].lanes_count)
        elif agenda.rings(world, source, seq):
            clock[0].now = time
            first = r.lanes(world)[source].first
            kind, row = timers[first].kind, timers[first].row
            agenda.drop_timer(world, source)
            agenda.look(world, source)
            _happen(world, kind, row, 0)
        else:  # nobody wants it any more
            agenda.look(world, source)
