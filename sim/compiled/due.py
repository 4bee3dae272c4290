"""What is due next of what holds its own time: hosts, whose next job ends, and lanes, whose first timer rings.

A tournament: a number for each inner node of a binary tree, which of the two below it comes first. Whose time changes
plays its way up once more, over the logarithm of their number; who comes first of all stands at the top, and is looked
at, not looked for. The rows of lanes come first, then those of hosts.
"""

from __future__ import annotations

from sim.compiled import records as r
from sim.compiled.jit import World, compiled


@compiled
def put(world: World, source: int, time: float, seq: int) -> None:
    """Say when a source is due: never is infinity."""
    dues, nodes = r.dues(world), r.nodes(world)
    dues[source].time = time
    dues[source].seq = seq
    first, node = source, r.clock(world)[0].dues_max + source
    while node > 1:
        other = nodes[node ^ 1]
        if dues[other].time < time or (dues[other].time == time and dues[other].seq < seq):
            first, time, seq = other, dues[other].time, dues[other].seq
        node >>= 1
        if nodes[node] == first and first != source:
            return  # who was ahead of it still is
        nodes[node] = first


@compiled
def soonest(world: World) -> int:
    """The source that is due first."""
    return r.nodes(world)[1]
