"""Clock and events: the parts of SimPy that the model uses, and one law, that time never runs back."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

import simpy

from sim.results.laws import ModelError

R = TypeVar("R")
#: What a part of the model does over time: it yields events to wait for and returns a result.
Steps: TypeAlias = Generator[simpy.Event, Any, R]


class Kernel:
    """The clock counts seconds from t0, so it starts below zero while the system warms up."""

    def __init__(self, *, start_seconds: float = 0.0):
        self._environment = simpy.Environment(initial_time=start_seconds)
        self._seen_seconds = start_seconds

    @property
    def now(self) -> float:
        """Seconds from t0."""
        return float(self._environment.now)

    def start(self, steps: Steps[Any]) -> simpy.Process:
        """Start ``steps`` now, concurrently with everything else; an exception in them ends the run."""
        return self._environment.process(steps)

    def event(self) -> simpy.Event:
        """An event that happens once, when the caller says so."""
        return self._environment.event()

    def wait(self, seconds: float) -> simpy.Event:
        """An event that many seconds from now."""
        return self._environment.timeout(seconds)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Call ``act`` that many seconds from now."""
        timer = self._environment.timeout(seconds)
        assert timer.callbacks is not None  # only an event that has been processed has none
        timer.callbacks.append(lambda _event: act())

    def run(self, *, until_seconds: float) -> None:
        """Run everything before ``until_seconds``; raises ModelError if the clock went back."""
        if until_seconds > self._environment.now:
            self._environment.run(until=until_seconds)
        if self._environment.now < self._seen_seconds:
            raise ModelError("causality", f"the clock went from {self._seen_seconds} s to {self._environment.now} s")
        self._seen_seconds = self._environment.now
