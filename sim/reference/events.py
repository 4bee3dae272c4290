"""Events: from the step that emits one to the logs that hold it, and what is told of the work that follows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from sim.model.content import Content
from sim.model.program import Instruction, Program
from sim.reference.log import Record
from sim.reference.observer import Observer
from sim.reference.state import RunState
from sim.reference.task import Request

#: The job that readers wait for: it counts once for each of them.
_FANOUT: Final = "fanout.deliver"


class Events:
    """Puts events on the logs of their region, or of every region."""

    def __init__(self, program: Program, state: RunState, content: Content, observer: Observer):
        self._program, self._state, self._content, self._observer = program, state, content, observer

    def emit(self, step: Instruction, request: Request) -> None:
        """An event happens now; where it is for everybody, the logs of other regions have it as soon as it is there."""
        state, now = self._state, self._state.kernel.now
        self._tell(step.index, request, asked_seconds=now)
        for region in range(len(state.layout.regions)) if step.size else ():
            if region != request.region:
                tell = partial(self._tell, step.index, replace(request, region=region), asked_seconds=now)
                state.kernel.after(0.5 * state.geography.rtt_seconds[request.region][region], tell)

    def done(self, job: str, record: Record, request: Request) -> None:
        """The work of an event has ended well for the first time."""
        now, weight = self._state.kernel.now, self._weight(job, request)
        self._observer.job_done(job, now=now, asked_seconds=record.asked_seconds, weight=weight)

    def _tell(self, place: int, request: Request, *, asked_seconds: float) -> None:
        job = self._program.jobs[place]
        self._observer.job_asked(job, now=asked_seconds, weight=self._weight(job, request))
        log = self._state.logs[place + request.region * len(self._program.jobs)]
        log.append(request, asked_seconds=asked_seconds)

    def _weight(self, job: str, request: Request) -> float:
        """Who waits for it in this region."""
        return self._content.readers(request.author) * self._content.share(request.region) if job == _FANOUT else 1.0
