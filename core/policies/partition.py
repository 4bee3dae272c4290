"""Partitions of the log: which one an event's key goes to, and which member of a consumer group handles it.

Kafka's own rules, as its clients apply them: murmur2 of the key (Kafka's ``DefaultPartitioner``), and the round-robin
assignor over the members of a group. `tests/service/kit/test_partitions.py` checks the broker and the client.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_MASK: Final = (1 << 32) - 1
_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """32 bits of MurmurHash2 (A. Appleby), with the seed that Kafka uses."""
    h = (_SEED ^ len(data)) & _MASK
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M ^ k) & _MASK
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that holds all events of ``key``, in order."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def owner_of(partition: int, members: Sequence[int]) -> int:
    """Which of the group's ``members`` handles a partition; −1 if there is none."""
    return members[partition % len(members)] if members else -1
