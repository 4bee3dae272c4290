"""Events: they are put on logs by the steps that emit them, and the delay of the work that they start is recorded."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from core.operations import FANOUT_DELIVER
from sim.model.content import Content
from sim.model.program import Instruction, Program
from sim.reference.log import Record
from sim.reference.observer import Observer
from sim.reference.state import RunState
from sim.reference.task import SimulatedRequest


class Events:
    """Puts events on the logs of their region, or of every region."""

    def __init__(self, program: Program, state: RunState, content: Content, observer: Observer):
        self._program, self._state, self._content, self._observer = program, state, content, observer

    def emit(self, step: Instruction, request: SimulatedRequest) -> None:
        """Append an event now; if it is for every region, to the other logs after the one-way time to them."""
        state, now = self._state, self._state.kernel.now
        self._append(step.index, request, asked_seconds=now)
        for region in range(len(state.layout.regions)) if step.everywhere else ():
            if region != request.region:
                append = partial(self._append, step.index, replace(request, region=region), asked_seconds=now)
                state.kernel.after(0.5 * state.geography.rtt_seconds[request.region][region], append)

    def done(self, job: str, record: Record, request: SimulatedRequest) -> None:
        """Record that the work of an event has succeeded for the first time."""
        now, weight = self._state.kernel.now, self._weight(job, request)
        self._observer.job_done(job, now=now, asked_seconds=record.asked_seconds, weight=weight)

    def _append(self, job_index: int, request: SimulatedRequest, *, asked_seconds: float) -> None:
        job = self._program.jobs[job_index]
        self._observer.job_asked(job, now=asked_seconds, weight=self._weight(job, request))
        log = self._state.logs[job_index + request.region * len(self._program.jobs)]
        log.append(request, asked_seconds=asked_seconds)

    def _weight(self, job: str, request: SimulatedRequest) -> float:
        """Number of people who wait for it in this region: for a fan-out every reader, otherwise one."""
        return (
            self._content.readers(request.author) * self._content.share(request.region)
            if job == FANOUT_DELIVER
            else 1.0
        )
