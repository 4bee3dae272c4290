"""Which source is due next: a lane, whose first timer rings, or a core, whose job ends or whose queue is looked at.

The sources are in a tournament tree: each inner node of a binary tree holds the earlier of the two sources below it.
When the time of a source changes, only the nodes above it are compared again; the root holds the source that is due
first. The rows of lanes come first, then those of cores.
"""

from __future__ import annotations

from sim.compiled import records as r
from sim.compiled.jit import Address, compiled


@compiled
def put(memory: Address, source: int, time: float, seq: int) -> None:
    """Record when a source is due; infinity means never."""
    dues, nodes = r.dues(memory), r.nodes(memory)
    dues[source].time = time
    dues[source].seq = seq
    first, node = source, r.clock(memory)[0].dues_max + source
    while node > 1:
        other = nodes[node ^ 1]
        if dues[other].time < time or (dues[other].time == time and dues[other].seq < seq):
            first, time, seq = other, dues[other].time, dues[other].seq
        node >>= 1
        if nodes[node] == first and first != source:
            return  # the source that was ahead still is
        nodes[node] = first


@compiled
def soonest(memory: Address) -> int:
    """The source that is due first."""
    return r.nodes(memory)[1]
