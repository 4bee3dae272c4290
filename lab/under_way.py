"""State of a run's traffic: its t0, the warden that injects its faults, and whether its drill was aborted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from chaos import control as chaos
from chaos.abort import AbortCondition
from chaos.orders import OrdersError
from core import run
from core.errors import UserError
from core.scenario import Scenario
from lab.sampler import UsageSampler
from present.progress import ProgressReport
from stack.control import RunningStack


class UnderWay:
    """Follows the load generator. Its first line announces t0; it is printed when the generator is ready, however busy
    the machine was while it started. The warden starts with that line."""

    def __init__(
        self,
        scenario: Scenario,
        stack: RunningStack,
        sampler: UsageSampler,
        report: ProgressReport,
        *,
        on_start: Callable[[float], None],
    ) -> None:
        self._scenario = scenario
        self._stack = stack
        self._sampler = sampler
        self._report = report
        self._on_start = on_start  # gets t0
        self._abort = AbortCondition(scenario)
        self._warden: chaos.WardenProcess | None = None
        self.t0_unix = 0.0
        self.is_aborted = False

    def on_line(self, line: dict[str, Any]) -> None:
        """Handle a line of the generator. Raises UserError where the faults cannot be injected."""
        if self._warden is None and "t0_unix" in line:
            self.t0_unix = float(line["t0_unix"])
            self._sampler.align(self.t0_unix)
            self._on_start(self.t0_unix)
            self._warden = _warden(self._scenario, self._stack, self.t0_unix)
        self._show(str(line.get("note", "")))
        if self._warden is not None and not self.is_aborted and (reason := self._abort.see_line(line)) is not None:
            self._warden.abort(reason)
            self.is_aborted = True

    def meanwhile(self, gone: Callable[[], str | None]) -> str | None:
        """Why the traffic must end now; None if it need not."""
        self._show("")
        if (reason := gone()) is not None:
            return reason
        # a dead warden's faults would act until the end of the run
        is_healthy = self._warden is None or self._warden.is_healthy
        return None if is_healthy else "the process that injects the faults died"

    def stop(self) -> list[run.Event]:
        """Remove faults that still act and return the journal of all faults."""
        return list(self._warden.stop()) if self._warden is not None else []

    def _show(self, note: str) -> None:
        load = self._scenario.traffic
        passed = time.time() - self.t0_unix + load.warm_up_seconds if self.t0_unix else 0.0
        self._report(max(0.0, passed), load.warm_up_seconds + load.duration_seconds, note)


def _warden(scenario: Scenario, stack: RunningStack, t0_unix: float) -> chaos.WardenProcess:
    try:
        return chaos.start(scenario, stack_data=stack.data, t0_unix=t0_unix)
    except (OrdersError, chaos.WardenError) as error:
        raise UserError(f"the faults cannot be injected: {error}", exit_code=4) from error
