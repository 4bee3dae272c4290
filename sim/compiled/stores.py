"""Caches, breakers, retry budgets, rate limits and toxics in compiled code."""

from __future__ import annotations

import math

from core.policies import breaker, hot_key, patience, retry, window
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled, inlined, with_parts
from sim.compiled.records import NOBODY
from sim.model import toxics

# the same functions as the services call
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
def drop(memory: Address, cache: int, slot: int) -> None:
    """Forget the entry of a slot."""
    caches, slots = r.caches(memory), r.slots(memory)
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
def lookup(memory: Address, cache: int, key: int, now: float) -> bool:
    """Whether a key is there; counts it, and makes it the most recently used."""
    caches, slots = r.caches(memory), r.slots(memory)
    slot, newest = caches[cache].slots + key, caches[cache].newest
    if now >= slots[slot].expiry:
        drop(memory, cache, slot)
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
def keep(memory: Address, cache: int, key: int, size_bytes: int, now: float) -> None:
    """Store a key, evicting what was not used for longest; what is larger than the whole is not kept."""
    caches, slots = r.caches(memory), r.slots(memory)
    slot = caches[cache].slots + key
    drop(memory, cache, slot)
    if size_bytes > caches[cache].capacity:
        return
    while caches[cache].used + size_bytes > caches[cache].capacity:
        drop(memory, cache, caches[cache].oldest)
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
def clear(memory: Address, cache: int) -> None:
    """Forget everything."""
    caches = r.caches(memory)
    while caches[cache].oldest >= 0:
        drop(memory, cache, caches[cache].oldest)


# --- breakers and budgets ---------------------------------------------------------------------------------------------


@compiled
def try_breaker(memory: Address, row: int) -> bool:
    """Whether a call may go out; if so, the breaker counts it as sent."""
    clock, breakers = r.clock(memory)[0], r.breakers(memory)
    if not allows(breakers[row].state, breakers[row].opened_at, clock.breaker_open_seconds, clock.now):
        return False
    if breakers[row].state == _OPEN:
        breakers[row].state = _HALF_OPEN
    return True


@compiled
def record_outcome(memory: Address, family: int, row: int, succeeded: bool) -> None:
    """Record in the breaker how a call has ended."""
    clock, breakers = r.clock(memory)[0], r.breakers(memory)
    if succeeded:
        breakers[row].state = _CLOSED
        breakers[row].failures = 0
        breakers[row].opened_at = 0.0
        return
    was_open = breakers[row].state == _OPEN
    breakers[row].failures += 1
    if opens(breakers[row].state, breakers[row].failures, clock.breaker_failures):
        breakers[row].state = _OPEN
        breakers[row].opened_at = clock.now
        if not was_open:
            r.breaker_families(memory)[family].opened_count += 1


# --- counters of posts: `sim.reference.counters` ----------------------------------------------------------------------


@compiled
def written(memory: Address, row: int) -> None:
    """Count one write of a post's counter."""
    clock, counters = r.clock(memory), r.counters(memory)
    if counters[row].keys == 0:
        counters[row].keys = 1
        counters[row].written = clock[0].now
    counters[row].rate = rate_after(counters[row].rate, clock[0].now - counters[row].written)
    counters[row].written = clock[0].now
    keys = keys_for(counters[row].rate, counters[row].keys, clock[0].hot_per_second, clock[0].hot_keys_max)
    clock[0].splits += keys > counters[row].keys
    clock[0].folds += keys < counters[row].keys
    counters[row].keys = keys


# --- rate limits ------------------------------------------------------------------------------------------------------


@compiled
def limited(memory: Address, entry: int, row: int) -> bool:
    """Whether the person of ``row`` has been let through too often in the window that is open."""
    clock, entry_row = r.clock(memory)[0], r.entries(memory)[entry]
    began, counts = r.windows_began(memory), r.windows_count(memory)
    index = row * clock.limits_count + entry_row.limit_index
    if window_begins(clock.now, began[index], entry_row.limit_seconds):
        began[index], counts[index] = clock.now, 0
    if not window_passes(counts[index], entry_row.limit_quota):
        return True
    counts[index] += 1
    return False


# --- toxics -----------------------------------------------------------------------------------------------------------


@compiled
def cut(memory: Address, link: int) -> bool:
    """Whether a call now finds the connection refused or cut."""
    link_row = r.links(memory)[link]
    return _cut(r.toxics(memory), link_row.toxics, link_row.toxics_count)


@compiled
def send(memory: Address, link: int, sent_bytes: int) -> tuple[float, bool]:
    """As `sim.model.toxics.send`."""
    link_row, now = r.links(memory)[link], r.clock(memory)[0].now
    return _send(r.toxics(memory), link_row.toxics, link_row.toxics_count, now, sent_bytes)


@compiled
def answer(
    memory: Address, link: int, trips: float, answer_bytes: int, uniform: float, died: bool
) -> tuple[float, bool]:
    """As `sim.model.toxics.answer`."""
    link_row, now = r.links(memory)[link], r.clock(memory)[0].now
    return _answer(r.toxics(memory), link_row.toxics, link_row.toxics_count, now, trips, answer_bytes, uniform, died)
