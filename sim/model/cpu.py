"""From a profile to CPU seconds: what one execution of an operation costs a process. Engines and planner ask here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.operations import BACKGROUND, OPERATIONS
from core.profile import DEGRADED, CpuDemand, Profile

#: Rate at which a demand is that of the highest calibrated one.
BUSY: Final = math.inf
#: A miss path is calibrated only where at least this share of look-ups missed.
_MISS_RATIO_MIN: Final = 0.01


class NoDemandError(ValueError):
    """An operation of the scenario whose cost is neither measured nor stated; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuCost:
    """CPU of one execution: what was measured, beyond the usual path where that is part of it."""

    demand: CpuDemand
    usual: CpuDemand | None = None

    def at(self, rate_per_second: float) -> float:
        """CPU seconds where the operation comes at this rate (`BUSY`: at the highest calibrated one)."""
        seconds = self.demand.at(rate_per_second)
        return seconds if self.usual is None else max(0.0, seconds - self.usual.at(rate_per_second))


def own_process(operation: str) -> str:
    """The component or server that does an operation or background job itself."""
    return str(BACKGROUND[operation] if operation in BACKGROUND else OPERATIONS[operation].component)


def cost(profile: Profile, operation: str, process: str, *, degraded: bool = False) -> CpuCost | None:
    """What an operation costs a process, or, ``degraded``, what its fallback path costs beyond that; None where it was
    not seen to cost anything."""
    usual = profile.demand(operation, process)
    if not degraded:
        return None if usual is None else CpuCost(demand=usual)
    fallback = profile.demand(operation + DEGRADED, process)
    return None if fallback is None else CpuCost(demand=fallback, usual=usual)


def per_miss(profile: Profile, cache: str) -> float:
    """Executions for each look-up that missed: what was measured per execution was spent by those that missed."""
    missed = 1.0 - profile.cache_hit_ratio.get(cache, 0.0)
    return 1.0 / missed if missed >= _MISS_RATIO_MIN else 1.0


def is_measured(profile: Profile, operation: str) -> bool:
    """Whether the profile knows the operation, or its fallback path, at all."""
    return any(demand.operation == operation for demand in profile.demands)


def check(profile: Profile, operations: Iterable[str]) -> None:
    """Raise NoDemandError for operations and background jobs whose own work would be free.

    ``profile`` has what the scenario states (`sim.model.stated`) in it already.
    """
    missing = [name for name in operations if profile.demand(name, own_process(name)) is None]
    if missing:
        raise NoDemandError(
            f"the profile {profile.id} has no measured demand for {', '.join(missing)}: measure it with "
            f"`windtunnel calibrate`, or state its CPU under demand.cpu, such as {missing[0]}: 2ms"
        )
