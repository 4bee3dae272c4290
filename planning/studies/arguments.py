"""Parses arguments of the command line; each mistake is one readable error."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TypeVar

from core.errors import UserError
from core.operations import OPERATIONS
from core.scenario import Scenario, units
from planning.studies import grid
from planning.studies.grid import Axis, GridError, GridPoint, Settings

T = TypeVar("T")


def axes_of(texts: Sequence[str]) -> tuple[Axis, ...]:
    """The axes of a sweep; raises UserError."""
    return _read(lambda: tuple(map(grid.axis, texts)))


def points_of(text: str, axes: Sequence[Axis]) -> tuple[GridPoint, ...]:
    """The points of the grid; raises UserError naming the wrong field or value."""
    return _read(lambda: grid.points(text, axes))


def point_of(text: str, settings: Settings, base: Scenario) -> GridPoint:
    """The scenario with these settings; raises UserError."""
    return _read(lambda: grid.point(text, settings, base=base))


def operation_of(text: str) -> str:
    """The name of an operation; raises UserError."""
    if text not in OPERATIONS:
        close = difflib.get_close_matches(text, OPERATIONS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(OPERATIONS)}"
        raise UserError(f"--operation {text}: unknown operation; {hint}")
    return text


def relative(text: str | None) -> float | None:
    """A width such as ``2%``; raises UserError."""
    if text is None:
        return None
    try:
        found = units.ratio(text)
    except ValueError as error:
        raise UserError(f"--until {text}: {error}") from error
    if not 0 < found < 1:
        raise UserError(f"--until {text}: expected more than 0% and less than 100%")
    return found


def _read(reading: Callable[[], T]) -> T:
    try:
        return reading()
    except GridError as error:
        raise UserError(str(error)) from error
