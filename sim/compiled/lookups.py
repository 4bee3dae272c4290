"""Look-ups in caches: the keys of a step, the fetch of those that miss, and waiting for another frame's fetch."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from sim.compiled import agenda, stores
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.moves import OK, WAIT, cache_of, child_of, end, enter, request_of
from sim.compiled.records import NOBODY, UNASKED, EventKind
from sim.model.flow import Keys

#: An enumeration of flows by number, as the tables hold it.
KEYS_CODES = {each: number for number, each in enumerate(Keys)}
_PHOTO = KEYS_CODES[Keys.PHOTO]
_TIMELINE = KEYS_CODES[Keys.TIMELINE]
_POSTS = KEYS_CODES[Keys.POSTS]

#: The keys of a page that missed are kept as two words of bits.
_ONE = np.uint64(1)
_WORD = 64


class LookupPhase(IntEnum):
    """Progress of a look-up."""

    BEGIN = 0
    FETCHING = 1  # this frame fetches what is missing
    WAITING = 2  # another frame fetches it
    FOUND = 3


@compiled
def _keys_count(memory: Address, keys: int, arrival: int) -> int:
    if keys in (_PHOTO, _TIMELINE):
        return 1
    page = r.pages(memory)[r.arrivals(memory)[arrival].page]
    return page.posts_count if keys == _POSTS else page.authors_count


@compiled
def _key(memory: Address, keys: int, arrival: int, index: int) -> int:
    asked = r.arrivals(memory)[arrival]
    if keys == _PHOTO:
        return asked.author
    if keys == _TIMELINE:
        return asked.person
    page = r.pages(memory)[asked.page]
    return r.page_posts(memory)[page.posts + index] if keys == _POSTS else r.page_authors(memory)[page.authors + index]


@compiled
def _look_up(memory: Address, frame: int) -> int:
    frames = r.frames(memory)
    step, now = r.instructions(memory)[frames[frame].instruction], r.clock(memory)[0].now
    arrival, cache_index = r.requests(memory)[request_of(memory, frame)].arrival, cache_of(memory, frame)
    low, high, first = np.uint64(0), np.uint64(0), NOBODY
    for index in range(_keys_count(memory, step.keys, arrival)):
        key = _key(memory, step.keys, arrival, index)
        if not stores.lookup(memory, cache_index, key, now):
            if first < 0:
                first = key
            if index < _WORD:
                low |= _ONE << np.uint64(index)
            else:
                high |= _ONE << np.uint64(index - _WORD)
    if first < 0:
        frames[frame].phase = LookupPhase.FOUND
        return enter(child_of(memory, frame, 0))
    cache, slots = r.caches(memory)[cache_index], r.slots(memory)
    slot = cache.slots + first
    if step.coalesce and slots[slot].waiter != UNASKED:
        frames[frame].phase = LookupPhase.WAITING
        frames[frame].next = NOBODY
        if slots[slot].waiter < 0:
            slots[slot].waiter = frame
        else:
            frames[slots[slot].waiter_last].next = frame
        slots[slot].waiter_last = frame
        return WAIT
    frames[frame].low, frames[frame].high, frames[frame].i = low, high, first
    frames[frame].phase = LookupPhase.FETCHING
    if step.coalesce:
        slots[slot].waiter = NOBODY
    return enter(child_of(memory, frame, 1))


@compiled
def _fetched(memory: Address, frame: int, ending: int) -> int:
    frames = r.frames(memory)
    step, now = r.instructions(memory)[frames[frame].instruction], r.clock(memory)[0].now
    arrival, cache_index = r.requests(memory)[request_of(memory, frame)].arrival, cache_of(memory, frame)
    if ending == OK:
        for index in range(_keys_count(memory, step.keys, arrival)):
            word = frames[frame].low if index < _WORD else frames[frame].high
            if (word >> np.uint64(index % _WORD)) & _ONE:
                key = _key(memory, step.keys, arrival, index)
                size = r.arrivals(memory)[arrival].photo_bytes if step.keys == _PHOTO else 1
                stores.keep(memory, cache_index, key, size, now)
    cache, slots = r.caches(memory)[cache_index], r.slots(memory)
    if step.coalesce:
        slot = cache.slots + frames[frame].i
        waiter = slots[slot].waiter
        slots[slot].waiter = UNASKED
        while waiter >= 0:
            following = frames[waiter].next
            agenda.ready(memory, EventKind.RESUME, waiter, ending)
            waiter = following
    return end(ending)


@compiled
def lookup(memory: Address, frame: int, value: int) -> int:
    phase = r.frames(memory)[frame].phase
    if phase == LookupPhase.BEGIN:
        return _look_up(memory, frame)
    if phase == LookupPhase.FETCHING:
        return _fetched(memory, frame, value)
    if phase == LookupPhase.WAITING:
        if value != OK:
            return end(value)
        r.frames(memory)[frame].phase = LookupPhase.FOUND
        return enter(child_of(memory, frame, 0))
    return end(value)


@compiled
def missed(memory: Address, frame: int) -> int:
    step = r.instructions(memory)[r.frames(memory)[frame].instruction]
    arrival = r.requests(memory)[request_of(memory, frame)].arrival
    r.caches(memory)[cache_of(memory, frame)].miss_count += _keys_count(memory, step.keys, arrival)
    return end(OK)
