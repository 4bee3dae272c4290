"""The log: events of one kind in partitions, each handled in order by one member of the consumer group.

A member takes all events of its partitions, handles the partitions in parallel and each of them in order, and takes
more when all are done; only then are its positions committed. So one long event delays its own partition, and the
member's other partitions in the next round; in the services, `services.kit.lanes` sets it aside (docs/MODEL.md). Events
that a dead member had taken are handled again, by itself or by another member, as soon as the group notices: at once
after a goodbye, otherwise when its session has timed out. No event is ever lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from core.bounds import CONSUMER_RECORDS_MAX, CONSUMER_SESSION_SECONDS
from core.policies.backlog import CountedQueue
from core.policies.partition import owner_of, partition_of
from sim.model.flow import Ending, Keyed
from sim.model.program import Topic
from sim.reference.kernel import Kernel, Steps
from sim.reference.station import Station
from sim.reference.task import RequestTask, SimulatedRequest
from sim.results.accounts import LogAccount
from sim.results.laws import VisitTally

NOBODY: Final = -1


@dataclass(slots=True, eq=False)
class Record:
    """One event."""

    request: SimulatedRequest
    asked_seconds: float  # when it happened
    entered_seconds: float  # when the log had it
    tries: int = 0  # so that another try draws other numbers
    started: bool = False
    done: bool = False


@dataclass(slots=True, eq=False)
class Partition:
    """Events in order, from the first that is not committed; ``holder`` has taken the first ``taken`` of them."""

    owner: int  # the member that may take from it
    records: list[Record] = field(default_factory=list)
    taken: int = 0
    holder: int = NOBODY
    task: RequestTask | None = None  # that works on one of those taken


#: Does the work of one event and returns its ending.
Handler = Callable[[Record, RequestTask], Steps[Ending]]


class Log:
    """One topic and the group that handles its events. The engine sets ``handler``."""

    handler: Handler

    def __init__(self, kernel: Kernel, topic: Topic, *, members: Sequence[Station], broker: Station):
        self.topic = topic
        self._account = LogAccount(job=topic.job, tally=VisitTally(f"{topic.job} on the log", kernel.now))
        self._backlog = CountedQueue()
        self._kernel, self._members, self._broker = kernel, tuple(members), broker
        self._busy = [0] * len(members)  # partitions that each works on
        self._expelled_seconds = [kernel.now] * len(members)  # until when a member's last session counts
        self._away = [False] * len(members)  # left or dead, and not yet in the group again
        everybody = range(len(members))
        self._partitions = [Partition(owner=owner_of(number, everybody)) for number in range(topic.partitions)]

    def append(self, request: SimulatedRequest, *, asked_seconds: float) -> None:
        """Append an event of ``asked_seconds``; the owner of its partition begins at once if it is idle."""
        self._account.tally.came(self._kernel.now)
        partition = self._partitions[self.partition_of(request)]
        partition.records.append(Record(request, asked_seconds, self._kernel.now))
        self._take(partition.owner)

    def wait_seconds(self, *, standing_seconds: float) -> float:
        """How long a new event would wait, by `core.policies.backlog`."""
        tally = self._account.tally
        return self._backlog.wait_seconds(
            tally.inside, tally.ended, standing_seconds=standing_seconds, now=self._kernel.now
        )

    def partition_of(self, request: SimulatedRequest) -> int:
        """The partition of a request's event."""
        key = request.author if self.topic.keyed is Keyed.AUTHOR else request.number
        return partition_of(str(key).encode(), self.topic.partitions)

    def died(self, process: int, *, goodbye: bool) -> None:
        """Return what a process that ended had taken to the log; without a goodbye, when its session ends."""
        if process not in self.topic.members:
            return
        member = self.topic.members.index(process)
        self._busy[member] = 0
        self._away[member] = True
        for partition in self._partitions:
            if partition.holder == member:
                self._account.redelivered_count += partition.taken
                if partition.task is not None:
                    partition.task.cancel()
                partition.taken, partition.holder, partition.task = 0, NOBODY, None
        if goodbye:
            self._rebalance()
        else:
            self._expelled_seconds[member] = self._kernel.now + CONSUMER_SESSION_SECONDS
            self._kernel.after(CONSUMER_SESSION_SECONDS, self._rebalance)

    def back(self, process: int) -> None:
        """Resume what a process that works again can do, a member or the broker."""
        if process in self.topic.members:
            member = self.topic.members.index(process)
            if self._away[member] and self._kernel.now >= self._expelled_seconds[member]:
                self._rebalance()
                return
        for member in range(len(self._members)):
            self._take(member)

    def found(self) -> int:
        """Number of events that are not handled, counted one by one."""
        return sum(not record.done for partition in self._partitions for record in partition.records)

    def account(self) -> LogAccount:
        """The figures up to now."""
        return replace(self._account, found=self.found())

    def _rebalance(self) -> None:
        self._away = [not station.up for station in self._members]
        present = [member for member, away in enumerate(self._away) if not away]
        for number, partition in enumerate(self._partitions):
            partition.owner = owner_of(number, present)
        for member in present:
            self._take(member)

    def _take(self, member: int) -> None:
        """Begin a round if this member is idle and able to; partitions in their order."""
        if member == NOBODY or self._busy[member] or self._away[member]:
            return
        if not (self._members[member].works and self._broker.works):
            return
        left = CONSUMER_RECORDS_MAX
        for partition in self._partitions:
            count = min(left, len(partition.records))
            if count and partition.owner == member and partition.holder == NOBODY:
                left -= count
                partition.taken, partition.holder = count, member
                self._busy[member] += 1
                self._kernel.start(self._handle(member, partition))

    def _handle(self, member: int, partition: Partition) -> Steps[None]:
        """Handle everything taken from one partition, one event after the other."""
        for record in partition.records[: partition.taken]:
            if not record.started:
                record.started = True
                self._lags(self._kernel.now - record.asked_seconds, record)
            # the member itself does the work
            task = partition.task = RequestTask(replace(record.request, instance=member), record.tries)
            record.tries += 1
            yield from self.handler(record, task)
            if task.cancelled:
                return  # the member died: others handle what it had taken
            if not record.done:
                record.done = True
                self._account.tally.left(self._kernel.now, entered_seconds=record.entered_seconds)
        partition.task = None
        self._busy[member] -= 1
        if not self._busy[member]:
            self._commit(member)

    def _commit(self, member: int) -> None:
        for partition in self._partitions:
            if partition.holder == member:
                del partition.records[: partition.taken]
                partition.taken, partition.holder = 0, NOBODY
        for each in range(len(self._members)):  # its partitions may have other owners by now
            self._take(each)

    def _lags(self, seconds: float, record: Record) -> None:
        account = self._account
        if record.asked_seconds >= 0.0:
            account.lag_count += 1
            account.lag_seconds += seconds
            account.lag_max_seconds = max(account.lag_max_seconds, seconds)
