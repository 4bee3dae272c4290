"""What an engine has seen by the end of a run, as values; one page checks the laws and tells the figures of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from core.run import Event, Samples
from sim.results.accounts import HostAccount, LogAccount
from sim.results.jobs import JobDelay
from sim.results.laws import Tally, check_conservation, check_little
from sim.results.outcomes import Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that one engine saw. ``places`` are stations and pools, with how many were found inside."""

    now: float
    samples: Samples  # in the order of the schedule
    stages: list[tuple[int, float]]  # count and seconds, by the program's stages
    degraded_count: dict[str, int]
    jobs: tuple[JobDelay, ...]
    journal: list[Event]
    requests: Tally
    background: Tally
    places: list[tuple[Tally, int]]
    hosts: list[HostAccount]
    caches: list[tuple[str, int, int]]  # name, hits, misses
    breaker_opened: list[int]  # by the program's breakers
    hot_keys: tuple[int, int] = (0, 0)  # times that a counter was split, and folded back
    lost_count: dict[str, int] = field(default_factory=dict)  # acknowledged writes that a failover lost, by operation
    logs: tuple[LogAccount, ...] = ()  # by the program's jobs


def check(seen: Observed) -> None:
    """Hold a run to the laws; raises ModelError that names the one that is broken."""
    places = [*seen.places, *((log.tally, log.found) for log in seen.logs)]
    for tally in (seen.requests, seen.background, *(tally for tally, _ in places)):
        tally.close(seen.now)
        check_conservation(tally)
        check_little(tally, now=seen.now)
    for tally, found in places:
        check_conservation(tally, found=found)
    for host in seen.hosts:
        host.check()


class Engine(Protocol):
    """What runs the parts of a run."""

    @property
    def now(self) -> float:
        """Seconds from t0."""

    @property
    def open(self) -> int:
        """Clients who are not done."""

    def run(self, *, until_seconds: float) -> None:
        """Let everything before ``until_seconds`` happen; raises ModelError when a law is broken."""

    def count_from_now(self) -> None:
        """Totals begin: the warm-up is over."""

    def cpu_seconds(self) -> list[float]:
        """CPU time that each process has had until now, in the order of the layout."""

    def observed(self) -> Observed:
        """Everything that was seen."""

    def drain(self) -> Answers:
        """What clients got since it was last asked: a long run's answers are counted while it lasts."""
