"""Walks a program: what each kind of instruction does, as in `sim.interpreter`, one function for each.

A function is called when its frame begins (phase 0), when a frame below it has ended, and when what it waited for has
happened; ``value`` is the ending, or what the event says. It answers what is to be done next: wait, enter a child, or
end.
"""

from __future__ import annotations

import math

import numpy as np

from sim.compiled import agenda, draws, failover, logs, places, pools, routing, stores, tasks
from sim.compiled import records as r
from sim.compiled.jit import Bits, World, compiled
from sim.compiled.records import NOBODY, Kind
from sim.flow import Ending, Keys, Per, Policy
from sim.program import DRAWS_MAX, Op

WAIT = 0
ENTER = 1  # the child whose instruction is told
END = 2  # with the ending that is told

OK = int(Ending.OK)
LIMITED = int(Ending.LIMITED)
OVERLOADED = int(Ending.OVERLOADED)
UNAVAILABLE = int(Ending.UNAVAILABLE)
BROKEN = int(Ending.BROKEN)
EXPIRED = int(Ending.EXPIRED)
CANCELLED = int(Ending.CANCELLED)

#: Enumerations of flows by number, as the tables hold them.
KEYS_CODES = {each: number for number, each in enumerate(Keys)}
PER_CODES = {each: number for number, each in enumerate(Per)}
POLICY_CODES = {each: number for number, each in enumerate(Policy)}
_PHOTO = KEYS_CODES[Keys.PHOTO]
_TIMELINE = KEYS_CODES[Keys.TIMELINE]
_POSTS = KEYS_CODES[Keys.POSTS]
_PUSH = PER_CODES[Per.PUSH]
_PULL = PER_CODES[Per.PULL]
_MERGE = PER_CODES[Per.MERGE]

_ATTEMPT_BITS = np.uint64(56)
_ONE = np.uint64(1)
_TWO = np.uint64(2)
_WORD = 64


@compiled
def visit_of(world: World, instruction: int, task: int) -> Bits:
    """What tells this try's random draws from those of all others."""
    attempt = np.uint64(r.tasks(world)[task].attempt)
    return r.instructions(world)[instruction].visit + (attempt << _ATTEMPT_BITS)


@compiled
def request_of(world: World, frame: int) -> int:
    """The request that a frame works on."""
    return r.tasks(world)[r.frames(world)[frame].task].request


@compiled
def _link(world: World, frame: int) -> int:
    """The link that a call crosses: that of the request's region."""
    step = r.instructions(world)[r.frames(world)[frame].instruction]
    return step.index + r.requests(world)[request_of(world, frame)].region * r.clock(world)[0].links_count


@compiled
def _cache(world: World, frame: int) -> int:
    """The cache that a step asks: that of the request's region."""
    step = r.instructions(world)[r.frames(world)[frame].instruction]
    return step.index + r.requests(world)[request_of(world, frame)].region * r.clock(world)[0].caches_count


@compiled
def _unless_cancelled(world: World, frame: int, ending: int) -> int:
    return CANCELLED if r.tasks(world)[r.frames(world)[frame].task].cancelled else ending


@compiled
def _child(world: World, frame: int, place: int) -> int:
    step = r.instructions(world)[r.frames(world)[frame].instruction]
    return r.children(world)[step.children + place]


@compiled
def cpu_seconds(world: World, frame: int, row: int, visit: Bits) -> float:
    """CPU time that this execution needs."""
    at, task = r.frames(world)[frame].instruction, r.frames(world)[frame].task
    step, demand = r.instructions(world)[at], r.demands(world)[row]
    request = r.requests(world)[r.tasks(world)[task].request]
    factor = draws.demand_factor(r.clock(world)[0].demand_key, demand.sigma, request.entity, visit)
    if step.per == _PUSH:
        clock = r.clock(world)[0]
        factor *= r.arrivals(world)[request.number].push_count * r.shares(world)[request.region] / clock.push_mean
    elif step.per == _PULL:
        factor *= r.arrivals(world)[request.number].pull_factor
    elif step.per == _MERGE:
        factor *= r.arrivals(world)[request.number].merge_factor
    second = min(max(request.second, 0), demand.seconds_count - 1)
    return r.means(world)[demand.means + second] * step.share * factor


@compiled
def _sequence(world: World, frame: int, value: int):
    one = r.frames(world)
    step = r.instructions(world)[one[frame].instruction]
    if one[frame].phase == 0:
        one[frame].phase = 1
        one[frame].i = 0
    else:
        if value != OK:
            return END, value
        if r.tasks(world)[one[frame].task].cancelled:
            return END, CANCELLED
        one[frame].i += 1
    if one[frame].i == step.children_count:
        return END, OK
    return ENTER, r.children(world)[step.children + one[frame].i]


@compiled
def _use(world: World, frame: int, value: int):
    one = r.frames(world)
    if one[frame].phase == 0:
        one[frame].phase = 1
        at = one[frame].instruction
        step = r.instructions(world)[at]
        station = routing.station(world, at, request_of(world, frame))
        seconds = cpu_seconds(world, frame, step.index, visit_of(world, at, one[frame].task))
        places.submit(world, station, seconds, frame)
        return WAIT, 0
    if value == 0:
        return END, BROKEN
    return END, _unless_cancelled(world, frame, OK)


@compiled
def _arrive(world: World, frame: int):
    one = r.frames(world)
    if r.tasks(world)[one[frame].task].cancelled:
        return END, CANCELLED
    one[frame].phase = 3
    return ENTER, _child(world, frame, 0)


@compiled
def _squeeze(world: World, frame: int):
    """What is sent goes through a link that may be narrow."""
    one = r.frames(world)
    step = r.instructions(world)[one[frame].instruction]
    link = _link(world, frame)
    if r.links(world)[link].acting_count:
        narrow = stores.narrow_seconds(world, link, step.sent)
        if narrow != 0.0:
            one[frame].phase = 6
            agenda.wait(world, narrow, frame)
            return WAIT, 0
    return _arrive(world, frame)


@compiled
def _cross(world: World, frame: int):
    """Go over the wire, to the other side."""
    one = r.frames(world)
    at, request = one[frame].instruction, request_of(world, frame)
    step, link = r.instructions(world)[at], r.links(world)[_link(world, frame)]
    half = 0.0
    if link.mu != -math.inf:
        visit, entity = visit_of(world, at, one[frame].task), r.requests(world)[request].entity
        half = 0.5 * draws.wait_seconds(r.clock(world)[0].wait_key, link.mu, link.sigma, entity, visit + _ONE)
    if step.home:
        half += routing.away_seconds(world, at, request)
    one[frame].a = half
    if half != 0.0:
        one[frame].phase = 2
        agenda.wait(world, half * (2.0 * step.trips - 1.0), frame)
        return WAIT, 0
    return _squeeze(world, frame)


@compiled
def _return(world: World, frame: int, value: int):
    """Come back over the wire, through what acts on the link."""
    one = r.frames(world)
    step = r.instructions(world)[one[frame].instruction]
    one[frame].i = value
    link = _link(world, frame)
    if r.links(world)[link].acting_count:
        if stores.cut(world, link):
            return END, BROKEN
        visit = visit_of(world, one[frame].instruction, one[frame].task)
        entity = r.requests(world)[request_of(world, frame)].entity
        uniform = draws.uniform(r.clock(world)[0].plain_key, entity, visit + _TWO)
        held = stores.held_back_seconds(world, link, step.trips, step.size, uniform)
        if held == math.inf:
            one[frame].phase = 5
            agenda.wait(world, stores.stopped_seconds(world, link), frame)
            return WAIT, 0
        one[frame].a += held
    if one[frame].a != 0.0:
        one[frame].phase = 4
        agenda.wait(world, one[frame].a, frame)
        return WAIT, 0
    return END, _unless_cancelled(world, frame, value)


@compiled
def _call(world: World, frame: int, value: int):
    one = r.frames(world)
    phase = one[frame].phase
    if phase == 0:
        at = one[frame].instruction
        step = r.instructions(world)[at]
        link = _link(world, frame)
        if r.links(world)[link].acting_count and stores.cut(world, link):
            return END, UNAVAILABLE
        if step.proxy < 0 or step.choices_count == 0:
            return _cross(world, frame)
        one[frame].phase = 1
        seconds = cpu_seconds(world, frame, step.proxy, visit_of(world, at, one[frame].task))
        shift = r.requests(world)[request_of(world, frame)].region * r.clock(world)[0].span
        places.submit(world, r.choices(world)[step.choices] + shift, seconds, frame)
        return WAIT, 0
    if phase == 1:
        if value == 0:
            return END, BROKEN
        return _cross(world, frame)
    if phase == 2:
        return _squeeze(world, frame)
    if phase == 6:
        return _arrive(world, frame)
    if phase == 3:
        return _return(world, frame, value)
    if phase == 4:
        return END, _unless_cancelled(world, frame, one[frame].i)
    return END, BROKEN


@compiled
def _hold(world: World, frame: int, value: int):
    one = r.frames(world)
    task = one[frame].task
    if one[frame].phase == 0:
        one[frame].phase = 1
        one[frame].i = pools.claim(
            world, routing.pool(world, one[frame].instruction, request_of(world, frame)), frame, task
        )
        pools.keep(world, task, one[frame].i)
        return WAIT, 0
    if one[frame].phase == 1:
        if value == 0:
            return END, CANCELLED
        one[frame].phase = 2
        return ENTER, _child(world, frame, 0)
    if not r.tasks(world)[task].cancelled:
        pools.forget(world, task, one[frame].i)
        pools.give_back(world, one[frame].i)
    return END, value


@compiled
def _admit(world: World, frame: int, value: int):
    one = r.frames(world)
    if one[frame].phase == 0:
        request = request_of(world, frame)
        routing.balance(world, one[frame].instruction, request)
        pool = routing.pool(world, one[frame].instruction, request)
        if pools.full(world, pool):
            return END, OVERLOADED
        one[frame].phase = 1
        one[frame].i = pools.claim(world, pool, frame, one[frame].task)
        return WAIT, 0
    if one[frame].phase == 1:
        one[frame].phase = 2
        return ENTER, _child(world, frame, 0)
    pools.give_back(world, one[frame].i)
    return END, value


@compiled
def _limit(world: World, frame: int):
    request = r.requests(world)[request_of(world, frame)]
    row = r.arrivals(world)[request.number].limit_row
    return END, LIMITED if stores.limited(world, request.entry, row) else OK


@compiled
def _delay(world: World, frame: int):
    one = r.frames(world)
    at = one[frame].instruction
    delay = r.delays(world)[r.instructions(world)[at].index]
    if one[frame].phase == 0 and delay.mu != -math.inf:
        one[frame].phase = 1
        visit = visit_of(world, at, one[frame].task)
        entity = r.requests(world)[request_of(world, frame)].entity
        seconds = draws.wait_seconds(r.clock(world)[0].wait_key, delay.mu, delay.sigma, entity, visit)
        if r.instructions(world)[at].hop:
            seconds += routing.away_seconds(world, at, request_of(world, frame))
        agenda.wait(world, seconds, frame)
        return WAIT, 0
    return END, _unless_cancelled(world, frame, OK)


@compiled
def _keys_count(world: World, keys: int, number: int) -> int:
    if keys in (_PHOTO, _TIMELINE):
        return 1
    page = r.pages(world)[r.arrivals(world)[number].page]
    return page.posts_count if keys == _POSTS else page.authors_count


@compiled
def _key(world: World, keys: int, number: int, place: int) -> int:
    arrival = r.arrivals(world)[number]
    if keys == _PHOTO:
        return arrival.author
    if keys == _TIMELINE:
        return arrival.person
    page = r.pages(world)[arrival.page]
    return r.page_posts(world)[page.posts + place] if keys == _POSTS else r.page_authors(world)[page.authors + place]


@compiled
def _look_up(world: World, frame: int):
    one = r.frames(world)
    step, now = r.instructions(world)[one[frame].instruction], r.clock(world)[0].now
    number, place_of = r.requests(world)[request_of(world, frame)].number, _cache(world, frame)
    low, high, first = np.uint64(0), np.uint64(0), NOBODY
    for place in range(_keys_count(world, step.keys, number)):
        key = _key(world, step.keys, number, place)
        if not stores.lookup(world, place_of, key, now):
            if first < 0:
                first = key
            if place < _WORD:
                low |= _ONE << np.uint64(place)
            else:
                high |= _ONE << np.uint64(place - _WORD)
    if first < 0:
        one[frame].phase = 3
        return ENTER, _child(world, frame, 0)
    cache, slots = r.caches(world)[place_of], r.slots(world)
    slot = cache.slots + first
    if step.coalesce and slots[slot].fetching:
        one[frame].phase = 2
        one[frame].next = NOBODY
        if slots[slot].waiter < 0:
            slots[slot].waiter = frame
        else:
            one[slots[slot].waiter_last].next = frame
        slots[slot].waiter_last = frame
        return WAIT, 0
    one[frame].low, one[frame].high, one[frame].i = low, high, first
    one[frame].phase = 1
    if step.coalesce:
        slots[slot].fetching = 1
    return ENTER, _child(world, frame, 1)


@compiled
def _fetched(world: World, frame: int, ending: int):
    one = r.frames(world)
    step, now = r.instructions(world)[one[frame].instruction], r.clock(world)[0].now
    number, place_of = r.requests(world)[request_of(world, frame)].number, _cache(world, frame)
    if ending == OK:
        for place in range(_keys_count(world, step.keys, number)):
            word = one[frame].low if place < _WORD else one[frame].high
            if (word >> np.uint64(place % _WORD)) & _ONE:
                key = _key(world, step.keys, number, place)
                size = r.arrivals(world)[number].photo_bytes if step.keys == _PHOTO else 1
                stores.keep(world, place_of, key, size, now)
    cache, slots = r.caches(world)[place_of], r.slots(world)
    if step.coalesce:
        slot = cache.slots + one[frame].i
        slots[slot].fetching = 0
        waiter = slots[slot].waiter
        slots[slot].waiter = NOBODY
        while waiter >= 0:
            following = one[waiter].next
            agenda.ready(world, Kind.RESUME, waiter, ending)
            waiter = following
    return END, ending


@compiled
def _lookup(world: World, frame: int, value: int):
    phase = r.frames(world)[frame].phase
    if phase == 0:
        return _look_up(world, frame)
    if phase == 1:
        return _fetched(world, frame, value)
    if phase == 2:
        if value != OK:
            return END, value
        r.frames(world)[frame].phase = 3
        return ENTER, _child(world, frame, 0)
    return END, value


@compiled
def _missed(world: World, frame: int):
    step = r.instructions(world)[r.frames(world)[frame].instruction]
    number = r.requests(world)[request_of(world, frame)].number
    r.caches(world)[_cache(world, frame)].miss_count += _keys_count(world, step.keys, number)
    return END, OK


@compiled
def _fork(world: World, frame: int):
    one = r.frames(world)
    if one[frame].phase == 0:
        step = r.instructions(world)[one[frame].instruction]
        one[frame].phase = 1
        one[frame].i = step.children_count  # still under way
        one[frame].j = OK  # the worst so far
        for place in range(step.children_count):
            agenda.urgent(world, Kind.BRANCH, frame, r.children(world)[step.children + place], 0)
        r.requests(world)[request_of(world, frame)].users += step.children_count
        return WAIT, 0
    return END, _unless_cancelled(world, frame, one[frame].j)


@compiled
def _deadline(world: World, frame: int, value: int):
    one = r.frames(world)
    task = one[frame].task
    if one[frame].phase == 0:
        step = r.instructions(world)[one[frame].instruction]
        one[frame].phase = 1
        one[frame].i = tasks.new_child(world, task)
        one[frame].j = 0  # whether it is over
        r.requests(world)[request_of(world, frame)].users += 1
        agenda.urgent(world, Kind.INNER, frame, r.children(world)[step.children], one[frame].turn)
        agenda.set_timer(world, step.lane, Kind.EXPIRE, frame, one[frame].turn)
        return WAIT, 0
    below = one[frame].i
    if r.tasks(world)[below].cancelled or value != EXPIRED:
        tasks.part(world, below)
    return END, _unless_cancelled(world, frame, value)


@compiled
def expire(world: World, frame: int) -> None:
    """A deadline's time is over."""
    one = r.frames(world)
    if one[frame].j:
        return
    one[frame].j = 1
    agenda.ready(world, Kind.RESUME, frame, EXPIRED)
    if r.instructions(world)[one[frame].instruction].size:
        tasks.cancel(world, one[frame].i)


@compiled
def _rescue(world: World, frame: int, value: int):
    one = r.frames(world)
    phase = one[frame].phase
    one[frame].phase = phase + 1
    if phase == 0:
        return ENTER, _child(world, frame, 0)
    if phase == 1 and value != OK and not r.tasks(world)[one[frame].task].cancelled:
        return ENTER, _child(world, frame, 1)
    return END, value


@compiled
def _breaker(world: World, frame: int, value: int):
    one = r.frames(world)
    family = r.instructions(world)[one[frame].instruction].index
    told = r.breaker_families(world)[family]
    asked = r.requests(world)[request_of(world, frame)]
    row = told.first + asked.region * told.instances + asked.instance % told.instances
    if one[frame].phase == 0:
        if stores.try_breaker(world, row):
            one[frame].phase = 1
            return ENTER, _child(world, frame, 0)
    elif one[frame].phase == 1:
        stores.tell_breaker(world, family, row, value == OK)
        if value == OK or r.tasks(world)[one[frame].task].cancelled:
            return END, value
    else:
        return END, value
    one[frame].phase = 2
    return ENTER, _child(world, frame, 1)


@compiled
def _retry(world: World, frame: int, value: int):
    one, clock, all_tasks = r.frames(world), r.clock(world), r.tasks(world)
    step, task = r.instructions(world)[one[frame].instruction], one[frame].task
    endless = step.size != 0
    if one[frame].phase == 0:
        if not endless:
            clock[0].retry_tokens = stores.earned(clock[0].retry_tokens, clock[0].retry_ratio)
        one[frame].i = all_tasks[task].attempt
        one[frame].j = 1  # this try
        one[frame].phase = 1
        return ENTER, _child(world, frame, 0)
    tried, again = one[frame].j, value != OK and not all_tasks[task].cancelled
    if one[frame].phase == 2:  # the pause is over
        if not (endless and all_tasks[task].cancelled):
            one[frame].phase = 1
            one[frame].j += 1
            all_tasks[task].attempt += 1
            return ENTER, _child(world, frame, 0)
        again, value = False, CANCELLED
    if not again or not (endless or stores.affords(clock[0].retry_tokens, tried, clock[0].retry_attempts)):
        all_tasks[task].attempt = one[frame].i
        return END, _unless_cancelled(world, frame, value) if endless else value
    entity = r.requests(world)[request_of(world, frame)].entity
    one[frame].phase = 2
    if endless:
        uniform = draws.uniform(clock[0].plain_key, entity, step.visit + np.uint64(1 + (tried - 1) % (DRAWS_MAX - 1)))
        agenda.wait(world, stores.pause_seconds(tried, uniform), frame)
    else:
        clock[0].retry_tokens -= 1.0
        uniform = draws.uniform(clock[0].plain_key, entity, step.visit + np.uint64(tried))
        agenda.wait(world, stores.backoff_seconds(clock[0].retry_base, clock[0].retry_cap, tried, uniform), frame)
    return WAIT, 0


@compiled
def _decide(world: World, frame: int, value: int):
    one = r.frames(world)
    if one[frame].phase:
        return END, value
    one[frame].phase = 1
    number = r.requests(world)[request_of(world, frame)].number
    return ENTER, _child(world, frame, 0 if r.arrivals(world)[number].pushes else 1)


@compiled
def _stage(world: World, frame: int, value: int):
    one, clock = r.frames(world), r.clock(world)[0]
    if one[frame].phase == 0:
        one[frame].phase = 1
        one[frame].a = clock.now
        return ENTER, _child(world, frame, 0)
    if clock.counting:
        row = r.instructions(world)[one[frame].instruction].index
        r.stages(world)[row].count += 1
        r.stages(world)[row].seconds += clock.now - one[frame].a
    return END, value


@compiled
def _mark(world: World, frame: int):
    one = r.frames(world)
    task = r.tasks(world)[one[frame].task]
    if not task.cancelled:
        r.requests(world)[task.request].degraded = 1
        if r.clock(world)[0].counting:
            r.reasons(world)[r.instructions(world)[one[frame].instruction].keys] += 1
    return END, OK


@compiled
def _aside(world: World, frame: int):
    request = request_of(world, frame)
    r.requests(world)[request].users += 1
    agenda.urgent(world, Kind.BACKGROUND, request, _child(world, frame, 0), 0)
    return END, OK


@compiled
def _committed(world: World, frame: int):
    at, request = r.frames(world)[frame].instruction, request_of(world, frame)
    one, clock = r.instructions(world)[at], r.clock(world)[0]
    if one.size and one.nodes > 1 and not one.hop:
        r.unreplicated(world)[routing.database(world, at, request) * clock.operations_count + one.keys] += one.size
    if one.home:
        region = routing.region(world, at, request)
        if one.hop:
            failover.followed(world, (region - one.hop) % clock.regions, region, one.keys)
        elif one.size >= 0:
            failover.committed(world, region, one.keys, 1)
    if one.size >= 0:
        r.wrote(world)[r.arrivals(world)[r.requests(world)[request].number].limit_row] = clock.now
    return END, OK


@compiled
def step(world: World, frame: int, value: int):
    """Let one frame go on."""
    at = r.frames(world)[frame].instruction
    one = r.instructions(world)[at]
    op = one.op
    if op == Op.SEQUENCE:
        return _sequence(world, frame, value)
    if op == Op.USE:
        return _use(world, frame, value)
    if op == Op.CALL:
        return _call(world, frame, value)
    if op == Op.RESCUE:
        return _rescue(world, frame, value)
    if op == Op.DEADLINE:
        return _deadline(world, frame, value)
    if op == Op.HOLD:
        return _hold(world, frame, value)
    if op == Op.STAGE:
        return _stage(world, frame, value)
    if op == Op.LOOKUP:
        return _lookup(world, frame, value)
    if op == Op.BREAKER:
        return _breaker(world, frame, value)
    if op == Op.FORK:
        return _fork(world, frame)
    if op == Op.ADMIT:
        return _admit(world, frame, value)
    if op == Op.LIMIT:
        return _limit(world, frame)
    if op == Op.DELAY:
        return _delay(world, frame)
    if op == Op.RETRY:
        return _retry(world, frame, value)
    if op == Op.DECIDE:
        return _decide(world, frame, value)
    if op == Op.EMIT:
        logs.emit(world, one.index, request_of(world, frame), one.size)
        return END, OK
    if op == Op.ASIDE:
        return _aside(world, frame)
    if op == Op.MARK:
        return _mark(world, frame)
    if op == Op.MISSED:
        return _missed(world, frame)
    if op == Op.COMMITTED:
        return _committed(world, frame)
    return END, one.index  # Op.FAIL
