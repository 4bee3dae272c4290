"""Shards: which physical instance holds a logical shard."""

from __future__ import annotations


def physical_of(logical_shard: int, physical_count: int) -> int:
    """Instance of a logical shard: round robin, so any count of instances is evenly filled."""
    return logical_shard % physical_count


def schema_of(logical_shard: int) -> str:
    """PostgreSQL schema of a logical shard."""
    return f"shard_{int(logical_shard)}"
