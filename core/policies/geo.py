"""Geo-routing: which region serves the people of a home region, and holds the writable copy of their data.

The home region while it is up; if it is lost, the nearest one that is up. Regions are numbered in the scenario's order;
bit k of ``up`` is set while region k is up. Plain numbers, so that the model's compiled engine uses the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence


def serving(home: int, up: int, rtt_seconds: Sequence[float]) -> int:
    """Number of the region that serves, or of home if every region is lost; ``rtt_seconds`` are measured from home."""
    if up >> home & 1:
        return home
    best = -1
    for region in range(len(rtt_seconds)):
        if up >> region & 1 and (best < 0 or rtt_seconds[region] < rtt_seconds[best]):
            best = region
    return best if best >= 0 else home
