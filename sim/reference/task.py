"""Requests, and the tasks that work on them: threads of control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sim.reference.station import BoundedPool, PoolClaim, Station


@dataclass(slots=True, eq=False)
class SimulatedRequest:
    """A request, shared by all tasks that work on it."""

    entity: int  # makes its random draws independent of those of every other request and step
    number: int  # of the request in the schedule
    operation: str
    person: int
    author: int  # of the post, or owner of the profile, that it is about
    post: int  # that it is about; below 0 where there is none
    second: int  # of the run in which it was due to start, from the start of the warm-up
    degraded: bool = False
    instance: int = -1  # of the service that works on it: of `count` instances, number `instance % count`
    gateway: int = -1  # instance of the gateway; below 0 before it has reached one
    region: int = 0  # that serves it
    #: The instance that has admitted it and not yet begun it, and whom to tell when it begins.
    unbegun: tuple[Station, Callable[[], None]] | None = None

    def __post_init__(self) -> None:
        if self.instance < 0:
            self.instance = self.number

    def begun_at(self, station: Station) -> Callable[[], None] | None:
        """Whom to tell when ``station`` begins with it, if that has not begun it before."""
        if self.unbegun is None or self.unbegun[0] is not station:
            return None
        _, tell = self.unbegun
        self.unbegun = None
        return tell


@dataclass(slots=True, eq=False)
class RequestTask:
    """One thread of control of a request."""

    request: SimulatedRequest
    attempt: int = 0
    cancelled: bool = False
    died: bool = False  # the process of the last step is dead
    below: list[RequestTask] = field(default_factory=list)
    claims: list[tuple[BoundedPool, PoolClaim]] = field(default_factory=list)

    def child(self) -> RequestTask:
        """A task that ends with this one."""
        task = RequestTask(self.request, self.attempt, self.cancelled)
        self.below.append(task)
        return task

    def cancel(self) -> None:
        """Cancel this task and all below it; the slots that they hold in pools are free at once."""
        self.cancelled = True
        for pool, claim in self.claims:
            pool.give_back(claim)
        self.claims.clear()
        for task in self.below:
            task.cancel()
