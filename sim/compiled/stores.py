"""Caches, breakers, retry budgets, rate limits and toxics in compiled code: everything else that has a state."""

from __future__ import annotations

import math

from core.policies import breaker, hot_key, patience, retry, window
from sim.compiled import records as r
from sim.compiled.jit import World, compiled, inlined, with_parts
from sim.compiled.records import NOBODY
from sim.model import toxics

# the very rules that the services follow
allows = compiled(breaker.allows)
opens = compiled(breaker.opens)
earned = compiled(retry.earned)
affords = compiled(retry.affords)
backoff_seconds = compiled(retry.wait_seconds)
pause_seconds = compiled(patience.pause_seconds)
rate_after = compiled(hot_key.rate_after)
keys_for = compiled(hot_key.keys_for)
node_of = compiled(hot_key.node_of)
_cut = inlined(toxics.cut)
_prepared = {"cut": _cut, "apart_seconds": compiled(toxics.apart_seconds), "independent": compiled(toxics.independent)}
_send = inlined(with_parts(toxics.send, _prepared))
_answer = inlined(with_parts(toxics.answer, _prepared))
window_begins = compiled(window.begins)
window_passes = compiled(window.passes)

_CLOSED = int(breaker.BreakerState.CLOSED)
_OPEN = int(breaker.BreakerState.OPEN)
_HALF_OPEN = int(breaker.BreakerState.HALF_OPEN)

_NOT_HELD = -math.inf


# --- caches: `sim.model.caches.Cache`, with a row for every possible key ----------------------------------------------


@inlined
def drop(world: World, cache: int, slot: int) -> None:
    """Forget what stands in a slot."""
    caches, slots = r.caches(world), r.slots(world)
    if slots[slot].expiry == _NOT_HELD:
        return
    older, newer = slots[slot].older, slots[slot].newer
    if older < 0:
        caches[cache].oldest = newer
    else:
        slots[older].newer = newer
    if newer < 0:
        caches[cache].newest = older
    else:
        slots[newer].older = older
    slots[slot].expiry = _NOT_HELD
    caches[cache].used -= slots[slot].size


@inlined
def lookup(world: World, cache: int, key: int, now: float) -> bool:
    """Whether a key is there; counts it, and makes it the most recently used."""
    caches, slots = r.caches(world), r.slots(world)
    slot, newest = caches[cache].slots + key, caches[cache].newest
    if now >= slots[slot].expiry:
        drop(world, cache, slot)
        caches[cache].miss_count += 1
        return False
    caches[cache].hit_count += 1
    if slot != newest:
        older, newer = slots[slot].older, slots[slot].newer
        slots[slot].older = newest
        slots[slot].newer = NOBODY
        slots[newest].newer = slot
        caches[cache].newest = slot
        slots[newer].older = older
        if older < 0:
            caches[cache].oldest = newer
        else:
            slots[older].newer = newer
    return True


@inlined
def keep(world: World, cache: int, key: int, size_bytes: int, now: float) -> None:
    """Store a key, evicting what was not used for longest; what is larger than the whole is not kept."""
    caches, slots = r.caches(world), r.slots(world)
    slot = caches[cache].slots + key
    drop(world, cache, slot)
    if size_bytes > caches[cache].capacity:
        return
    while caches[cache].used + size_bytes > caches[cache].capacity:
        drop(world, cache, caches[cache].oldest)
    newest = caches[cache].newest
    slots[slot].size = size_bytes
    slots[slot].expiry = now + caches[cache].ttl
    slots[slot].older = newest
    slots[slot].newer = NOBODY
    if newest < 0:
        caches[cache].oldest = slot
    else:
        slots[newest].newer = slot
    caches[cache].newest = slot
    caches[cache].used += size_bytes


@compiled
def clear(world: World, cache: int) -> None:
    """Forget everything."""
    caches = r.caches(world)
    while caches[cache].oldest >= 0:
        drop(world, cache, caches[cache].oldest)


# --- breakers and budgets ---------------------------------------------------------------------------------------------


@compiled
def try_breaker(world: World, row: int) -> bool:
    """Whether a call may go out; it is then on its way."""
    clock, one = r.clock(world)[0], r.breakers(world)
    if not allows(one[row].state, one[row].opened_at, clock.breaker_open_seconds, clock.now):
        return False
    if one[row].state == _OPEN:
        one[row].state = _HALF_OPEN
    return True


@compiled
def tell_breaker(world: World, family: int, row: int, succeeded: bool) -> None:
    """How a call has ended."""
    clock, one = r.clock(world)[0], r.breakers(world)
    if succeeded:
        one[row].state = _CLOSED
        one[row].failures = 0
        one[row].opened_at = 0.0
        return
    was_open = one[row].state == _OPEN
    one[row].failures += 1
    if opens(one[row].state, one[row].failures, clock.breaker_failures):
        one[row].state = _OPEN
        one[row].opened_at = clock.now
        if not was_open:
            r.breaker_families(world)[family].opened_count += 1


# --- counters of posts: `sim.reference.counters` ----------------------------------------------------------------------


@compiled
def written(world: World, row: int) -> None:
    """One more write of a post's counter."""
    clock, one = r.clock(world), r.counters(world)
    if one[row].keys == 0:
        one[row].keys = 1
        one[row].written = clock[0].now
    one[row].rate = rate_after(one[row].rate, clock[0].now - one[row].written)
    one[row].written = clock[0].now
    keys = keys_for(one[row].rate, one[row].keys, clock[0].hot_per_second, clock[0].hot_keys_max)
    clock[0].splits += keys > one[row].keys
    clock[0].folds += keys < one[row].keys
    one[row].keys = keys


# --- rate limits ------------------------------------------------------------------------------------------------------


@compiled
def limited(world: World, entry: int, row: int) -> bool:
    """Whether the person of ``row`` has been let through too often in the window that is open."""
    clock, one = r.clock(world)[0], r.entries(world)[entry]
    began, counts = r.windows_began(world), r.windows_count(world)
    place = row * clock.limits_count + one.limit_place
    if window_begins(clock.now, began[place], one.limit_seconds):
        began[place], counts[place] = clock.now, 0
    if not window_passes(counts[place], one.limit_quota):
        return True
    counts[place] += 1
    return False


# --- toxics -----------------------------------------------------------------------------------------------------------


@compiled
def cut(world: World, link: int) -> bool:
    """Whether a call now finds the connection refused or cut."""
    one = r.links(world)[link]
    return _cut(r.toxics(world), one.faults, one.faults_count)


@compiled
def send(world: World, link: int, sent_bytes: int) -> tuple[float, bool]:
    """As `sim.model.toxics.send`."""
    one, now = r.links(world)[link], r.clock(world)[0].now
    return _send(r.toxics(world), one.faults, one.faults_count, now, sent_bytes)


@compiled
def answer(world: World, link: int, trips: float, answer_bytes: int, uniform: float, died: bool) -> tuple[float, bool]:
    """As `sim.model.toxics.answer`."""
    one, now = r.links(world)[link], r.clock(world)[0].now
    return _answer(r.toxics(world), one.faults, one.faults_count, now, trips, answer_bytes, uniform, died)
