"""Geo-routing: which region serves the people of a home region, and holds the writable copy of their data.

The home region while it is up; if it is lost, the nearest one that is up. Regions are places in the scenario's order,
``up`` has bit k set while region k is. Plain numbers, so that the model's compiled engine compiles these very lines.
"""

from __future__ import annotations

from collections.abc import Sequence


def serving(home: int, up: int, rtt_seconds: Sequence[float]) -> int:
    """Place of the region that serves; ``rtt_seconds`` are those from home. Home where every region is lost."""
    if up >> home & 1:
        return home
    best = -1
    for place in range(len(rtt_seconds)):
        if up >> place & 1 and (best < 0 or rtt_seconds[place] < rtt_seconds[best]):
            best = place
    return best if best >= 0 else home
