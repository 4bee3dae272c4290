"""Parses arguments of the command line; each mistake is one readable error."""

from __future__ import annotations

from typing import Final

from core.errors import UserError
from core.scenario import Scenario, units
from planning.breakpoint.scenes import FAULT_SECONDS_MIN, Burst, Disturbance, fault_of

_TIME_MAX: Final = 3_600.0
_LENGTHS_MAX: Final = 10


def disturbances(
    scenario: Scenario, *, lengths: str, up_to: float, fault: str | None, longest: str
) -> tuple[Disturbance, ...]:
    """A burst for each length, or the fault; raises UserError."""
    if fault is not None:
        most = time("--longest", longest)
        if most <= FAULT_SECONDS_MIN:
            raise UserError(f"--longest {longest}: expected more than {FAULT_SECONDS_MIN:g}s")
        return (fault_of(scenario, fault, most=most),)
    found = tuple(dict.fromkeys(time("--length", each) for each in lengths.split(",")))
    if len(found) > _LENGTHS_MAX:
        raise UserError(f"--length {lengths}: expected at most {_LENGTHS_MAX} lengths")
    return tuple(Burst(for_seconds=each, most=up_to) for each in found)


def time(option: str, text: str) -> float:
    """A duration such as ``10s``; raises UserError."""
    try:
        found = units.seconds(text.strip())
    except ValueError as error:
        raise UserError(f"{option} {text}: {error}") from error
    if not 0 < found <= _TIME_MAX:
        raise UserError(f"{option} {text}: expected more than 0s and at most {units.format_seconds(_TIME_MAX)}")
    return found


def resolution(text: str) -> float:
    """A share such as ``5%``; raises UserError."""
    try:
        found = units.ratio(text)
    except ValueError as error:
        raise UserError(f"--resolution {text}: {error}") from error
    if not 0.001 <= found < 1:
        raise UserError(f"--resolution {text}: expected at least 0.1% and less than 100%")
    return found
