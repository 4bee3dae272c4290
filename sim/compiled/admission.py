"""The limit of a component's requests under way, in compiled code: `sim.reference.station.AdmissionPool`."""

from __future__ import annotations

import math
from typing import Any

from core.policies import admission
from sim.compiled import pools
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled

_admits: Any = compiled(admission.admits)
_is_over: Any = compiled(admission.is_over)
_INTERVAL_SECONDS = admission.INTERVAL_SECONDS
_limit_after: Any = compiled(admission.limit_after)


@compiled
def admits(memory: Address, pool: int, urgent: int) -> bool:
    """Whether one more request finds room."""
    pool_row = r.pools(memory)[pool]
    if pools.full(memory, pool):
        return False
    return not pool_row.adaptive or _admits(pool_row.taken, int(pool_row.limit), urgent != 0)


@compiled
def began(memory: Address, pool: int, since: float) -> None:
    """Take account of a request that the component begins now and that has waited since then."""
    rows, now = r.pools(memory), r.clock(memory)[0].now
    rows[pool].shortest = min(rows[pool].shortest, now - since)
    rows[pool].begun += 1
    rows[pool].most = max(rows[pool].most, rows[pool].taken)
    if _is_over(now, rows[pool].until, rows[pool].begun):
        rows[pool].limit = _limit_after(rows[pool].limit, rows[pool].shortest, rows[pool].most, rows[pool].size)
        rows[pool].until = now + _INTERVAL_SECONDS
        rows[pool].shortest, rows[pool].begun, rows[pool].most = math.inf, 0, rows[pool].taken
