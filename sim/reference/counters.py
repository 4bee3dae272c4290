"""Counters of posts on a Redis cluster: the write rate of each, and the number of keys it is spread over."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.policies import hot_key


@dataclass(slots=True)
class PostCounter:
    """Writes of one post's counter."""

    rate_per_second: float = 0.0
    written_seconds: float = 0.0
    keys: int = 1


@dataclass(slots=True, kw_only=True)
class PostCounters:
    """All counters that were ever written."""

    hot_per_second: float
    keys_max: int
    split_count: int = 0  # times that a counter was spread over more keys
    folded_count: int = 0  # times that one became a single key again
    _counters: dict[int, PostCounter] = field(default_factory=dict)

    def keys_of(self, post: int) -> int:
        """The number of keys that a counter is spread over now."""
        counter = self._counters.get(post)
        return counter.keys if counter is not None else 1

    def written(self, post: int, *, now: float) -> None:
        """Count a write."""
        counter = self._counters.get(post)
        if counter is None:
            counter = self._counters[post] = PostCounter(written_seconds=now)
        counter.rate_per_second = hot_key.rate_after(counter.rate_per_second, now - counter.written_seconds)
        counter.written_seconds = now
        keys = hot_key.keys_for(counter.rate_per_second, counter.keys, self.hot_per_second, self.keys_max)
        self.split_count += keys > counter.keys
        self.folded_count += keys < counter.keys
        counter.keys = keys
