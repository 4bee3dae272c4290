"""Replicas: which node of a database answers a read, and which one replaces a dead primary.

Nodes are numbered by role: 0 is the primary, 1 … n its replicas in a fixed order. Bit k of ``up`` is set while the node
in role k is up. Everything is plain numbers, so that the model's compiled engine uses the same functions.
"""

from __future__ import annotations


def reads_from(*, replicas: int, up: int, turn: int, wrote_seconds_ago: float, own_writes_seconds: float) -> int:
    """Role of the node that answers a read. The replicas take turns. A client that wrote within ``own_writes_seconds``
    reads from the primary, so that it sees its own write; while the primary is down even that client reads from a
    replica. With no replica up, all reads go to the primary.
    """
    if up & 1 and wrote_seconds_ago < own_writes_seconds:
        return 0
    for offset in range(replicas):
        role = 1 + (turn + offset) % replicas
        if up >> role & 1:
            return role
    return 0


def successor(*, replicas: int, up: int) -> int:
    """Role of the replica that replaces a dead primary: the first one that is up; −1 where none is."""
    for role in range(1, replicas + 1):
        if up >> role & 1:
            return role
    return -1
