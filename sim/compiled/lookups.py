"""Look-ups: which keys a step asks a cache for, what misses is brought, one fetch for all who wait."""

from __future__ import annotations

import numpy as np

from sim.compiled import agenda, stores
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.moves import OK, WAIT, cache_of, child_of, end, enter, request_of
from sim.compiled.records import NOBODY, UNASKED, Kind
from sim.model.flow import Keys

#: An enumeration of flows by number, as the tables hold it.
KEYS_CODES = {each: number for number, each in enumerate(Keys)}
_PHOTO = KEYS_CODES[Keys.PHOTO]
_TIMELINE = KEYS_CODES[Keys.TIMELINE]
_POSTS = KEYS_CODES[Keys.POSTS]

#: Which keys of a page were missed is kept as two words of bits.
_ONE = np.uint64(1)
_WORD = 64


@compiled
def _keys_count(world: World, keys: int, arrival: int) -> int:
    if keys in (_PHOTO, _TIMELINE):
        return 1
    page = r.pages(world)[r.arrivals(world)[arrival].page]
    return page.posts_count if keys == _POSTS else page.authors_count


@compiled
def _key(world: World, keys: int, arrival: int, place: int) -> int:
    asked = r.arrivals(world)[arrival]
    if keys == _PHOTO:
        return asked.author
    if keys == _TIMELINE:
        return asked.person
    page = r.pages(world)[asked.page]
    return r.page_posts(world)[page.posts + place] if keys == _POSTS else r.page_authors(world)[page.authors + place]


@compiled
def _look_up(world: World, frame: int) -> int:
    one = r.frames(world)
    step, now = r.instructions(world)[one[frame].instruction], r.clock(world)[0].now
    arrival, place_of = r.requests(world)[request_of(world, frame)].arrival, cache_of(world, frame)
    low, high, first = np.uint64(0), np.uint64(0), NOBODY
    for place in range(_keys_count(world, step.keys, arrival)):
        key = _key(world, step.keys, arrival, place)
        if not stores.lookup(world, place_of, key, now):
            if first < 0:
                first = key
            if place < _WORD:
                low |= _ONE << np.uint64(place)
            else:
                high |= _ONE << np.uint64(place - _WORD)
    if first < 0:
        one[frame].phase = 3
        return enter(child_of(world, frame, 0))
    cache, slots = r.caches(world)[place_of], r.slots(world)
    slot = cache.slots + first
    if step.coalesce and slots[slot].waiter != UNASKED:
        one[frame].phase = 2
        one[frame].next = NOBODY
        if slots[slot].waiter < 0:
            slots[slot].waiter = frame
        else:
            one[slots[slot].waiter_last].next = frame
        slots[slot].waiter_last = frame
        return WAIT
    one[frame].low, one[frame].high, one[frame].i = low, high, first
    one[frame].phase = 1
    if step.coalesce:
        slots[slot].waiter = NOBODY
    return enter(child_of(world, frame, 1))


@compiled
def _fetched(world: World, frame: int, ending: int):
    one = r.frames(world)
    step, now = r.instructions(world)[one[frame].instruction], r.clock(world)[0].now
    arrival, place_of = r.requests(world)[request_of(world, frame)].arrival, cache_of(world, frame)
    if ending == OK:
        for place in range(_keys_count(world, step.keys, arrival)):
            word = one[frame].low if place < _WORD else one[frame].high
            if (word >> np.uint64(place % _WORD)) & _ONE:
                key = _key(world, step.keys, arrival, place)
                size = r.arrivals(world)[arrival].photo_bytes if step.keys == _PHOTO else 1
                stores.keep(world, place_of, key, size, now)
    cache, slots = r.caches(world)[place_of], r.slots(world)
    if step.coalesce:
        slot = cache.slots + one[frame].i
        waiter = slots[slot].waiter
        slots[slot].waiter = UNASKED
        while waiter >= 0:
            following = one[waiter].next
            agenda.ready(world, Kind.RESUME, waiter, ending)
            waiter = following
    return end(ending)


@compiled
def lookup(world: World, frame: int, value: int) -> int:
    phase = r.frames(world)[frame].phase
    if phase == 0:
        return _look_up(world, frame)
    if phase == 1:
        return _fetched(world, frame, value)
    if phase == 2:
        if value != OK:
            return end(value)
        r.frames(world)[frame].phase = 3
        return enter(child_of(world, frame, 0))
    return end(value)


@compiled
def missed(world: World, frame: int) -> int:
    step = r.instructions(world)[r.frames(world)[frame].instruction]
    arrival = r.requests(world)[request_of(world, frame)].arrival
    r.caches(world)[cache_of(world, frame)].miss_count += _keys_count(world, step.keys, arrival)
    return end(OK)
