"""Load balancing: which instance of a service gets a request. The gateway's rule (HAProxy's ``leastconn``, redispatch).

Of the instances that accept connections, the one with the fewest requests in progress gets it; ties go round robin. A
dead instance is skipped at once, because a refused connection is retried elsewhere. A hanging one still accepts
connections, but its requests stay in progress, so it gets few new ones.
`tests/stack/test_gateway_policies.py` checks HAProxy against this rule.
"""

from __future__ import annotations

from collections.abc import Sequence


def least_busy(under_way: Sequence[int], up: Sequence[bool], turn: int) -> int:
    """Index of the instance; the one whose turn it is if none is up."""
    count = len(under_way)
    best = -1
    for offset in range(count):
        index = (turn + offset) % count
        if up[index] and (best < 0 or under_way[index] < under_way[best]):
            best = index
    return best if best >= 0 else turn % count
