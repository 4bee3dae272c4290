"""What hosts and logs report at the end of a run, as values."""

from __future__ import annotations

from dataclasses import dataclass

from sim.results.laws import VisitTally, check_work


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAccount:
    """CPU time of one host: given by its clock, received by its jobs, and what it could have given."""

    name: str
    given_seconds: float
    done_seconds: float
    possible_seconds: float
    stalled_seconds: float

    def check(self) -> None:
        """Work conservation; raises ModelError."""
        check_work(
            f"host {self.name}",
            given_seconds=self.given_seconds,
            done_seconds=self.done_seconds,
            possible_seconds=self.possible_seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAccount:
    """What happened on one topic. The lag is from an event to the start of its work, of events since t0."""

    job: str
    tally: VisitTally  # from an event to the end of its work
    found: int
    redelivered_count: int  # taken by a member that died, and so handled again
    lag_count: int
    lag_seconds: float
    lag_max_seconds: float
