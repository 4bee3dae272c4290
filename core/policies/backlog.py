"""Backlog: how long new background work will wait, from what waits and at what pace it is done.

The limit on it is that of the services: work that would have to wait longer is refused before it is acknowledged, as by
a full queue. Time is an argument.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

#: Work that would have to wait longer is refused.
WAIT_SECONDS_MAX: Final = 10.0
#: Of work that has waited this long, more comes than is done; all else may be a burst.
STANDING_SECONDS: Final = 1.0
EVERYBODY: Final = 0  # the owner of work that takes no turns; of other work, somebody who has none
_LOOKS: Final = 6  # over which the pace is taken
STALE_SECONDS: Final = 5.0  # an older look says nothing
LOOK_SECONDS: Final = 0.5  # between two looks, at least
DECAY_RATIO: Final = (_LOOKS - 1.0) / _LOOKS  # of what counts in the pace, at each look

Key = tuple[int, int]  # shard and id


@dataclass(slots=True)
class CountedQueue:
    """`StandingQueue` for work that is done in the order in which it comes and is each of a different owner, as in the
    model. It needs no more than counts, so that numba can compile the same rules."""

    looked_seconds: float = -math.inf
    waiting: int = 0  # at the last look
    done: int = 0
    stood_seconds: float = 0.0  # how long something has waited, as seen at the looks
    pace_seconds: float = 0.0  # of the last looks, and how much was done in them
    pace_done: float = 0.0

    def wait_seconds(self, waiting: int, done: int, *, standing_seconds: float, now: float) -> float:
        """How long new work will wait behind ``waiting``, of which ``done`` have been done since the beginning; 0 if
        nothing stands. Looks at the queue if the last look was too long ago."""
        if now - self.looked_seconds >= LOOK_SECONDS:
            self._look(waiting, done, now)
        if self.stood_seconds < standing_seconds or not self.pace_done:
            return 0.0
        return waiting * self.pace_seconds / self.pace_done

    def _look(self, waiting: int, done: int, now: float) -> None:
        seconds = now - self.looked_seconds
        if seconds <= STALE_SECONDS and done - self.done < self.waiting:  # what waited then waits still
            self.stood_seconds += seconds
            self.pace_seconds = DECAY_RATIO * self.pace_seconds + seconds
            self.pace_done = DECAY_RATIO * self.pace_done + (done - self.done)
        else:
            self.stood_seconds = self.pace_seconds = self.pace_done = 0.0
        self.looked_seconds, self.waiting, self.done = now, waiting, done


@dataclass(slots=True)
class StandingQueue:
    """What waits, by who it belongs to, as seen at a few moments; work of an owner takes turns with that of others."""

    standing_seconds: float = STANDING_SECONDS
    _since: dict[Key, float] = field(default_factory=dict)
    _waiting: dict[Key, int] = field(default_factory=dict)
    _owned: Counter[int] = field(default_factory=Counter)
    _paces: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_LOOKS))  # seconds, done
    _read_at: float = 0.0

    def update(self, waiting: Mapping[Key, int], *, now: float) -> None:
        """Take in what waits now, with its owners."""
        gone = self._since.keys() - waiting.keys()
        overtaken = self._overtaken(gone, waiting, now)
        self._since = {key: self._since.get(key, now) for key in waiting}
        self._waiting, self._owned = dict(waiting), Counter(waiting.values())
        if self.stands(now) and not overtaken:
            self._paces.append((now - self._read_at, len(gone)))
        else:
            self._paces.clear()
        self._read_at = now

    def _overtaken(self, gone: Iterable[Key], waiting: Mapping[Key, int], now: float) -> bool:
        """Whether what still waits is only held up itself: later work of its owner was done soon."""
        oldest: dict[int, float] = {}
        for key, owner in waiting.items():
            oldest[owner] = min(oldest.get(owner, math.inf), self._since.get(key, math.inf))
        return any(
            now - self._since[key] < self.standing_seconds
            and oldest.get(self._waiting[key], math.inf) < self._since[key]
            for key in gone
        )

    def stands(self, now: float) -> bool:
        """Whether something has waited for so long that it is no burst."""
        return bool(self._since) and now - min(self._since.values()) >= self.standing_seconds

    def wait_seconds(self, owner: int, *, now: float) -> float:
        """How long new work of ``owner`` will wait; 0 if nothing stands, or if it is unknown."""
        done = sum(count for _, count in self._paces)
        if not done or now - self._read_at > STALE_SECONDS:
            return 0.0
        turns = self._owned[owner] + 1
        before = sum(min(count, turns) for count in self._owned.values())
        return before * sum(seconds for seconds, _ in self._paces) / done
