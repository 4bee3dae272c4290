"""What is recorded during a run: a row per request and step, stage times, degraded answers, delays of jobs."""

from __future__ import annotations

import numpy as np

from core.names import Outcome
from sim.model.flow import Ending
from sim.results.client import seen
from sim.results.jobs import JobDelay, JobTally
from sim.results.laws import ModelError, VisitTally
from sim.results.outcomes import OUTCOMES, Answers

Sample = tuple[int, int, str, str, int, float, float, float]


class Observer:
    """Records a run, which takes no simulated time. Totals count only what happens from t0 on."""

    def __init__(self, *, start_seconds: float, stages: list[tuple[str, str, str]]):
        self.samples: list[Sample] = []
        self.requests = VisitTally("requests", start_seconds)
        self.background = VisitTally("background work", start_seconds)
        self.counting = start_seconds >= 0.0
        self.degraded_count: dict[str, int] = {}
        self._jobs: dict[str, JobTally] = {}
        self._stages = stages
        self._stage_count = [0] * len(stages)
        self._stage_seconds = [0.0] * len(stages)
        self._last_seconds = start_seconds

    def stage(self, index: int, seconds: float) -> None:
        """One visit of a stage has ended."""
        if seconds < 0.0:
            raise ModelError("causality", f"{self._stages[index]} took {seconds} s")
        if self.counting:
            self._stage_count[index] += 1
            self._stage_seconds[index] += seconds

    def degraded(self, reason: str) -> None:
        """An answer has become degraded."""
        if self.counting:
            self.degraded_count[reason] = self.degraded_count.get(reason, 0) + 1

    def job_asked(self, job: str, *, now: float, weight: float) -> None:
        """Work that no client waits for begins to be waited for; ``weight`` is the number of people it is for."""
        if now >= 0.0:
            self._jobs.setdefault(job, JobTally(job=job)).asked(now, weight=weight)

    def job_done(self, job: str, *, now: float, asked_seconds: float, weight: float) -> None:
        """Work that no client waits for is done."""
        if asked_seconds >= 0.0:
            self._jobs[job].done(now, asked_seconds=asked_seconds, weight=weight)

    def ended(
        self,
        *,
        number: int,
        step: int,
        operation: str,
        ending: Ending | None,
        degraded: bool,
        began_seconds: float,
        now: float,
    ) -> None:
        """A client's request is over; ``ending`` is None where the client gave up waiting."""
        if now < self._last_seconds or now < began_seconds:
            raise ModelError("causality", f"request {number} ended at {now} s, after {max(self._last_seconds, now)} s")
        self._last_seconds = now
        self.requests.left(now, entered_seconds=began_seconds)
        outcome, status = seen(operation, ending, degraded=degraded)
        self.samples.append(
            (number, step, operation, outcome.value, status, began_seconds, began_seconds, now - began_seconds)
        )

    def drain(self, operations: tuple[str, ...]) -> Answers:
        """Samples since the last call, which are then dropped; ``operations`` are all of the run."""
        found, self.samples = self.samples, []
        indices = {name: index for index, name in enumerate(operations)}
        columns = list(zip(*found, strict=True)) or [()] * 8
        number, step, operation, outcome, status, began, _, latency = columns
        return Answers(
            operations=operations,
            number=np.array(number, dtype=np.int64),
            step=np.array(step, dtype=np.int8),
            operation=np.array([indices[name] for name in operation], dtype=np.int16),
            outcome=np.array([OUTCOMES.index(Outcome(each)) for each in outcome], dtype=np.int8),
            status=np.array(status, dtype=np.int16),
            began_seconds=np.array(began, dtype=np.float64),
            latency_seconds=np.array(latency, dtype=np.float64),
        )

    def rows(self) -> list[Sample]:
        """Samples in the order of the schedule."""
        return sorted(self.samples, key=lambda row: (row[0], row[1]))

    def job_delays(self, *, now: float) -> tuple[JobDelay, ...]:
        """How late each kind of work was, by name."""
        return tuple(tally.delay(now) for _, tally in sorted(self._jobs.items()))

    def stages(self) -> list[tuple[int, float]]:
        """Visits and seconds of every stage of the program."""
        return list(zip(self._stage_count, self._stage_seconds, strict=True))
