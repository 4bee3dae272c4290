"""Shards: the physical instance of a logical shard, and the node of a Redis Cluster that holds a key."""

from __future__ import annotations

import binascii
from typing import Final

#: Slots of a Redis Cluster; each node holds a range of them.
SLOTS: Final = 16_384


def physical_of(logical_shard: int, physical_count: int) -> int:
    """Instance of a logical shard: round robin, so that any number of instances is filled evenly."""
    return logical_shard % physical_count


def schema_of(logical_shard: int) -> str:
    """PostgreSQL schema of a logical shard; only integers are accepted, so it is safe in a statement."""
    if not isinstance(logical_shard, int) or logical_shard < 0:
        raise ValueError(f"not a logical shard: {logical_shard!r}")
    return f"shard_{logical_shard}"


def node_of_key(key: str, nodes: int) -> int:
    """Node of a Redis Cluster that holds ``key``: its CRC-16 (XMODEM) gives the slot, ranges of slots the node.

    Node k's range ends before slot k + 1 times 16,384 / ``nodes``, rounded, as in `redis-cli --cluster create`. Our
    keys contain no braces; otherwise Redis would hash only the part between them.
    """
    slot = binascii.crc_hqx(key.encode(), 0) % SLOTS
    return (2 * slot + 1) * nodes // (2 * SLOTS)
