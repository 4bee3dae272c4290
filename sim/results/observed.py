"""What an engine observed in a run, and the laws that must hold for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from core.run import Event, Samples
from sim.results.accounts import HostAccount, LogAccount
from sim.results.jobs import JobDelay
from sim.results.laws import VisitTally, check_conservation, check_little
from sim.results.outcomes import Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that an engine observed."""

    now: float
    samples: Samples  # in the order of the schedule
    stages: list[tuple[int, float]]  # count and seconds, by the program's stages
    degraded_count: dict[str, int]
    jobs: tuple[JobDelay, ...]
    journal: list[Event]
    requests: VisitTally
    background: VisitTally
    queues: list[tuple[VisitTally, int]]  # stations and pools, each with the number of jobs or claims counted in it
    hosts: list[HostAccount]
    caches: list[tuple[str, int, int]]  # name, hits, misses
    breaker_opened: list[int]  # by the program's breakers
    hot_keys: tuple[int, int] = (0, 0)  # times that a counter was split, and folded back
    lost_count: dict[str, int] = field(default_factory=dict)  # acknowledged writes that a failover lost, by operation
    logs: tuple[LogAccount, ...] = ()  # by the program's jobs


def check(seen: Observed) -> None:
    """Check the laws; raises a ModelError that names the broken one."""
    queues = [*seen.queues, *((log.tally, log.found) for log in seen.logs)]
    for tally in (seen.requests, seen.background, *(tally for tally, _ in queues)):
        tally.close(seen.now)
        check_conservation(tally)
        check_little(tally, now=seen.now)
    for tally, found in queues:
        check_conservation(tally, found=found)
    for host in seen.hosts:
        host.check()


class Engine(Protocol):
    """Simulates one `PreparedRun`."""

    @property
    def now(self) -> float:
        """Seconds from t0."""

    @property
    def open(self) -> int:
        """Number of clients who have not finished."""

    def run(self, *, until_seconds: float) -> None:
        """Simulate until ``until_seconds``; raises ModelError if a law is broken."""

    def count_from_now(self) -> None:
        """Start the totals at the end of the warm-up."""

    def cpu_seconds(self) -> list[float]:
        """CPU time that each process has used so far, in the order of the layout."""

    def observed(self) -> Observed:
        """Everything that was observed."""

    def drain(self) -> Answers:
        """Answers since the last call: those of a long run are counted during the run."""
