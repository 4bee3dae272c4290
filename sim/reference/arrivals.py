"""Clients: each request of the schedule starts at its time, however slow the system is, and gives up after its time
limit.

A step of a journey starts when the previous one has ended; after a failure none follows. The work of a request
continues after its client has given up.
"""

from __future__ import annotations

from core.operations import steps_of
from core.traffic import Schedule
from sim.model.flow import Ending
from sim.model.prepared import PreparedRun
from sim.model.program import STEPS_MAX
from sim.reference.interpreter import Interpreter
from sim.reference.kernel import Kernel, Steps
from sim.reference.observer import Observer
from sim.reference.task import RequestTask, SimulatedRequest


class Clients:
    """All clients; ``open`` counts those of the windows so far who have not finished."""

    def __init__(self, prepared: PreparedRun, kernel: Kernel, interpreter: Interpreter, observer: Observer):
        self._prepared, self._content = prepared, prepared.content
        self._kernel, self._interpreter, self._observer = kernel, interpreter, observer
        self._start_seconds = kernel.now
        self.open = len(prepared.schedule)

    def arrive(self) -> Steps[None]:
        """Start every request of the schedule at its time."""
        yield from self._arrive(self._prepared.schedule)
        for schedule in self._prepared.later():
            self.open += len(schedule)
            yield from self._arrive(schedule)

    def _arrive(self, schedule: Schedule) -> Steps[None]:
        for index, at in enumerate(schedule.at_seconds.tolist()):
            if at > self._kernel.now:
                yield self._kernel.wait(at - self._kernel.now)
            self._kernel.start(self._visit(schedule, index))

    def _visit(self, schedule: Schedule, index: int) -> Steps[None]:
        number, act = schedule.first + index, schedule.acts[int(schedule.act[index])]
        person, target = int(schedule.person[index]), int(schedule.target[index])
        for step, operation in enumerate(steps_of(act)):
            request = SimulatedRequest(
                entity=number * STEPS_MAX + step,
                number=number,
                operation=operation,
                person=person,
                author=self._content.author(target, person),
                post=self._content.post(target),
                region=self._interpreter.serving(person),
                second=int(self._kernel.now - self._start_seconds),
            )
            ending = yield from self._ask(request, step)
            if ending is not Ending.OK:
                break
        self.open -= 1

    def _ask(self, request: SimulatedRequest, step: int) -> Steps[Ending | None]:
        kernel, entry = self._kernel, self._interpreter.entry(request.operation)
        began = kernel.now
        self._observer.requests.came(began)
        answered = kernel.event()

        def serve() -> Steps[None]:
            ending = yield from self._interpreter.run(entry.front, RequestTask(request))
            if ending is Ending.OK:
                self._interpreter.behind(entry, request)
            if not answered.triggered:
                answered.succeed(ending)

        def give_up() -> None:
            if not answered.triggered:
                answered.succeed(None)

        kernel.start(serve())
        kernel.after(self._prepared.scenario.traffic.timeout_seconds, give_up)
        ending: Ending | None = yield answered
        self._observer.ended(request, step, ending, began_seconds=began, now=kernel.now)
        return ending
