"""Handles the events of one partition: those of one key in order, and no key waits for another.

Events are handled one after another (or all waiting ones as one batch). An event that takes longer than a slice is set
aside, and others continue. A failed event waits for its next try and blocks only its own key; while a whole shard
fails, one event at a time tests whether it is back. Offsets are committed up to the first unhandled event. The number
of events in hand is bounded, and so is the number that is handled again after a crash.

What happens to a failed event depends on the failure. A transient one (`core.failures`) is retried for as long as it
takes, or for half an hour if other events of its shard succeed. After any other failure the event is tried `TRIES`
times, counted across restarts, and then given up; a batch is halved until the bad event is alone. An event that misses
`TRIES` deadlines while others are handled is given up too; if no other is handled, the fault is elsewhere. An event
that was in hand when the process died is tried alone, `TRIES` times in all (`services.kit.inhand`).
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import structlog

from core.failures import DeadlineExceeded
from core.policies import patience
from services.kit.inhand import Note, checksum
from services.kit.item import Item, Late, Poison, Work, shard_of
from services.kit.logs import REQUEST_ID
from services.kit.stores import translated

TRIES: Final = 3  # of an event whose failure is not transient
WINDOW_MAX: Final = 2_000  # events in hand of one partition
BATCH_MAX: Final = 500  # events in one call of a handler
SLICE_SECONDS: Final = 0.25  # after this long, others continue beside an event
UNITS_MAX: Final = 32  # concurrent calls of handlers, of one partition
_APART_SECONDS: Final = 10.0
_GRACE_SECONDS: Final = 1.0  # for running calls when the partition is reassigned
_log = structlog.get_logger("bus")


@dataclass(slots=True)
class _Shard:
    """Keys of one shard that may be handled now, in turn."""

    ready: deque[bytes] = field(default_factory=deque)
    failures: int = 0  # in a row
    handled: int = 0
    due: float = 0.0
    asking: bool = False  # one of its events is testing whether it is back


class PartitionLane:
    """The events of one partition."""

    def __init__(self, name: str, work: Work):
        self._name, self._work = name.encode(), work
        self._suspects = work.in_hand.left(self._name)
        self._queues: dict[bytes, deque[Item]] = {}  # by key: events in hand that are not being handled
        self._shards: dict[int, _Shard] = {}
        self._turns: deque[int] = deque()  # shards that have ready keys
        self._order: deque[int] = deque()  # offsets in hand
        self._done: set[int] = set()
        self._units: set[asyncio.Task[None]] = set()
        self._counted = 0  # units that count towards `at_once`
        self._apart_until = 0.0  # a batch had a transient failure: until then shards are handled apart
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.follows = -1  # offset of the next record, unless the log was replaced
        self.position = -1  # next offset to commit; -1 before anything was handled
        self.committed = -1

    def __len__(self) -> int:
        return len(self._order)

    def put(self, items: Sequence[Item]) -> None:
        """Take events, in the log's order."""
        if self._suspects and not self._order:
            self.has_committed(items[0].record.offset)  # earlier notes are obsolete
        self.follows = items[-1].record.offset + 1
        for item in items:
            self._order.append(item.record.offset)
            if self._suspects:
                self._recognise(item)
            queue = self._queues.get(item.key)
            if queue is None:
                self._queues[item.key] = deque((item,))
                self._make_ready(item.key)
            else:
                queue.append(item)
        self._start_ready()

    def _recognise(self, item: Item) -> None:
        offset = item.record.offset
        for note in self._suspects:
            if note.first <= offset <= note.last and note.checksum in (0, checksum(item.record.value)):
                item.suspect, item.tries = True, max(item.tries, note.tries)

    def _make_ready(self, key: bytes) -> None:
        number = shard_of(key)
        shard = self._shards.get(number)
        if shard is None:
            shard = self._shards[number] = _Shard()
        if not shard.ready:
            self._turns.append(number)
        shard.ready.append(key)

    def _start_ready(self) -> None:
        """Start all events that can start."""
        while not self._closed and self._counted < self._work.at_once and len(self._units) < UNITS_MAX:
            items = self._next()
            if not items:
                return
            self._counted += 1
            unit = asyncio.create_task(self._run(items))
            self._units.add(unit)
            unit.add_done_callback(self._ended)

    def _ended(self, unit: asyncio.Task[None]) -> None:
        if not unit.cancelled() and (error := unit.exception()) is not None:
            self._work.broken(error)

    def _next(self) -> list[Item]:
        """Take the events to handle next; their keys are no longer ready."""
        now, taken, soonest = monotonic(), list[Item](), None
        for _ in range(len(self._turns)):
            number = self._turns.popleft()
            shard = self._shards[number]
            if shard.failures > 1 and (shard.asking or shard.due > now):
                self._turns.append(number)
                if not shard.asking:
                    soonest = shard.due if soonest is None else min(soonest, shard.due)
                continue
            one = not self._work.batches or shard.failures > 1
            if one and taken:  # handled alone, in its turn
                self._turns.append(number)
                continue
            alone = self._take(shard, taken, one=one)
            if shard.ready:
                self._turns.append(number)
            if shard.failures > 1:
                shard.asking = True
            if one or alone or now < self._apart_until or len(taken) >= BATCH_MAX:
                break
        if soonest is not None:
            self._wake_at(soonest)
        return sorted(taken, key=lambda item: item.record.offset)

    def _take(self, shard: _Shard, taken: list[Item], *, one: bool) -> bool:
        """Move events of ready keys into ``taken``; returns whether the one taken must be alone."""
        for _ in range(len(shard.ready)):
            if len(taken) >= BATCH_MAX:
                return False
            key = shard.ready.popleft()
            queue = self._queues[key]
            if queue[0].troubled:
                if taken:
                    shard.ready.append(key)
                    continue
                taken.append(queue.popleft())
                return True
            while queue and not queue[0].troubled and len(taken) < BATCH_MAX:
                taken.append(queue.popleft())
                if one:
                    return True
        return False

    async def _run(self, items: list[Item]) -> None:
        keys = {item.key for item in items}
        shards = {shard_of(key) for key in keys}
        counted = True

        def set_aside() -> None:
            nonlocal counted
            if counted:
                counted = False
                self._counted -= 1
                self._start_ready()

        # the more units run, the shorter the slice: together, many slow events hold up the others for about a second
        timer = asyncio.get_running_loop().call_later(SLICE_SECONDS / len(self._units), set_aside)
        waits: dict[bytes, float] = {}
        try:
            await self._attempt(items, waits)
        except asyncio.CancelledError:
            self._closed = True
            for item in items:
                if item.tries and item.record.offset not in self._done and item not in self._queues[item.key]:
                    self._leave(item)
            raise
        finally:
            timer.cancel()
            task = asyncio.current_task()
            if task is not None:
                self._units.discard(task)
            for number in shards:
                self._shards[number].asking = False
            self._release(keys, waits)
            set_aside()
            self._advance()
            self._start_ready()

    def _release(self, keys: set[bytes], waits: dict[bytes, float]) -> None:
        """Let the keys' next events start, at once or after the pause of a failed one."""
        together: dict[float, list[bytes]] = {}
        for key in keys:
            if not self._queues[key]:
                del self._queues[key]
            elif key in waits:
                together.setdefault(waits[key], []).append(key)
            else:
                self._make_ready(key)
        for pause, those in together.items():
            asyncio.get_running_loop().call_later(pause, self._ready_again, those)

    def _ready_again(self, keys: Sequence[bytes]) -> None:
        if not self._closed:
            for key in keys:
                self._make_ready(key)
            self._start_ready()

    async def _attempt(self, items: list[Item], waits: dict[bytes, float]) -> None:
        """Handle them once; what fails is put back, with a pause, or given up."""
        if len(items) == 1 and (items[0].event is None or items[0].tries >= TRIES):
            item = items[0]
            await self._give_up(item, item.error or "the process died while handling this event", max(1, item.tries))
            return
        before, began = self._work.progress.count, monotonic()
        shard = self._shards[shard_of(items[0].key)]
        try:
            await self._call(items)
        except Exception as error:  # noqa: BLE001 - sorted below: transient failures are retried, others given up
            if len(items) == 1:
                item = items[0]
                if self._work.progress.count > before and isinstance(error, Late | DeadlineExceeded):
                    item.late_seconds += monotonic() - began
                if item.handled_then == shard.handled or not item.since:  # no event of its shard succeeds
                    item.since = monotonic()
                item.handled_then = shard.handled
            await self._failed(items, waits, error)
        else:
            self._handled(items)

    def _handled(self, items: Sequence[Item]) -> None:
        self._work.progress.count += len(items)
        for item in items:
            self._done.add(item.record.offset)
            shard = self._shards[shard_of(item.key)]
            shard.handled += 1
            shard.failures = 0

    async def _failed(self, items: list[Item], waits: dict[bytes, float], error: Exception) -> None:
        late = isinstance(error, Late)
        failure = None if late or isinstance(error, Poison) else translated(error)
        transient = failure is not None and failure.retryable
        if len(items) > 1:
            await self._divide(items, waits, error, transient=transient)
            return
        item = items[0]
        if not (transient or late):
            item.tries += 1
        if isinstance(error, Poison):
            await self._give_up(item, error, error.tries)
        elif (
            item.tries >= TRIES
            or item.late_seconds >= TRIES * self._work.deadline_seconds
            or monotonic() - item.since >= self._work.patience_seconds
        ):
            await self._give_up(item, error, item.attempt + 1)
        else:
            self._put_back([item], waits, error, failed=transient)

    async def _call(self, items: list[Item]) -> None:
        first, one = items[0], len(items) == 1
        if one and first.suspect:
            async with self._work.in_hand.alone:
                await self._noted(items, tries=first.tries + 1)
        else:
            await self._noted(items, tries=first.tries + 1 if one else 1)

    async def _noted(self, items: list[Item], *, tries: int) -> None:
        first, one = items[0], len(items) == 1
        note = Note(
            first=first.record.offset,
            last=items[-1].record.offset,
            tries=tries,
            checksum=checksum(first.record.value) if one else 0,
        )
        REQUEST_ID.set(first.event.request_id if one and first.event is not None else "")
        limit = asyncio.timeout(self._work.deadline_seconds)
        slot = self._work.in_hand.take(self._name, note)
        try:
            async with limit:
                await self._work.handle(items)
        except TimeoutError as error:
            if limit.expired():
                raise Late(f"no end within {self._work.deadline_seconds:g} s") from error
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise RuntimeError("something that the handler waited for was cancelled") from error
        finally:
            self._work.in_hand.give_back(slot)

    async def _divide(self, items: list[Item], waits: dict[bytes, float], error: Exception, *, transient: bool) -> None:
        """Split a failed batch: by shard after a transient failure, else into halves until the bad event is alone."""
        if transient:
            self._apart_until = monotonic() + _APART_SECONDS
            self._put_back(items, waits, error, failed=len({shard_of(item.key) for item in items}) == 1)
            return
        half = len(items) // 2
        await self._attempt(items[:half], waits)
        rest = [item for item in items[half:] if item.key not in waits]
        behind = [item for item in items[half:] if item.key in waits]  # an earlier event of their key has to come first
        if rest:
            await self._attempt(rest, waits)
        for item in reversed(behind):
            self._queues[item.key].appendleft(item)
        self._sort({item.key for item in behind})

    def _put_back(self, items: Sequence[Item], waits: dict[bytes, float], error: Exception, *, failed: bool) -> None:
        """Queue events for another try; ``failed``: their shard may be down."""
        for item in reversed(items):
            item.attempt += 1
            self._queues[item.key].appendleft(item)
        attempt = max(item.attempt for item in items)
        pause = pause_seconds(attempt)
        for item in items:
            waits[item.key] = max(waits.get(item.key, 0.0), pause)
        self._sort({item.key for item in items})
        if failed:
            shard = self._shards[shard_of(items[0].key)]
            shard.failures += 1
            shard.due = monotonic() + pause_seconds(shard.failures)
        _log.warning(
            "event_retried", lane=self._name.decode(), events=len(items), attempt=attempt, error=repr(error)[:500]
        )

    def _sort(self, keys: set[bytes]) -> None:
        for key in keys:
            queue = self._queues[key]
            if len(queue) > 1:
                self._queues[key] = deque(sorted(queue, key=lambda item: item.record.offset))

    async def _give_up(self, item: Item, error: BaseException | str, tries: int) -> None:
        await self._work.give_up(item, error, tries)
        self._done.add(item.record.offset)

    def _advance(self) -> None:
        moved = False
        while self._order and self._order[0] in self._done:
            offset = self._order.popleft()
            self._done.discard(offset)
            self.position, moved = offset + 1, True
        if moved:
            self._work.moved()

    def has_committed(self, position: int) -> None:
        """Note that everything before ``position`` is committed."""
        self.committed = position
        if self._suspects:
            self._work.in_hand.forget(self._name, before=position)
            self._suspects = [note for note in self._suspects if note.last >= position]

    def _wake_at(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, due - monotonic()) + 0.001, self._start_ready)

    async def close(self) -> None:
        """Start nothing more and let running calls end for a moment; failed tries are noted for the next owner."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._units:
            await asyncio.wait(self._units, timeout=_GRACE_SECONDS)
        units = list(self._units)
        for unit in units:
            unit.cancel()
        await asyncio.gather(*units, return_exceptions=True)
        for item in (item for queue in self._queues.values() for item in queue if item.tries and not item.suspect):
            self._leave(item)

    def _leave(self, item: Item) -> None:
        offset, payload = item.record.offset, item.record.value
        note = Note(first=offset, last=offset, tries=item.tries, checksum=checksum(payload))
        self._work.in_hand.leave(self._name, note)


def pause_seconds(attempt: int) -> float:
    """Capped exponential back-off with jitter; ``attempt`` counts from 0."""
    return patience.pause_seconds(attempt, random.random())
