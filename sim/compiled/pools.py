"""Pools in compiled code: `sim.reference.station.Pool`, row by row. A claim that was given up is passed over in its
turn."""

from __future__ import annotations

from sim.compiled import agenda, tallies
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.records import NOBODY, Free, Kind


@compiled
def full(world: World, pool: int) -> bool:
    """Whether a claim would have to wait."""
    one = r.pools(world)[pool]
    return one.taken >= one.size


@compiled
def _grant(world: World, pool: int, row: int) -> None:
    claims = r.claims(world)
    claims[row].held = 1
    r.pools(world)[pool].taken += 1
    agenda.ready(world, Kind.RESUME, claims[row].frame, 1)


@compiled
def claim(world: World, pool: int, frame: int, task: int) -> int:
    """Ask for a place; the frame goes on when it is granted, or when the claim is given back before."""
    pools, claims = r.pools(world), r.claims(world)
    free = r.frees(world)[Free.CLAIMS].first
    row = agenda.take(world, Free.CLAIMS, claims[free].next)
    claims[row].entered = r.clock(world)[0].now
    claims[row].pool = pool
    claims[row].frame = frame
    claims[row].task = task
    claims[row].held = 0
    claims[row].over = 0
    claims[row].queued = 0
    claims[row].next = NOBODY
    tallies.came(world, pools[pool].tally)
    if full(world, pool):
        claims[row].queued = 1
        if pools[pool].first < 0:
            pools[pool].first = row
        else:
            claims[pools[pool].last].next = row
        pools[pool].last = row
        pools[pool].waiting_count += 1
    else:
        _grant(world, pool, row)
    return row


@compiled
def _free(world: World, row: int) -> None:
    r.claims(world)[row].next = agenda.give_back(world, Free.CLAIMS, row)


@compiled
def give_back(world: World, row: int) -> None:
    """End a claim, whether it holds a place or still waits."""
    pools, claims = r.pools(world), r.claims(world)
    pool = claims[row].pool
    claims[row].over = 1
    tallies.left(world, pools[pool].tally, claims[row].entered)
    if not claims[row].held:
        pools[pool].waiting_count -= 1
        agenda.ready(world, Kind.RESUME, claims[row].frame, 0)
        return  # it stays in the queue until its turn comes
    pools[pool].taken -= 1
    _free(world, row)
    while pools[pool].first >= 0 and not full(world, pool):
        following = pools[pool].first
        pools[pool].first = claims[following].next
        claims[following].queued = 0
        if claims[following].over:
            _free(world, following)
        else:
            pools[pool].waiting_count -= 1
            _grant(world, pool, following)


@compiled
def keep(world: World, task: int, row: int) -> None:
    """Note that a task has a claim, so that it is given back when the task is cancelled."""
    tasks, claims = r.tasks(world), r.claims(world)
    claims[row].later = NOBODY
    claims[row].sooner = tasks[task].claim_last
    if tasks[task].claim_last < 0:
        tasks[task].claim = row
    else:
        claims[tasks[task].claim_last].later = row
    tasks[task].claim_last = row


@compiled
def forget(world: World, task: int, row: int) -> None:
    """Note that it no longer has it."""
    tasks, claims = r.tasks(world), r.claims(world)
    sooner, later = claims[row].sooner, claims[row].later
    if sooner < 0:
        tasks[task].claim = later
    else:
        claims[sooner].later = later
    if later < 0:
        tasks[task].claim_last = sooner
    else:
        claims[later].sooner = sooner
