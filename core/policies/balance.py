"""Balancing: which instance of a service gets a request. The gateway's rule (HAProxy's ``leastconn``, redispatching).

Of those that take connections, the one with the fewest requests under way; of equals, who has its turn. An instance
that is dead is passed over at once, because a refused connection is tried again elsewhere; one that hangs still takes
connections, keeps what it has under way, and so gets few more.
`tests/stack/test_gateway_policies.py` holds HAProxy to it.
"""

from __future__ import annotations

from collections.abc import Sequence


def least_busy(under_way: Sequence[int], up: Sequence[bool], turn: int) -> int:
    """Place of the instance; the one whose turn it is where none is up."""
    count = len(under_way)
    best = -1
    for offset in range(count):
        place = (turn + offset) % count
        if up[place] and (best < 0 or under_way[place] < under_way[best]):
            best = place
    return best if best >= 0 else turn % count
