"""CPU seconds of a step: the calibrated demand at the rate of this second, with its variation, scaled by its target."""

from __future__ import annotations

from typing import Final

from sim.model.content import Content
from sim.model.draws import Draws
from sim.model.flow import Per
from sim.model.program import Instruction, Program
from sim.model.pulls import Pulls
from sim.reference.task import SimulatedRequest

#: Distance of the draws of one attempt from those of the attempt before.
ATTEMPT: Final = 1 << 56


class CpuDemands:
    """Durations of CPU work. ``push_mean`` and ``pulls`` are the sizes in calibration."""

    def __init__(self, program: Program, content: Content, draws: Draws, *, push_mean: float, pulls: Pulls):
        self._rows, self._content, self._draws = program.demands, content, draws
        self._push_mean, self._pulls = push_mean, pulls

    def seconds(self, step: Instruction, row: int, share: float, request: SimulatedRequest, attempt: int) -> float:
        """A ``share`` of the demand in ``row``, on attempt number ``attempt`` (from 0)."""
        demand = self._rows[row]
        factor = self._draws.demand_factor(demand.sigma, request.entity, step.visit + attempt * ATTEMPT)
        if step.per is not Per.VISIT:
            factor *= self._size(step.per, request)
        second = min(max(request.second, 0), len(demand.mean_seconds) - 1)
        return demand.mean_seconds[second] * share * factor

    def _size(self, per: Per, request: SimulatedRequest) -> float:
        content = self._content
        if per is Per.PUSH:
            return content.fanout(request.author).push_count * content.share(request.region) / self._push_mean
        return self._pulls.factor(per, followed=content.pulls(request.person), known=content.celebrities())
