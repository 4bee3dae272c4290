"""Pools in compiled code: `sim.reference.station.BoundedPool`. Claims that were given up are skipped in their turn."""

from __future__ import annotations

from sim.compiled import agenda, tallies
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.records import NOBODY, EventKind, TableId


@compiled
def full(memory: Address, pool: int) -> bool:
    """Whether a claim would have to wait."""
    pool_row = r.pools(memory)[pool]
    return pool_row.taken >= pool_row.size


@compiled
def _grant(memory: Address, pool: int, row: int) -> None:
    claims = r.claims(memory)
    claims[row].held = 1
    r.pools(memory)[pool].taken += 1
    agenda.ready(memory, EventKind.RESUME, claims[row].frame, 1)


@compiled
def claim(memory: Address, pool: int, frame: int, task: int) -> int:
    """Claim a slot; the frame is resumed when it is granted, or when the claim is given back before."""
    pools, claims = r.pools(memory), r.claims(memory)
    row = agenda.take(memory, TableId.CLAIMS, claims)
    claims[row].entered = r.clock(memory)[0].now
    claims[row].pool = pool
    claims[row].frame = frame
    claims[row].task = task
    claims[row].held = 0
    claims[row].over = 0
    claims[row].queued = 0
    claims[row].next = NOBODY
    tallies.came(memory, pools[pool].tally)
    if full(memory, pool):
        claims[row].queued = 1
        if pools[pool].first < 0:
            pools[pool].first = row
        else:
            claims[pools[pool].last].next = row
        pools[pool].last = row
        pools[pool].waiting_count += 1
    else:
        _grant(memory, pool, row)
    return row


@compiled
def _free(memory: Address, row: int) -> None:
    agenda.give_back(memory, TableId.CLAIMS, r.claims(memory), row)


@compiled
def give_back(memory: Address, row: int) -> None:
    """End a claim, whether it holds a slot or still waits."""
    pools, claims = r.pools(memory), r.claims(memory)
    pool = claims[row].pool
    claims[row].over = 1
    tallies.left(memory, pools[pool].tally, claims[row].entered)
    if not claims[row].held:
        pools[pool].waiting_count -= 1
        agenda.ready(memory, EventKind.RESUME, claims[row].frame, 0)
        return  # it stays in the queue until its turn comes
    pools[pool].taken -= 1
    _free(memory, row)
    while pools[pool].first >= 0 and not full(memory, pool):
        following = pools[pool].first
        pools[pool].first = claims[following].next
        claims[following].queued = 0
        if claims[following].over:
            _free(memory, following)
        else:
            pools[pool].waiting_count -= 1
            _grant(memory, pool, following)


@compiled
def keep(memory: Address, task: int, row: int) -> None:
    """Record that a task has a claim, so that it is given back when the task is cancelled."""
    tasks, claims = r.tasks(memory), r.claims(memory)
    claims[row].later = NOBODY
    claims[row].sooner = tasks[task].claim_last
    if tasks[task].claim_last < 0:
        tasks[task].claim = row
    else:
        claims[tasks[task].claim_last].later = row
    tasks[task].claim_last = row


@compiled
def forget(memory: Address, task: int, row: int) -> None:
    """Record that a task no longer has a claim."""
    tasks, claims = r.tasks(memory), r.claims(memory)
    sooner, later = claims[row].sooner, claims[row].later
    if sooner < 0:
        tasks[task].claim = later
    else:
        claims[sooner].later = later
    if later < 0:
        tasks[task].claim_last = sooner
    else:
        claims[later].sooner = sooner
