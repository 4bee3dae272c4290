"""Caches with content: the least recently used entry is evicted first; entries have a time to live and a size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from core.names import Cache as Name
from core.names import Key
from core.policies.shard import node_of_key

_KEYS: Final[Mapping[str, str]] = {
    Name.TIMELINE: Key.TIMELINE,
    Name.POST_CARD: Key.POST_CARD,
    Name.AUTHOR_CARD: Key.AUTHOR_CARD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The entries of a cache, the least recently used first: three columns of one length."""

    keys: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]  # bytes
    expiries: npt.NDArray[np.float64]  # seconds from t0

    def __len__(self) -> int:
        return len(self.keys)


class LruCache:
    """An LRU cache with a time to live. Keys are integers; times are the caller's clock."""

    def __init__(self, *, name: str, capacity_bytes: float, ttl_seconds: float = math.inf):
        self.name, self.capacity_bytes, self.ttl_seconds = name, capacity_bytes, ttl_seconds
        self.hit_count = 0
        self.miss_count = 0
        self.used_bytes = 0
        self._entries: dict[int, tuple[int, float]] = {}  # key → (bytes, expiry), the least recently used first

    def __len__(self) -> int:
        return len(self._entries)

    def held(self) -> Held:
        """The entries, the least recently used first."""
        count, entries = len(self._entries), self._entries.values()
        keys, alike = np.fromiter(self._entries, dtype=np.int64, count=count), set(entries)
        if len(alike) == 1:  # as `fill` leaves it
            size, expiry = alike.pop()
            return Held(keys=keys, sizes=np.full(count, size), expiries=np.full(count, expiry))
        sizes = np.fromiter((size for size, _ in entries), dtype=np.int64, count=count)
        expiries = np.fromiter((expiry for _, expiry in entries), dtype=np.float64, count=count)
        return Held(keys=keys, sizes=sizes, expiries=expiries)

    def hold(self, held: Held) -> None:
        """Fill an empty cache with the entries of another."""
        self._entries = dict(
            zip(held.keys.tolist(), zip(held.sizes.tolist(), held.expiries.tolist(), strict=True), strict=True)
        )
        self.used_bytes = int(held.sizes.sum())

    def lookup(self, key: int, *, now: float) -> bool:
        """Whether ``key`` is present; counts a hit or miss, and makes the key the most recently used."""
        entry = self._entries.pop(key, None)
        if entry is not None and now < entry[1]:
            self._entries[key] = entry
            self.hit_count += 1
            return True
        if entry is not None:
            self.used_bytes -= entry[0]
        self.miss_count += 1
        return False

    def keep(self, key: int, *, size_bytes: int, now: float) -> None:
        """Store ``key`` and evict the least recently used entries; an entry larger than the cache is not stored."""
        self.drop(key)
        if size_bytes > self.capacity_bytes:
            return
        while self.used_bytes + size_bytes > self.capacity_bytes:
            oldest = next(iter(self._entries))
            self.drop(oldest)
        self._entries[key] = (size_bytes, now + self.ttl_seconds)
        self.used_bytes += size_bytes

    def fill(self, keys: npt.NDArray[np.int64], *, size_bytes: int, now: float) -> None:
        """`keep` many keys of one size, one after another, in an empty cache."""
        if size_bytes > self.capacity_bytes:
            return
        kept = keys if self.capacity_bytes == math.inf else keys[-int(self.capacity_bytes // size_bytes) :]
        self._entries = dict.fromkeys(kept.tolist(), (size_bytes, now + self.ttl_seconds))
        self.used_bytes = size_bytes * len(self._entries)

    def drop(self, key: int) -> None:
        """Remove ``key``."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.used_bytes -= entry[0]

    def clear(self) -> None:
        """Remove everything, as a restart does."""
        self._entries.clear()
        self.used_bytes = 0

    def clear_node(self, node: int, nodes: int) -> None:
        """Remove the entries of one node of a cluster."""
        for key in [key for key in self._entries if node_of(self.name, key, nodes) == node]:
            self.drop(key)


def node_of(cache: str, key: int, nodes: int) -> int:
    """Node of a Redis Cluster that holds one entry of a cache."""
    return node_of_key(f"{_KEYS[cache].partition('{')[0]}{key}", nodes)
