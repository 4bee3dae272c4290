"""Parses arguments of the command line; each mistake is one readable error."""

from __future__ import annotations

import difflib

from core.errors import UserError
from core.operations import OPERATIONS
from core.scenario import units


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
