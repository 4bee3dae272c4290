"""Shards: the physical instance of a logical shard, and the node of a Redis Cluster that holds a key."""

from __future__ import annotations

import binascii
from typing import Final

#: Slots of a Redis Cluster; each node holds a range of them.
SLOTS: Final = 16_384


def physical_of(logical_shard: int, physical_count: int) -> int:
    """Instance of a logical shard: round robin, so any count of instances is evenly filled."""
    return logical_shard % physical_count


def schema_of(logical_shard: int) -> str:
    """PostgreSQL schema of a logical shard; only integers come in, so it is safe in a statement."""
    if not isinstance(logical_shard, int) or logical_shard < 0:
        raise ValueError(f"{logical_shard!r} is not a shard")
    return f"shard_{logical_shard}"


def node_of_key(key: str, nodes: int) -> int:
    """Node of a Redis Cluster that holds ``key``: CRC-16 (XMODEM) of it by slots, slots by ranges.

    Node k's range ends before slot k + 1 times 16,384 / ``nodes``, rounded, as `redis-cli --cluster create` deals them.
    No key of ours has braces, of which Redis would hash only what is between them.
    """
    slot = binascii.crc_hqx(key.encode(), 0) % SLOTS
    return (2 * slot + 1) * nodes // (2 * SLOTS)
