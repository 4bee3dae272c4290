"""Counters of posts on a cluster: how often each is written, and over how many keys it is spread for that."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.policies import hot_key


@dataclass(slots=True)
class Counter:
    """Writes of one post's counter."""

    rate_per_second: float = 0.0
    written_seconds: float = 0.0
    keys: int = 1


@dataclass(slots=True, kw_only=True)
class Counters:
    """All counters; one that nobody wrote is not kept."""

    hot_per_second: float
    keys_max: int
    split_count: int = 0  # times that a counter was spread over more keys
    folded_count: int = 0  # times that one became a single key again
    _counters: dict[int, Counter] = field(default_factory=dict)

    def keys_of(self, post: int) -> int:
        """Over how many keys a counter is spread now."""
        counter = self._counters.get(post)
        return counter.keys if counter is not None else 1

    def written(self, post: int, *, now: float) -> None:
        """One more write."""
        counter = self._counters.get(post)
        if counter is None:
            counter = self._counters[post] = Counter(written_seconds=now)
        counter.rate_per_second = hot_key.rate_after(counter.rate_per_second, now - counter.written_seconds)
        counter.written_seconds = now
        keys = hot_key.keys_for(counter.rate_per_second, counter.keys, self.hot_per_second, self.keys_max)
        self.split_count += keys > counter.keys
        self.folded_count += keys < counter.keys
        counter.keys = keys
