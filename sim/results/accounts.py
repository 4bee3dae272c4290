"""Accounts of hosts and logs, which an engine reports at the end of a run."""

from __future__ import annotations

from dataclasses import dataclass

from sim.results.laws import VisitTally, check_work


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAccount:
    """CPU time of one host: given by its clock, received by its jobs, and possible at most."""

    name: str
    given_seconds: float
    done_seconds: float
    possible_seconds: float
    stalled_seconds: float

    def check(self) -> None:
        """Check work conservation; raises ModelError."""
        check_work(
            f"host {self.name}",
            given_seconds=self.given_seconds,
            done_seconds=self.done_seconds,
            possible_seconds=self.possible_seconds,
        )


@dataclass(slots=True, kw_only=True)
class LogAccount:
    """Account of one topic. The lag is the time from an event to the start of its work, of events since t0."""

    job: str
    tally: VisitTally  # from an event to the end of its work
    found: int = 0  # events that are not handled, counted one by one
    redelivered_count: int = 0  # events that were handled again, because the member that had taken them died
    lag_count: int = 0
    lag_seconds: float = 0.0
    lag_max_seconds: float = 0.0
