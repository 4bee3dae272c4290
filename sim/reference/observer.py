"""Records a run: a row per request and step, times of stages, degraded answers, delays of jobs."""

from __future__ import annotations

from sim.model.flow import Ending
from sim.model.program import Program
from sim.reference.task import SimulatedRequest
from sim.results.client import seen
from sim.results.jobs import JobDelay, JobTally
from sim.results.laws import ModelError, VisitTally
from sim.results.outcomes import OUTCOMES, Answers


class Observer:
    """Records a run, which takes no simulated time. Totals count only what happens from t0 on."""

    def __init__(self, program: Program, *, start_seconds: float):
        self.requests = VisitTally("requests", start_seconds)
        self.background = VisitTally("background work", start_seconds)
        self.counting = start_seconds >= 0.0
        self.degraded_count: dict[str, int] = {}
        self._operations = {name: index for index, name in enumerate(program.entries)}
        self._rows: list[tuple[float, ...]] = []  # the columns of `Answers`
        self._jobs: dict[str, JobTally] = {}
        self._stages = program.stages
        self._stage_count = [0] * len(program.stages)
        self._stage_seconds = [0.0] * len(program.stages)
        self._last_seconds = start_seconds

    def stage(self, index: int, seconds: float) -> None:
        """Record the end of one visit of a stage."""
        if seconds < 0.0:
            raise ModelError("causality", f"{self._stages[index]} took {seconds} s")
        if self.counting:
            self._stage_count[index] += 1
            self._stage_seconds[index] += seconds

    def degraded(self, reason: str) -> None:
        """Record that an answer has become degraded."""
        if self.counting:
            self.degraded_count[reason] = self.degraded_count.get(reason, 0) + 1

    def job_asked(self, job: str, *, now: float, weight: float) -> None:
        """Record a request for work that no client waits for; ``weight`` is the number of people it is for."""
        if now >= 0.0:
            self._jobs.setdefault(job, JobTally(job=job)).asked(now, weight=weight)

    def job_done(self, job: str, *, now: float, asked_seconds: float, weight: float) -> None:
        """Record that work that no client waits for is done."""
        if asked_seconds >= 0.0:
            self._jobs[job].done(now, asked_seconds=asked_seconds, weight=weight)

    def ended(
        self, request: SimulatedRequest, step: int, ending: Ending | None, *, began_seconds: float, now: float
    ) -> None:
        """Record the end of a client's request; ``ending`` is None where the client gave up waiting."""
        if now < self._last_seconds or now < began_seconds:
            last = max(self._last_seconds, now)
            raise ModelError("causality", f"request {request.number} ended at {now} s, after {last} s")
        self._last_seconds = now
        self.requests.left(now, entered_seconds=began_seconds)
        outcome, status = seen(request.operation, ending, degraded=request.degraded)
        operation, code = self._operations[request.operation], OUTCOMES.index(outcome)
        self._rows.append((request.number, step, operation, code, status, began_seconds, now - began_seconds))

    def drain(self) -> Answers:
        """Answers since the last call."""
        rows, self._rows = self._rows, []
        return Answers.of_columns(tuple(self._operations), zip(*rows, strict=True) if rows else [()] * 7)

    def job_delays(self, *, now: float) -> tuple[JobDelay, ...]:
        """Delays of each kind of work, by name."""
        return tuple(tally.delay(now) for _, tally in sorted(self._jobs.items()))

    def stages(self) -> list[tuple[int, float]]:
        """Visits and seconds of every stage of the program."""
        return list(zip(self._stage_count, self._stage_seconds, strict=True))
