"""CPU seconds from a profile: the demand of one execution of an operation on a process, for engines and planner."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.operations import BACKGROUND, OPERATIONS
from core.profile import DEGRADED, CpuDemand, Floats, Profile

#: More cores than a process used at any calibrated rate: the demand is that at the highest one.
BUSY: Final = math.inf
#: A miss path is calibrated only where at least this share of look-ups missed.
_MISS_RATIO_MIN: Final = 0.01

#: Share of HAProxy's CPU that goes into a request: parsing, verifying the token, choosing a server; the rest goes into
#: the answer.
REQUEST_SHARE: Final = 0.6


class NoDemandError(ValueError):
    """An operation of the scenario whose demand is neither measured nor stated; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuCost:
    """CPU of one execution."""

    demand: CpuDemand
    usual: CpuDemand | None = None  # of a fallback path: the demand of the usual path, which is subtracted

    def at(self, rates_per_second: Floats) -> Floats:
        """CPU seconds at these rates of the operation."""
        seconds = _at(self.demand, rates_per_second)
        return seconds if self.usual is None else np.maximum(0.0, seconds - _at(self.usual, rates_per_second))

    def while_busy(self, cores: Floats | float) -> Floats:
        """CPU seconds while the process uses so many cores (`BUSY`: at the highest calibrated rate)."""
        seconds = self.demand.while_busy(cores)
        return seconds if self.usual is None else np.maximum(0.0, seconds - self.usual.while_busy(cores))


def _at(demand: CpuDemand, rates_per_second: Floats) -> Floats:
    found: Floats = np.interp(rates_per_second, demand.rates_per_second, demand.cpu_seconds)
    return found


def own_process(operation: str) -> str:
    """The component or server to which an operation or background job belongs."""
    return str(BACKGROUND[operation] if operation in BACKGROUND else OPERATIONS[operation].component)


def cost(profile: Profile, operation: str, process: str, *, degraded: bool = False) -> CpuCost | None:
    """Demand of an operation on a process or, if ``degraded``, the surplus of its fallback path; None where calibration
    measured none."""
    usual = profile.demand(operation, process)
    if not degraded:
        return None if usual is None else CpuCost(demand=usual)
    fallback = profile.demand(operation + DEGRADED, process)
    return None if fallback is None else CpuCost(demand=fallback, usual=usual)


def refusal_seconds(profile: Profile, request_seconds: Floats, *, admission: bool) -> Floats:
    """CPU of the gateway for a request that it refuses, out of ``request_seconds`` for the whole of the operation.

    With ``admission`` it refuses before most of the work, and newer profiles say what that costs. Otherwise a refusal
    costs as much as a request that is sent on.
    """
    whole = REQUEST_SHARE * request_seconds
    measured = profile.refusal_cpu_seconds
    return whole if measured is None or not admission else np.minimum(measured, whole)


def per_miss(profile: Profile, cache: str) -> float:
    """Executions per miss: what was measured per execution was used only by the executions that missed."""
    missed = 1.0 - profile.cache_hit_ratio.get(cache, 0.0)
    return 1.0 / missed if missed >= _MISS_RATIO_MIN else 1.0


def is_measured(profile: Profile, operation: str) -> bool:
    """Whether the profile has any demand of the operation or fallback path."""
    return any(demand.operation == operation for demand in profile.demands)


def _has_demand(profile: Profile, name: str) -> bool:
    """Whether what an operation costs its own process is known. A background job's part of that may be too small to be
    measured, while its part in a store is known."""
    return profile.demand(name, own_process(name)) is not None or (name in BACKGROUND and is_measured(profile, name))


def check(profile: Profile, operations: Iterable[str]) -> None:
    """Raise NoDemandError for operations and background jobs whose own work would be free.

    ``profile`` already contains the demands that the scenario states (`sim.model.stated`).
    """
    missing = [name for name in operations if not _has_demand(profile, name)]
    if missing:
        raise NoDemandError(
            f"the profile {profile.id} has no measured demand for {', '.join(missing)}: measure it with "
            f"`windtunnel calibrate`, or state its CPU under demand.cpu, such as {missing[0]}: 2ms"
        )
