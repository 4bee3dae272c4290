"""Rows of an outbox that the log has acknowledged, until all consumer groups have handled them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiokafka import TopicPartition

from services.kit.producer import LogPosition

#: Rows of one component on one instance that wait for their consumers; beyond that the oldest are dropped, because the
#: log is durable too.
SENT_MAX: Final = 50_000
#: A row that commits later than this after a newer one was sent is found by the next full scan only; idle transactions
#: are ended after 30 s.
SETTLED_SECONDS: Final = 60.0


@dataclass(slots=True)
class Sent:
    """Sent rows of one instance; ``now`` is in seconds of any one clock."""

    _rows: dict[TopicPartition, deque[tuple[int, int, int]]] = field(default_factory=dict)  # offset, shard, id
    _recent: dict[int, dict[int, float]] = field(default_factory=dict)  # shard → id → sent at
    _floor: dict[int, int] = field(default_factory=dict)
    count: int = 0

    def add(self, shard: int, row: int, place: LogPosition, *, now: float) -> None:
        """Add a row with its position on the log."""
        self._rows.setdefault(place.partition, deque()).append((place.offset, shard, row))
        self._recent.setdefault(shard, {})[row] = now
        self.count += 1

    def known(self, shard: int) -> list[int]:
        """Rows above the floor that need not be sent."""
        return list(self._recent.get(shard, ()))

    def floor(self, shard: int) -> int:
        """Every row up to this one is sent."""
        return self._floor.get(shard, 0)

    def partitions(self) -> list[TopicPartition]:
        """Partitions whose rows wait to be handled."""
        return [partition for partition, rows in self._rows.items() if rows]

    def handled(self, positions: Mapping[TopicPartition, int]) -> dict[int, list[int]]:
        """Take out the rows before these positions: ids by shard, to be deleted."""
        done: dict[int, list[int]] = {}
        for partition, position in positions.items():
            rows = self._rows.get(partition, deque())
            while rows and rows[0][0] < position:
                self._take(rows, done)
        return done

    def beyond(self, maximum: int) -> dict[int, list[int]]:
        """Take out the rows beyond ``maximum``, from the longest partitions first."""
        done: dict[int, list[int]] = {}
        while self.count > maximum:
            self._take(max(self._rows.values(), key=len), done)
        return done

    def _take(self, rows: deque[tuple[int, int, int]], done: dict[int, list[int]]) -> None:
        _, shard, row = rows.popleft()
        done.setdefault(shard, []).append(row)
        self.count -= 1

    def forget(self, done: Mapping[int, Iterable[int]]) -> None:
        """Forget rows that have been deleted."""
        for shard, rows in done.items():
            recent = self._recent.get(shard, {})
            for row in rows:
                recent.pop(row, None)

    def settle(self, now: float) -> None:
        """Raise the floor to ids so old that nothing below them can still commit."""
        for shard, recent in self._recent.items():
            old = [row for row, at in recent.items() if now - at > SETTLED_SECONDS]
            if old:
                self._floor[shard] = max(self._floor.get(shard, 0), max(old))
                for row in old:
                    del recent[row]

    def everything(self) -> dict[int, list[int]]:
        """All rows that wait, by shard."""
        found: dict[int, list[int]] = {}
        for rows in self._rows.values():
            for _, shard, row in rows:
                found.setdefault(shard, []).append(row)
        return found

    def lost(self) -> None:
        """Forget all rows, so that they are sent again: the log has lost its data."""
        self._rows.clear()
        self._recent.clear()
        self._floor.clear()
        self.count = 0

    def last(self) -> dict[TopicPartition, int]:
        """The highest offset by partition."""
        return {partition: rows[-1][0] for partition, rows in self._rows.items() if rows}
